"""Slices on their way to a file: compressed, in any order, on disk when there are many."""

from __future__ import annotations

import math
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from imagecodecs import deflate_encode
from numpy.typing import NDArray

__all__ = ["SliceSpool", "rows_per_strip"]

_IN_MEMORY = 64 << 20
_STRIP_BYTES = 256 << 10  # as tifffile's own strips: small enough to read a part of a plane
_LEVEL = 6


def rows_per_strip(slice_shape: Sequence[int], dtype: np.dtype[Any]) -> int:
    """Return how many rows of a slice ``(y, x)`` or ``(y, x, colour)`` make up a strip."""
    row_bytes = math.prod(slice_shape[1:]) * dtype.itemsize
    return max(1, min(slice_shape[0], _STRIP_BYTES // max(1, row_bytes)))


@dataclass(frozen=True)
class _Place:
    """Where the strips of a slice lie in the spool's file."""

    offset: int
    lengths: tuple[int, ...]
    dtype: np.dtype[Any]


class SliceSpool:
    """Keeps slices until all are known, so that the file's dtype can be chosen by its values.

    They are kept as the strips of a TIFF with zlib compression: those whose dtype is the
    file's go there as they are, and are not compressed a second time.

    Parameters
    ----------
    shape
        Shape of the whole array.
    slice_axes
        How many of the last axes make up a slice: 2, or 3 with colours.
    folder
        Where the spool lies when it outgrows the memory: the output's own folder, which needs
        as much room anyway. It has no name there and vanishes with the program.
    narrow
        Whether whole numbers are kept in 16 bits where they fit.
    """

    def __init__(
        self, shape: tuple[int, ...], slice_axes: int, folder: Path, *, narrow: bool
    ) -> None:
        self._narrow = narrow
        self.leading_shape = shape[: len(shape) - slice_axes]
        self.slice_shape = shape[len(shape) - slice_axes :]
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(folder))  # noqa: SIM115
        self._places: dict[tuple[int, ...], _Place] = {}
        self.lowest = 0.0
        self.highest = 0.0

    def write(self, index: tuple[int, ...], values: NDArray[Any]) -> None:
        """Keep one slice; a slice that comes twice replaces the first.

        Raises
        ------
        ValueError
            When index or shape do not fit.
        """
        if values.shape != self.slice_shape:
            raise ValueError(f"a slice has shape {self.slice_shape}, got {values.shape}")
        if len(index) != len(self.leading_shape) or any(
            not 0 <= i < n for i, n in zip(index, self.leading_shape, strict=True)
        ):
            raise ValueError(f"there is no slice {index} in {self.leading_shape}")
        if values.size and values.dtype.kind in "uib":
            lowest, highest = float(values.min()), float(values.max())
            self.lowest, self.highest = min(self.lowest, lowest), max(self.highest, highest)
            if self._narrow and values.dtype.itemsize > 2 and lowest >= 0 and highest <= 65535:
                values = values.astype(np.uint16)  # most likely the file's dtype
        strips = _encode(values)
        offset = self._file.seek(0, 2)
        for strip in strips:
            self._file.write(strip)
        self._places[index] = _Place(offset, tuple(map(len, strips)), values.dtype)

    def slices(self, dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
        """Yield all slices in order; those that never came are zeros."""
        for index in self._indices():
            yield self.read(index, dtype)

    def strips(self, dtype: np.dtype[Any]) -> Iterator[bytes]:
        """Yield the compressed strips of all slices in order, of :func:`rows_per_strip` rows."""
        for index in self._indices():
            place = self._places.get(index)
            if place is not None and place.dtype == dtype:
                yield from self._stored(place)
            else:
                yield from _encode(self.read(index, dtype))

    def read(self, index: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return one slice."""
        place = self._places.get(index)
        if place is None:
            return np.zeros(self.slice_shape, dtype)
        data = b"".join(map(zlib.decompress, self._stored(place)))
        return np.frombuffer(data, place.dtype).reshape(self.slice_shape).astype(dtype)

    def _indices(self) -> Iterator[tuple[int, ...]]:
        return product(*(range(n) for n in self.leading_shape))

    def _stored(self, place: _Place) -> list[bytes]:
        self._file.seek(place.offset)
        return [self._file.read(length) for length in place.lengths]

    def close(self) -> None:
        """Forget everything."""
        self._file.close()


def _encode(values: NDArray[Any]) -> list[bytes]:
    """Compress a slice strip by strip, in this machine's byte order, as tifffile writes it."""
    native = values.astype(values.dtype.newbyteorder("="), copy=False)
    rows = rows_per_strip(values.shape, values.dtype)
    return [
        bytes(deflate_encode(native[top : top + rows].tobytes(), level=_LEVEL))
        for top in range(0, values.shape[0], rows)
    ]
