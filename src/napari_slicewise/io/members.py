"""Which files an image is made of: they must survive whatever is written."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import tifffile

from napari_slicewise.io.file_sets import files_of_glob
from napari_slicewise.io.zarr_reader import is_ome_zarr

__all__ = ["member_files"]

_SET_ENDINGS = (".companion.ome", ".nd", ".ndinfo", ".scan")

_DAMAGE = (OSError, tifffile.TiffFileError, RuntimeError, ValueError, KeyError, TypeError)


def member_files(path: Path) -> tuple[Path, ...]:
    """List the files that are read when a path is opened, the path itself first.

    An OME or Micro-Manager file may stand for a set of files beside it; of a folder, or
    of a file that only lists others, all files in it count.

    Parameters
    ----------
    path
        A file or folder. Where it cannot be read, it alone is returned.
    """
    with contextlib.suppress(OSError):
        if path.is_dir() and is_ome_zarr(path):
            return (path,)
        if files_of_glob(path):
            return tuple(files_of_glob(path))
        if path.is_dir():
            return (path, *(member for member in path.rglob("*") if member.is_file()))
        if path.name.lower().endswith(_SET_ENDINGS):
            return (path, *(member for member in path.parent.iterdir() if member.is_file()))
    if not path.is_file():  # nobody may ever write into a pipe
        return (path,)
    # A damaged file is reported when it is opened; here it only has no other members.
    with contextlib.suppress(*_DAMAGE), tifffile.TiffFile(path) as tif:
        sets = [series for series in tif.series if series.is_multifile]
        pages = (page for series in sets for page in series.pages if page is not None)
        return (path, *sorted({Path(_home(page)) for page in pages} - {path}))
    return (path,)


def _home(page: Any) -> str:
    """Return the file that a page lies in."""
    return str(page.parent.filehandle.path)
