"""Volumes that are read and written in slices along any axis: in memory, or in cubes on disk."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_slicewise.io.label_store import create_labels

__all__ = ["CubeStore"]

_SLAB_BYTES = 32 << 20
_LARGEST_SIDE = 64
_SLABS = 2  # slices that are visited from the middle outwards lie in two


class CubeStore:
    """An array of several channels, in which all three directions are as good as each other.

    A file that is written slice after slice is read a few bytes at a time in the other
    directions. In cubes, each direction reads what it needs once.

    Parameters
    ----------
    shape
        ``(channel, z, y, x)``.
    dtype
        Of the values.

    Raises
    ------
    OutputError
        When there is no room on disk.
    """

    def __init__(self, shape: tuple[int, int, int, int], dtype: DTypeLike) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        face = int(np.prod(shape[1:])) // min(shape[1:])
        side = _SLAB_BYTES // (shape[0] * face * self.dtype.itemsize)
        self._side = max(1, min(side, _LARGEST_SIDE))
        chunks = (1, *(min(n, self._side) for n in shape[1:]))
        self._array = create_labels(shape, self.dtype, chunks=chunks)
        self._slabs: OrderedDict[tuple[int, int], NDArray[Any]] = OrderedDict()
        self._changed: set[tuple[int, int]] = set()

    def read(self, axis: int, position: int) -> NDArray[Any]:
        """Return one slice, ``(channel, ., .)``, at a position along z (0), y (1) or x (2)."""
        slab, inside = self._slab(axis, position)
        return np.array(slab.take(inside, axis=axis + 1))

    def write(self, axis: int, position: int, plane: NDArray[Any]) -> None:
        """Write one slice, ``(channel, ., .)``."""
        slab, inside = self._slab(axis, position, change=True)
        np.moveaxis(slab, axis + 1, 0)[inside] = plane

    def add(self, axis: int, position: int, plane: NDArray[Any]) -> None:
        """Add values to one slice, ``(channel, ., .)``."""
        slab, inside = self._slab(axis, position, change=True)
        np.moveaxis(slab, axis + 1, 0)[inside] += plane

    def flush(self) -> None:
        """Write what waits in memory; to be called before another axis is read or written."""
        for key in sorted(self._changed):
            self._array[self._place(*key)] = self._slabs[key]
        self._changed.clear()
        self._slabs.clear()

    def _slab(self, axis: int, position: int, *, change: bool = False) -> tuple[NDArray[Any], int]:
        """Return the slab that holds a slice, and where in it the slice is."""
        key = axis, position // self._side
        if any(known != axis for known, _ in self._slabs):
            self.flush()
        if key not in self._slabs:
            if len(self._slabs) >= _SLABS:
                self._let_go(next(iter(self._slabs)))
            self._slabs[key] = np.array(self._array[self._place(*key)])
        self._slabs.move_to_end(key)
        if change:
            self._changed.add(key)
        return self._slabs[key], position % self._side

    def _let_go(self, key: tuple[int, int]) -> None:
        slab = self._slabs.pop(key)
        if key in self._changed:
            self._changed.discard(key)
            self._array[self._place(*key)] = slab

    def _place(self, axis: int, slab: int) -> tuple[slice, ...]:
        place = [slice(None)] * 4
        place[axis + 1] = slice(slab * self._side, (slab + 1) * self._side)
        return tuple(place)
