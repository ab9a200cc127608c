"""One door to everything that is written: the name decides between TIFF and OME-Zarr."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_slicewise.errors import OutputError
from napari_slicewise.io.atomic_file import check_output
from napari_slicewise.io.atomic_folder import check_output_folder
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.object_table import Columns
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.tiff_writer import LabelsWriter
from napari_slicewise.io.zarr_document import Version
from napari_slicewise.io.zarr_writer import ZarrWriter

__all__ = [
    "SliceWriter",
    "check_place",
    "is_result_name",
    "is_zarr_name",
    "open_writer",
    "write_labels",
    "write_picture",
]

PathLike = str | os.PathLike[str]

_TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8")


class SliceWriter(Protocol):
    """Takes slices in any order; the file appears when it is closed."""

    def write(
        self,
        index: tuple[int, ...],
        values: NDArray[Any],
        confidence: Mapping[int, float] | None = None,
    ) -> None:
        """Take one slice, and of labels how sure the network is of each object."""

    def describe(self, provenance: Mapping[str, Any], objects: Columns | None = None) -> None:
        """Say how the picture was made, and what else is known of its objects."""

    def __enter__(self) -> SliceWriter: ...

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None: ...


def is_zarr_name(path: Path) -> bool:
    """Whether a path names an OME-Zarr folder, or labels within one."""
    names = [path.name, path.parent.parent.name] if path.parent.name == "labels" else [path.name]
    return any(name.lower().endswith(".zarr") for name in names)


def is_result_name(path: Path) -> bool:
    """Whether a path has the ending of a format that can be written."""
    return is_zarr_name(path) or path.suffix.lower() in _TIFF_SUFFIXES


def check_place(path: Path, inputs: Sequence[PathLike]) -> None:
    """Refuse what would destroy an input, or has the ending of no format.

    Parameters
    ----------
    path
        Where the result is to go.
    inputs
        Files and folders that must survive.

    Raises
    ------
    OutputError
        When the result cannot go there.
    """
    if is_zarr_name(path):
        check_output_folder(path, inputs)
        return
    check_output(path, inputs)
    if path.suffix.lower() not in _TIFF_SUFFIXES:
        raise OutputError(
            f"{path.name} has the ending of no format that can be written.",
            "Choose .ome.tif, .tif or .ome.zarr.",
        )


def open_writer(
    path: PathLike,
    picture: Picture,
    dtype: DTypeLike,
    inputs: Sequence[PathLike] = (),
    zarr_version: Version = "0.5",
) -> SliceWriter:
    """Open the writer that the name asks for.

    Parameters
    ----------
    path
        ``.ome.tif``, ``.tif``, ``.ome.zarr``, ``.zarr``, or ``image.zarr/labels/NAME``.
    picture
        Axes, channels, notes.
    dtype
        dtype of the slices.
    inputs
        Files that must not be replaced.
    zarr_version
        Version of OME-Zarr.

    Raises
    ------
    OutputError
        When the output is an input, cannot be written there, or has an unknown ending.
    """
    place = Path(path)
    check_place(place, inputs)
    if is_zarr_name(place):
        return ZarrWriter(place, picture, dtype, inputs, zarr_version)
    return LabelsWriter.for_picture(place, picture, np.dtype(dtype), inputs)


def write_picture(
    path: PathLike, data: Any, picture: Picture, inputs: Sequence[PathLike] = ()
) -> Path:
    """Write a whole image or labels array, slice by slice.

    Parameters
    ----------
    path
        See :func:`open_writer`.
    data
        numpy, zarr or dask array of shape ``picture.shape``.
    picture
        Axes, channels and notes.
    inputs
        Files that must not be replaced.

    Returns
    -------
    The path of the file.

    Raises
    ------
    OutputError
        When the file cannot be written, or the shapes differ.
    """
    if tuple(data.shape) != picture.shape:
        raise OutputError(f"The axes say {picture.shape}, the array has {tuple(data.shape)}.")
    with open_writer(path, picture, data.dtype, inputs) as writer:
        for index in np.ndindex(*picture.shape[: len(picture.axes) - 2]):
            writer.write(index, np.asarray(data[index]))
    return Path(path)


def write_labels(
    path: PathLike,
    labels: Any,
    axes: Sequence[Axis],
    provenance: Mapping[str, Any] | None = None,
    *,
    inputs: Sequence[PathLike] = (),
) -> Path:
    """Write a whole labels array.

    Parameters
    ----------
    path
        See :func:`open_writer`.
    labels
        numpy, zarr or dask array of whole numbers; read slice by slice.
    axes
        Its axes, rows and columns last.
    provenance
        How the labels were made.
    inputs
        Files that must not be replaced.

    Returns
    -------
    The path of the file.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    if np.dtype(labels.dtype).kind not in "biu":
        raise OutputError(
            f"Labels are whole numbers, these are {labels.dtype}.",
            "Round them first, or write_picture.",
        )
    picture = Picture(tuple(axes), provenance=dict(provenance or {}))
    return write_picture(path, labels, picture, inputs)
