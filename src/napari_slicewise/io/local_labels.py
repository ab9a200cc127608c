"""Labels that are numbered slice by slice, on disk until the objects of the stack are known."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LocalLabels"]

_CHUNK_SIDE = 1024


class LocalLabels:
    """A work array on a disk that several processes share; each slice has chunks of its own.

    Parameters
    ----------
    folder
        Where it is, or will be.
    shape
        Shape of the stack, rows and columns last; None opens one that is there.
    """

    def __init__(self, folder: Path, shape: Sequence[int] | None = None) -> None:
        import zarr  # half a second to import

        if shape is None:
            self._array: Any = zarr.open_array(str(folder), mode="r+")
        else:
            chunks = (*(1 for _ in shape[:-2]), *(min(n, _CHUNK_SIDE) for n in shape[-2:]))
            self._array = zarr.create_array(
                str(folder),
                shape=tuple(shape),
                chunks=chunks,
                dtype="uint32",
                fill_value=0,
                overwrite=True,  # what a damaged one left
            )

    @classmethod
    def find(cls, folder: Path) -> LocalLabels | None:
        """Open the array that an earlier run has made, None where it is gone or damaged."""
        try:
            return cls(folder)
        except (OSError, ValueError, LookupError):  # what zarr makes of missing or torn metadata
            return None

    def write(self, index: tuple[int, ...], labels: NDArray[Any]) -> int:
        """Write a slice, ``(y, x)`` with objects 1..n; returns a checksum."""
        block = np.ascontiguousarray(labels, np.uint32)
        self._array[(*index, slice(None), slice(None))] = block
        return zlib.crc32(block.data)

    def read(self, index: tuple[int, ...]) -> NDArray[np.uint32]:
        """Read a slice."""
        return np.asarray(self._array[(*index, slice(None), slice(None))])

    def holds(self, index: tuple[int, ...], checksum: int) -> bool:
        """Whether a slice comes back as it was written."""
        try:
            return zlib.crc32(np.ascontiguousarray(self.read(index)).data) == checksum
        except (OSError, ValueError, RuntimeError):  # what codecs make of a torn chunk
            return False
