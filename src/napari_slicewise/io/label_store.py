"""Where labels live while they are worked on: memory when they fit, zarr on disk when not."""

from __future__ import annotations

import contextlib
import math
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from napari_slicewise.errors import OutputError
from napari_slicewise.io.folder_lock import FolderLock
from napari_slicewise.io.room import available_memory, scratch_place

__all__ = ["create_labels", "memory_budget", "sweep_stale_labels"]

_LARGEST = 512 << 20
_SHARE = 8
_PREFIX = "slicewise-labels-"
_LOCK = "slicewise.lock"


def memory_budget() -> int:
    """Return the bytes that one labels array may take: 512 MiB, or an eighth of what is free.

    Not more, because each run adds a layer, and because the memory that a session needs
    must not grow with the depth of the stack.
    """
    return min(_LARGEST, available_memory() // _SHARE)


def create_labels(
    shape: Sequence[int],
    dtype: DTypeLike = np.uint32,
    budget: int | None = None,
    chunks: Sequence[int] | None = None,
) -> Any:
    """Create empty labels that napari can paint on.

    Parameters
    ----------
    shape
        Shape; the last two axes are rows and columns.
    dtype
        Unsigned whole numbers.
    budget
        Bytes above which the labels go to disk; None for :func:`memory_budget`.
    chunks
        In which pieces they are stored there; None for one slice a chunk.

    Returns
    -------
    A numpy array, or a zarr array in a temporary folder, which is
    removed when the array is gone or the program ends.

    Raises
    ------
    OutputError
        When there is no room on disk.
    """
    sizes = tuple(int(n) for n in shape)
    kind = np.dtype(dtype)
    limit = memory_budget() if budget is None else budget
    if math.prod(sizes) * kind.itemsize <= limit:
        return np.zeros(sizes, kind)
    pieces = tuple(chunks or (*((1,) * (len(sizes) - 2)), *sizes[-2:]))
    return _labels_on_disk(sizes, kind, pieces)


def _labels_on_disk(shape: tuple[int, ...], dtype: np.dtype[Any], chunks: tuple[int, ...]) -> Any:
    """Create a zarr array; empty chunks take no room, so only what is painted is stored."""
    import zarr  # half a second to import, and only large labels need it

    place, folder = scratch_place(), ""
    try:
        sweep_stale_labels(place)
        folder = tempfile.mkdtemp(prefix=_PREFIX, dir=place)
        lock = FolderLock(Path(folder) / _LOCK, "labels")
        array = zarr.create_array(
            store=folder,
            name="labels",
            shape=shape,
            chunks=chunks,
            dtype=dtype,
            fill_value=0,
        )
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise OutputError(
            f"There is no room for labels of shape {shape} in {place}: {error}.",
            "Free some space there, or set TMPDIR to a larger disk.",
        ) from error
    weakref.finalize(array, _remove, folder, lock)
    return array


def sweep_stale_labels(place: Path) -> None:
    """Remove the labels of programs that were killed; who lives holds a lock on its own.

    A folder without a lock file may be about to get one, and stays.
    """
    for folder in place.glob(f"{_PREFIX}*"):
        # In use, somebody else's, or removed by another process meanwhile.
        with contextlib.suppress(OutputError, OSError):
            if (folder / _LOCK).is_file():
                lock = FolderLock(folder / _LOCK, "labels")
                if lock.held:
                    _remove(str(folder), lock)


def _remove(folder: str, lock: FolderLock) -> None:
    lock.release()  # Windows removes no file that is open
    shutil.rmtree(folder, ignore_errors=True)
