"""Slices on their way to a file: compressed, in any order, on disk when there are many."""

from __future__ import annotations

import math
import tempfile
import zlib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SliceSpool"]

_IN_MEMORY = 64 << 20


class SliceSpool:
    """Keeps slices until all are known, so that the file's dtype can be chosen by its values.

    Parameters
    ----------
    shape
        Shape of the whole array.
    slice_axes
        How many of the last axes make up a slice: 2, or 3 with colours.
    folder
        Where the spool lies when it outgrows the memory: the output's own folder, which needs
        as much room anyway. It has no name there and vanishes with the program.
    """

    def __init__(self, shape: tuple[int, ...], slice_axes: int, folder: Path) -> None:
        self.leading_shape = shape[: len(shape) - slice_axes]
        self.slice_shape = shape[len(shape) - slice_axes :]
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(folder))  # noqa: SIM115
        self._places: dict[tuple[int, ...], tuple[int, int, np.dtype[Any]]] = {}
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
            self.lowest = min(self.lowest, float(values.min()))
            self.highest = max(self.highest, float(values.max()))
        data = zlib.compress(np.ascontiguousarray(values).data, 1)
        offset = self._file.seek(0, 2)
        self._file.write(data)
        self._places[index] = (offset, len(data), values.dtype)

    def slices(self, dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
        """Yield all slices in order; those that never came are zeros."""
        for index in product(*(range(n) for n in self.leading_shape)):
            yield self.read(index, dtype)

    def read(self, index: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return one slice."""
        place = self._places.get(index)
        if place is None:
            return np.zeros(self.slice_shape, dtype)
        offset, length, stored = place
        self._file.seek(offset)
        data = zlib.decompress(self._file.read(length))
        return np.frombuffer(data, stored).reshape(self.slice_shape).astype(dtype)

    @property
    def missing(self) -> int:
        """How many slices never came."""
        return math.prod(self.leading_shape) - len(self._places)

    @property
    def stored_dtypes(self) -> set[np.dtype[Any]]:
        """The dtypes that came."""
        return {place[2] for place in self._places.values()}

    def close(self) -> None:
        """Forget everything."""
        self._file.close()
