"""Labels of a file that are too large for memory, and can be painted on all the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.io.array_keys import full_key, is_scalar, positions
from napari_slicewise.io.label_store import create_labels
from napari_slicewise.io.lazy_array import LazyArray

__all__ = ["EditableLabels"]

Place = tuple[int, ...]


class EditableLabels(LazyArray):
    """Labels that are read from a file; a slice that is written to is copied to a scratch disk.

    The file is never changed. The copies vanish with the array.

    Parameters
    ----------
    file
        The labels in the file, rows and columns last.
    """

    def __init__(self, file: LazyArray) -> None:
        self._file = file
        self.shape = file.shape
        self.dtype = file.dtype.newbyteorder("=")
        self._copies: Any = None
        self._copied: set[Place] = set()
        self._lock = RLock()

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of what is best read at once."""
        return self._file.chunks

    @property
    def copied(self) -> int:
        """How many slices have been written to."""
        return len(self._copied)

    def __getattr__(self, name: str) -> Any:
        if name == "dask":  # by which others know what cannot be painted on
            raise AttributeError("these labels are written to in place")
        return super().__getattr__(name)

    def copy(self) -> EditableLabels:
        """Return labels that read the same file and can be edited apart from these."""
        twin = EditableLabels(self._file)
        with self._lock:
            for place in self._copied:
                twin._write(place, self._read(place))
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> EditableLabels:
        return self.copy()

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read a part, edited where it was.

        Raises
        ------
        ImageError
            When the file is gone, cut off or damaged.
        """
        keys = full_key(key, self.shape)
        with self._lock:
            if _is_pointwise(keys):
                return self._points(keys)
            if not any(place in self._copied for _, place in self._places(keys)):
                return np.asarray(self._file[tuple(keys)])
            picked = [positions(k, n) for k, n in zip(keys, self.shape, strict=True)]
            found = np.empty([len(axis) for axis in picked], self.dtype)
            rows = (_kept(keys[-2]), _kept(keys[-1]))
            for at, place in self._places(keys):
                found[at] = self._read(place)[rows[0]][:, rows[1]]
        return found[tuple(0 if is_scalar(k) else slice(None) for k in keys)]

    def __setitem__(self, key: Any, values: Any) -> None:
        """Write a part, broadcast as numpy does.

        Raises
        ------
        ImageError
            When a slice that is touched for the first time cannot be read.
        OutputError
            When there is no room for the copies.
        """
        keys = full_key(key, self.shape)
        with self._lock:
            if _is_pointwise(keys):
                self._set_points(keys, values)
                return
            picked = [positions(k, n) for k, n in zip(keys, self.shape, strict=True)]
            size = [len(axis) for axis in picked]
            kept = [n for k, n in zip(keys, size, strict=True) if not is_scalar(k)]
            block = np.broadcast_to(np.asarray(values), kept).reshape(size)
            where = np.ix_(np.asarray(picked[-2], int), np.asarray(picked[-1], int))
            for at, place in self._places(keys):
                plane = np.array(self._read(place))
                plane[where] = block[at]
                self._write(place, plane)

    def _places(self, keys: Sequence[Any]) -> Iterator[tuple[Place, Place]]:
        """Yield the slices that keys touch: where each goes in the answer, and where it lies."""
        picked = [positions(k, n) for k, n in zip(keys[:-2], self.shape[:-2], strict=True)]
        for at in product(*(range(len(axis)) for axis in picked)):
            yield at, tuple(axis[i] for axis, i in zip(picked, at, strict=True))

    def _points(self, keys: Sequence[Any]) -> NDArray[Any]:
        spots = np.broadcast_arrays(*keys)
        found = np.empty(spots[0].shape, self.dtype)
        for place, here, rows, columns in self._groups(spots):
            found[here] = self._read(place)[rows, columns]
        return found

    def _set_points(self, keys: Sequence[Any], values: Any) -> None:
        spots = np.broadcast_arrays(*keys)
        block = np.broadcast_to(np.asarray(values), spots[0].shape)
        for place, here, rows, columns in self._groups(spots):
            plane = np.array(self._read(place))
            plane[rows, columns] = block[here]
            self._write(place, plane)

    def _groups(self, spots: Sequence[NDArray[Any]]) -> Iterator[tuple[Place, Any, Any, Any]]:
        """Yield the points of one slice at a time."""
        if not spots[0].size:
            return
        leading = [np.asarray(axis) % n for axis, n in zip(spots[:-2], self.shape, strict=False)]
        flat = np.zeros(spots[0].shape, np.int64)
        for axis, n in zip(leading, self.shape, strict=False):
            flat = flat * n + axis
        for number in np.unique(flat):
            here = flat == number
            place = tuple(int(n) for n in np.unravel_index(int(number), self.shape[:-2] or (1,)))
            yield place[: self.ndim - 2], here, spots[-2][here], spots[-1][here]

    def _read(self, place: Place) -> NDArray[Any]:
        """Return a slice, ``(y, x)``."""
        source = self._copies if place in self._copied else self._file
        return np.asarray(source[(*place, slice(None), slice(None))])

    def _write(self, place: Place, plane: NDArray[Any]) -> None:
        if self._copies is None:
            self._copies = create_labels(self.shape, self.dtype, budget=0)
        self._copies[(*place, slice(None), slice(None))] = plane
        self._copied.add(place)


def _is_pointwise(keys: Sequence[Any]) -> bool:
    """Whether all keys are arrays or numbers, of which one is an array: points, as numpy has it."""
    arrays = [not isinstance(key, slice) and np.ndim(key) > 0 for key in keys]
    return any(arrays) and not any(isinstance(key, slice) for key in keys)


def _kept(key: Any) -> Any:
    """Return a key that keeps its axis."""
    return slice(key, key + 1 or None) if is_scalar(key) else key
