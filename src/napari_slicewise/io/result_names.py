"""Which inputs there are, and where the result of each goes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_slicewise.errors import OutputError, RequestError
from napari_slicewise.io.atomic_file import explain_output
from napari_slicewise.io.file_sets import files_of_glob
from napari_slicewise.io.outputs import is_result_name, is_zarr_name
from napari_slicewise.io.tiff_reader import SUFFIXES
from napari_slicewise.io.zarr_reader import is_ome_zarr

__all__ = ["pair_with_results"]

_PICTURES = (*SUFFIXES, ".png", ".jpg", ".jpeg")


def pair_with_results(inputs: Sequence[Path], out: Path) -> list[tuple[Path, Path]]:
    """Pair each input with its output, and refuse outputs that would collide.

    Where ``out`` has the name of a result, one folder or pattern of files is one image;
    else it is a folder of results, and each file in it is an image.

    Parameters
    ----------
    inputs
        Files, folders, or patterns such as ``raw/*.tif``.
    out
        A file or folder.

    Raises
    ------
    RequestError, OutputError
        When there is nothing to do, or no place for it.
    """
    with explain_output(out):
        return _pair(list(inputs), out)


def _pair(inputs: list[Path], out: Path) -> list[tuple[Path, Path]]:
    if len(inputs) == 1 and is_result_name(out) and not _is_folder(out):
        return [(inputs[0], out)]
    files = [file for path in inputs for file in _expand(path)]
    into_folder = len(files) > 1 or files[0] != inputs[0] or _is_folder(out)
    if not into_folder:
        return [(files[0], out)]
    if out.exists() and not _is_folder(out):
        raise OutputError(
            f"{out} is a file, and {len(files)} results need a folder.", "Name a folder with -o."
        )
    jobs = [(file, out / _result_name(file)) for file in files]
    names = [target.name.casefold() for _, target in jobs]
    for name in names:
        if names.count(name) > 1:
            raise OutputError(
                f"Two inputs would both be written to {out / name}.",
                "Segment them into different folders.",
            )
    out.mkdir(parents=True, exist_ok=True)
    return jobs


def _is_folder(path: Path) -> bool:
    """Whether a path is a folder of images, and not an image that is stored as a folder."""
    return path.is_dir() and not is_zarr_name(path) and not is_ome_zarr(path)


def _expand(path: Path) -> list[Path]:
    """Return the images that an input stands for, each by itself."""
    if not _is_folder(path):
        folders = [] if path.exists() else path.parent.glob(path.name)
        found = sorted([*files_of_glob(path), *filter(is_ome_zarr, folders)])
        if not found and not path.exists() and any(sign in path.name for sign in "*?["):
            raise RequestError(f"No file matches {path}.", "Check the pattern and its folder.")
        return found or [path]
    files = [file for file in path.iterdir() if file.name.lower().endswith(_PICTURES)]
    files += [folder for folder in path.iterdir() if is_ome_zarr(folder)]
    if not files:
        raise RequestError(f"There is no TIFF, PNG or JPEG file or OME-Zarr folder in {path}.")
    return sorted(files)


def _result_name(path: Path) -> str:
    kept = (".tif", ".tiff", ".zarr")
    return path.name if path.name.lower().endswith(kept) else f"{path.stem}.ome.tif"
