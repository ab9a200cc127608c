"""Whether files are still the same: by name, size and time of change."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

__all__ = ["fingerprint"]


def fingerprint(members: Iterable[Path], leave_out: Iterable[Path] = ()) -> str:
    """Digest the names, sizes and times of change of the files that an image is made of.

    Parameters
    ----------
    members
        Files, and folders of which all files count. Labels that lie in an OME-Zarr folder
        do not: adding some changes no pixel of the image.
    leave_out
        Files and folders that do not count, such as the output.
    """
    without = [os.path.realpath(path) for path in leave_out]
    digest = blake2b(digest_size=16)
    files = {file for member in members for file in _files(Path(os.path.realpath(member)))}
    for file in sorted(files):
        if not any(file == path or file.startswith(path + os.sep) for path in without):
            status = Path(file).stat()
            digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _files(place: Path) -> Iterator[str]:
    if not place.is_dir():
        yield str(place)
        return
    for folder, folders, names in os.walk(place):
        folders[:] = [name for name in folders if name != "labels" and not name.startswith(".")]
        yield from (os.path.join(folder, name) for name in names)  # noqa: PTH118 - a million files
