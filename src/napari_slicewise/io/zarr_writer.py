"""Writing labels and images as OME-Zarr: streamed, verified, and never half a folder."""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_slicewise.errors import OutputError
from napari_slicewise.io.atomic_file import explain_output
from napari_slicewise.io.atomic_folder import FolderDraft, check_output_folder
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.zarr_document import Version, lay_out_axes, zarr_attributes
from napari_slicewise.io.zarr_labels_group import labels_version, register_labels

__all__ = ["ZarrWriter"]

_CHUNK_SIDE = 1024
_SMALLEST_LEVEL = 512  # no level is halved that has no longer side

PathLike = str | os.PathLike[str]


class ZarrWriter:
    """Takes slices in any order, and gives the folder its name when it is closed.

    Use it in a ``with`` statement: when the block fails, nothing is written and what was
    there before stays. Slices that never come are zeros. A path such as
    ``image.zarr/labels/nuclei`` adds labels to an image.

    Parameters
    ----------
    path
        The folder.
    picture
        Axes, channels, notes.
    dtype
        dtype of the slices; labels are stored as unsigned whole numbers of 32 bits at most.
    inputs
        Files that must not be replaced.
    version
        Version of OME-Zarr; labels of an image take the image's.

    Raises
    ------
    OutputError
        When the output is an input, or cannot be written there.
    """

    def __init__(
        self,
        path: PathLike,
        picture: Picture,
        dtype: DTypeLike,
        inputs: Sequence[PathLike] = (),
        version: Version = "0.5",
    ) -> None:
        self.path = Path(path)
        self.picture = picture
        if math.prod(picture.shape) == 0:
            raise OutputError(f"There is nothing to write: the shape is {picture.shape}.")
        self._dtype = _stored_dtype(np.dtype(dtype), picture)
        self._layout = lay_out_axes(picture)
        check_output_folder(self.path, inputs)
        self._version: Version = labels_version(self.path) or version
        self._leading = picture.shape[: len(picture.axes) - 2]
        self._sums: dict[tuple[int, ...], int] = {}
        self._limits: dict[int, tuple[float, float]] = {}
        self._draft = FolderDraft(self.path)
        self._arrays = self._create_levels()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array."""
        return self.picture.shape

    def write(self, index: tuple[int, ...], values: NDArray[Any]) -> None:
        """Take one slice.

        Parameters
        ----------
        index
            Position on the axes before rows and columns.
        values
            ``(y, x)``, or ``(y, x, colour)``.

        Raises
        ------
        OutputError
            When no space is left, or labels are negative or too large.
        ValueError
            When index or shape do not fit.
        """
        index, block = tuple(index), np.asarray(values)
        if block.shape != self.shape[len(self._leading) :] or len(index) != len(self._leading):
            raise ValueError(f"no slice {index} of shape {block.shape} in {self.shape}")
        if any(not 0 <= i < n for i, n in zip(index, self._leading, strict=True)):
            raise ValueError(f"there is no slice {index} in {self._leading}")
        block = self._checked(block)
        self._note_limits(index, block)
        self._sums[index] = zlib.crc32(np.ascontiguousarray(block).data)
        with explain_output(self.path):
            for array in self._arrays:
                array[self._place(index)] = np.moveaxis(block, -1, 0) if block.ndim == 3 else block
                block = _halved(block, labels=self.picture.kind == "labels")

    def describe(self, provenance: Mapping[str, Any]) -> None:
        """Say how the labels were made, where that is known only after the last slice."""
        self.picture = replace(self.picture, provenance=dict(provenance))

    def close(self) -> None:
        """Write the metadata, read everything back, and give the folder its name.

        Raises
        ------
        OutputError
            When the folder cannot be written, or does not come back as it went in.
        """
        try:
            attributes = zarr_attributes(
                self.picture, self._layout, len(self._arrays), self._limits, self._version
            )
            with explain_output(self.path):
                self._group.attrs.update(attributes)
                self._compare()
            self._draft.commit()
        finally:
            self._draft.discard()
        register_labels(self.path, self._version)

    def abort(self) -> None:
        """Write nothing."""
        self._draft.discard()

    def __enter__(self) -> ZarrWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _create_levels(self) -> list[Any]:
        """Create the empty arrays; chunks are slices, large ones in pieces."""
        import zarr  # half a second to import

        zarr_format: Literal[2, 3] = 2 if self._version == "0.4" else 3
        arrays: list[Any] = []
        sizes = [axis.size for axis in self._layout.axes]
        names = [axis.name for axis in self._layout.axes]
        rows, columns = names.index("y"), names.index("x")
        with explain_output(self.path):
            self._group = zarr.create_group(str(self._draft.folder), zarr_format=zarr_format)
            while True:
                chunks = [1] * len(sizes)
                for axis in (rows, columns):
                    chunks[axis] = min(sizes[axis], _CHUNK_SIDE)
                if self.picture.rgb:
                    chunks[names.index("c")] = self.picture.rgb
                arrays.append(self._create_array(len(arrays), tuple(sizes), tuple(chunks)))
                if max(sizes[rows], sizes[columns]) <= _SMALLEST_LEVEL:
                    return arrays
                sizes[rows], sizes[columns] = -(-sizes[rows] // 2), -(-sizes[columns] // 2)

    def _create_array(self, level: int, shape: tuple[int, ...], chunks: tuple[int, ...]) -> Any:
        if self._version == "0.4":
            import numcodecs

            return self._group.create_array(
                str(level),
                shape=shape,
                chunks=chunks,
                dtype=self._dtype,
                fill_value=0,
                compressors=numcodecs.Blosc(cname="zstd", clevel=3, shuffle=1),
                chunk_key_encoding={"name": "v2", "separator": "/"},
            )
        from zarr.codecs import BloscCodec

        return self._group.create_array(
            str(level),
            shape=shape,
            chunks=chunks,
            dtype=self._dtype,
            fill_value=0,
            compressors=BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"),
            dimension_names=[axis.name for axis in self._layout.axes],
        )

    def _place(self, index: tuple[int, ...]) -> tuple[int | slice, ...]:
        """Return where a slice lies in the stored array."""
        inner = [slice(None)] * (len(self.shape) - len(index))
        keys: list[int | slice] = [*index, *inner]
        return tuple(keys[axis] for axis in self._layout.order)

    def _checked(self, block: NDArray[Any]) -> NDArray[Any]:
        if self.picture.kind == "labels" and block.dtype.kind in "ui" and block.size:
            if block.min() < 0:
                raise OutputError("Labels must not be negative.", "Renumber them from 1.")
            if block.max() > np.iinfo(self._dtype).max:
                raise OutputError(f"A label does not fit {self._dtype}.", "Renumber them from 1.")
        return block.astype(self._dtype, copy=False)

    def _note_limits(self, index: tuple[int, ...], block: NDArray[Any]) -> None:
        """Remember each channel's lowest and highest value, for the metadata."""
        if block.dtype.kind not in "uif":
            return
        names = [axis.name for axis in self.picture.axes]
        channel = index[names.index("c")] if "c" in names else 0
        finite = block[np.isfinite(block)]
        if self.picture.rgb:  # shown as it is
            top = float(np.iinfo(block.dtype).max) if block.dtype.kind in "ui" else 1.0
            self._limits = dict.fromkeys(range(self.picture.rgb), (0.0, top))
        elif finite.size:
            low, high = self._limits.get(channel, (math.inf, -math.inf))
            self._limits[channel] = (min(low, float(finite.min())), max(high, float(finite.max())))

    def _compare(self) -> None:
        """Read the slices back and compare them with what was written."""
        import zarr

        stored = zarr.open_array(str(self._draft.folder / "0"), mode="r")
        for index, expected in self._sums.items():
            block = np.asarray(stored[self._place(index)])
            block = np.moveaxis(block, 0, -1) if block.ndim == 3 else block
            if zlib.crc32(np.ascontiguousarray(block).data) != expected:
                raise OutputError(f"{self.path.name} did not come back as it was written.")


def _stored_dtype(dtype: np.dtype[Any], picture: Picture) -> np.dtype[Any]:
    """Choose the dtype in the file: unsigned for labels, as it is for images."""
    if picture.kind != "labels" or dtype.kind not in "uib":
        return dtype.newbyteorder("=")
    return np.dtype(f"uint{8 * min(dtype.itemsize, 4)}")


def _halved(block: NDArray[Any], *, labels: bool) -> NDArray[Any]:
    """Halve rows and columns: of labels every second pixel, else the mean of two by two."""
    if labels or block.dtype.kind not in "uif":
        return block[::2, ::2]
    rows, columns = block.shape[0] % 2, block.shape[1] % 2
    padding = [(0, rows), (0, columns)] + [(0, 0)] * (block.ndim - 2)
    even = np.pad(block, padding, mode="edge").astype(np.float64)
    mean = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
    return (np.rint(mean) if block.dtype.kind in "ui" else mean).astype(block.dtype)
