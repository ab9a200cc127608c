"""The arrays of an OME-Zarr pyramid: slices in, checksums out, from any process."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_slicewise.errors import OutputError
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.zarr_document import Version, lay_out_axes

__all__ = ["StoredSlice", "ZarrLevels", "create_levels", "open_attributes", "open_levels"]

_CHUNK_SIDE = 1024
_SMALLEST_LEVEL = 512  # no level is halved that has no longer side


@dataclass(frozen=True)
class StoredSlice:
    """What is known of a slice that was written.

    Parameters
    ----------
    index
        Position on the axes before rows and columns.
    sums
        A checksum of its pixels at each level.
    limits
        Its lowest and highest finite value, None where it has none.
    """

    index: tuple[int, ...]
    sums: tuple[int, ...]
    limits: tuple[float, float] | None


class ZarrLevels:
    """The open arrays. A slice has chunks of its own, so that slices may be written at once.

    Parameters
    ----------
    arrays
        The full size first.
    picture
        What is stored.
    """

    def __init__(self, arrays: list[Any], picture: Picture) -> None:
        self.arrays = arrays
        self._picture = picture
        self._order = lay_out_axes(picture).order
        self._leading = picture.shape[: len(picture.axes) - 2]
        self._dtype = stored_dtype(arrays[0].dtype, picture)

    def write(self, index: tuple[int, ...], values: NDArray[Any]) -> StoredSlice:
        """Write a slice into all levels.

        Parameters
        ----------
        index
            Position on the axes before rows and columns.
        values
            ``(y, x)``, or ``(y, x, colour)``.

        Raises
        ------
        OutputError
            When labels are negative or too large.
        ValueError
            When index or shape do not fit.
        OSError
            When the disk is full.
        """
        index, block = tuple(index), np.asarray(values)
        shape = self._picture.shape
        if block.shape != shape[len(self._leading) :] or len(index) != len(self._leading):
            raise ValueError(f"no slice {index} of shape {block.shape} in {shape}")
        if any(not 0 <= i < n for i, n in zip(index, self._leading, strict=True)):
            raise ValueError(f"there is no slice {index} in {self._leading}")
        block = self._checked(block)
        limits, sums = _limits(block), []
        for array in self.arrays:
            sums.append(_checksum(block))
            array[self._place(index)] = np.moveaxis(block, -1, 0) if block.ndim == 3 else block
            block = _halved(block, labels=self._picture.kind == "labels")
        return StoredSlice(index, tuple(sums), limits)

    def read(self, index: tuple[int, ...], level: int = 0) -> NDArray[Any]:
        """Read a slice, ``(y, x)`` or ``(y, x, colour)``."""
        block = np.asarray(self.arrays[level][self._place(index)])
        return np.moveaxis(block, 0, -1) if block.ndim == 3 else block

    def holds(self, stored: StoredSlice) -> bool:
        """Whether a slice comes back, at each level, as it was written."""
        if len(stored.sums) != len(self.arrays):
            return False
        try:
            return all(
                _checksum(self.read(stored.index, level)) == expected
                for level, expected in enumerate(stored.sums)
            )
        except (OSError, ValueError, RuntimeError):  # what codecs make of a torn chunk
            return False

    def _place(self, index: tuple[int, ...]) -> tuple[int | slice, ...]:
        """Return where a slice lies in the stored array."""
        inner = [slice(None)] * (len(self._picture.shape) - len(index))
        keys: list[int | slice] = [*index, *inner]
        return tuple(keys[axis] for axis in self._order)

    def _checked(self, block: NDArray[Any]) -> NDArray[Any]:
        if self._picture.kind == "labels" and block.dtype.kind in "ui" and block.size:
            if block.min() < 0:
                raise OutputError("Labels must not be negative.", "Renumber them from 1.")
            if block.max() > np.iinfo(self._dtype).max:
                raise OutputError(f"A label does not fit {self._dtype}.", "Renumber them from 1.")
        return block.astype(self._dtype, copy=False)


def create_levels(folder: Path, picture: Picture, dtype: DTypeLike, version: Version) -> ZarrLevels:
    """Create a group with empty arrays; chunks are slices, large ones in pieces.

    Parameters
    ----------
    folder
        Where; it is there and empty.
    picture
        What will be stored.
    dtype
        dtype of the slices.
    version
        Version of OME-Zarr.
    """
    import zarr  # half a second to import

    zarr_format: Literal[2, 3] = 2 if version == "0.4" else 3
    layout = lay_out_axes(picture)
    arrays: list[Any] = []
    sizes = [axis.size for axis in layout.axes]
    names = [axis.name for axis in layout.axes]
    rows, columns = names.index("y"), names.index("x")
    group = zarr.create_group(str(folder), zarr_format=zarr_format)
    stored = stored_dtype(np.dtype(dtype), picture)
    while True:
        chunks = [1] * len(sizes)
        for axis in (rows, columns):
            chunks[axis] = min(sizes[axis], _CHUNK_SIDE)
        if picture.rgb:
            chunks[names.index("c")] = picture.rgb
        options = {"shape": tuple(sizes), "chunks": tuple(chunks), "dtype": stored, "fill_value": 0}
        arrays.append(_create_array(group, str(len(arrays)), options, names, version))
        if max(sizes[rows], sizes[columns]) <= _SMALLEST_LEVEL:
            return ZarrLevels(arrays, picture)
        sizes[rows], sizes[columns] = -(-sizes[rows] // 2), -(-sizes[columns] // 2)


def open_levels(folder: Path, picture: Picture) -> ZarrLevels:
    """Open the arrays that :func:`create_levels` made, to read and write.

    Parameters
    ----------
    folder
        Where they are.
    picture
        What is stored.
    """
    import zarr

    group = zarr.open_group(str(folder), mode="r+")
    count = sum(1 for _ in group.array_keys())
    return ZarrLevels([group[str(level)] for level in range(count)], picture)


def open_attributes(folder: Path) -> Any:
    """Return the attributes of a group, to be read and written."""
    import zarr

    return zarr.open_group(str(folder), mode="r+").attrs


def stored_dtype(dtype: np.dtype[Any], picture: Picture) -> np.dtype[Any]:
    """Choose the dtype in the file: unsigned for labels, as it is for images."""
    if picture.kind != "labels" or dtype.kind not in "uib":
        return dtype.newbyteorder("=")
    return np.dtype(f"uint{8 * min(dtype.itemsize, 4)}")


def _create_array(
    group: Any, name: str, options: dict[str, Any], axes: list[str], version: Version
) -> Any:
    if version == "0.4":
        import numcodecs

        return group.create_array(
            name,
            **options,
            compressors=numcodecs.Blosc(cname="zstd", clevel=3, shuffle=1),
            chunk_key_encoding={"name": "v2", "separator": "/"},
        )
    from zarr.codecs import BloscCodec

    compressor = BloscCodec(cname="zstd", clevel=3, shuffle="shuffle")
    return group.create_array(name, **options, compressors=compressor, dimension_names=axes)


def _checksum(block: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(block).data)


def _limits(block: NDArray[Any]) -> tuple[float, float] | None:
    if block.dtype.kind not in "uif":
        return None
    finite = block[np.isfinite(block)]
    return (float(finite.min()), float(finite.max())) if finite.size else None


def _halved(block: NDArray[Any], *, labels: bool) -> NDArray[Any]:
    """Halve rows and columns: of labels every second pixel, else the mean of two by two."""
    if labels or block.dtype.kind not in "uif":
        return block[::2, ::2]
    rows, columns = block.shape[0] % 2, block.shape[1] % 2
    padding = [(0, rows), (0, columns)] + [(0, 0)] * (block.ndim - 2)
    even = np.pad(block, padding, mode="edge").astype(np.float64)
    mean = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
    return (np.rint(mean) if block.dtype.kind in "ui" else mean).astype(block.dtype)
