"""Arrays from process to process, through one block of shared memory. No torch here.

The desktop owns the block: it makes it when a run begins and lets go of it when the run
is over. The worker takes the block's name away as soon as it has opened it: from then on
the memory goes with the two processes, however these end. Before that, should the
desktop die, Python's resource tracker removes it.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ArrayNote", "SharedSlots"]


@dataclass(frozen=True, eq=False)
class ArrayNote:
    """Where an array lies: in a slot of the shared memory, or in this very message."""

    slot: int
    shape: tuple[int, ...]
    dtype: str
    array: NDArray[Any] | None = None


class SharedSlots:
    """A block of shared memory in slots of one size.

    Without a block (where the system has no room for one) arrays travel inside the
    messages: slower, and the same result.

    Parameters
    ----------
    memory
        The block, or None.
    slot_bytes
        Size of a slot.
    owned
        Whether this side made the block and removes it.
    """

    def __init__(self, memory: SharedMemory | None, slot_bytes: int, *, owned: bool) -> None:
        self._memory = memory
        self._slot_bytes = slot_bytes
        self._owned = owned
        self._closed = False
        self._lock = threading.Lock()

    @property
    def name(self) -> str | None:
        """The block's name, for the other side; None without a block."""
        return self._memory.name if self._memory is not None else None

    @classmethod
    def create(cls, slots: int, slot_bytes: int) -> SharedSlots:
        """Make a block, or go without where there is no room for it."""
        size = slots * slot_bytes
        try:
            memory = SharedMemory(create=True, size=size) if _has_room(size) else None
        except OSError:
            memory = None
        return cls(memory, slot_bytes, owned=True)

    @classmethod
    def attach(cls, name: str | None, slot_bytes: int) -> SharedSlots:
        """Open the block that the other process made."""
        if name is None:
            return cls(None, slot_bytes, owned=False)
        with _untracked():
            return cls(SharedMemory(name=name), slot_bytes, owned=False)

    def remove_name(self) -> None:
        """Take the block's name away; who has it open keeps it. Windows has no such names."""
        with self._lock:
            if self._memory is not None:
                with _untracked(), suppress(FileNotFoundError):
                    self._memory.unlink()

    def put(self, slot: int, array: NDArray[Any]) -> ArrayNote:
        """Copy an array into a slot.

        Raises
        ------
        ValueError
            When the array is larger than a slot, or the block was closed.
        """
        with self._lock:
            if self._memory is None and not self._closed:
                return ArrayNote(slot, array.shape, array.dtype.str, np.ascontiguousarray(array))
            np.copyto(self._view(slot, array.shape, array.dtype), array)
        return ArrayNote(slot, array.shape, array.dtype.str)

    def take(self, note: ArrayNote) -> NDArray[Any]:
        """Copy an array out of its slot; raises ValueError when the block was closed."""
        if note.array is not None:
            return note.array
        with self._lock:
            return self._view(note.slot, note.shape, np.dtype(note.dtype)).copy()

    def close(self) -> None:
        """Let go of the block; the owner removes it. May be called twice."""
        with self._lock:
            self._closed = True
            if self._memory is None:
                return
            self._memory.close()
            if self._owned:
                _unlink(self._memory)
            self._memory = None

    def _view(self, slot: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        if self._memory is None:
            raise ValueError("The shared memory was closed.")
        size = int(np.prod(shape)) * dtype.itemsize
        if size > self._slot_bytes:
            raise ValueError(f"{size} bytes do not fit a slot of {self._slot_bytes}.")
        return np.ndarray(shape, dtype, self._memory.buf, offset=slot * self._slot_bytes)


def _unlink(memory: SharedMemory) -> None:
    """Remove the name, if the other process has not, and have Python forget that it was ours."""
    try:
        memory.unlink()
    except FileNotFoundError:
        resource_tracker.unregister(f"/{memory.name}", "shared_memory")


def _has_room(size: int) -> bool:
    """Say whether a block fits; a container's /dev/shm is often 64 MB, and overrunning it kills."""
    home = Path("/dev/shm")  # noqa: S108 - where Linux keeps shared memory
    return not home.is_dir() or shutil.disk_usage(home).free > 2 * size


@contextmanager
def _untracked() -> Iterator[None]:
    """Keep this process's resource tracker from adopting memory that the desktop owns.

    Before Python 3.13 has ``track=False``, attaching registers the block, and the
    attaching process's end would remove it (python/cpython#82300).
    """
    register, unregister = resource_tracker.register, resource_tracker.unregister
    resource_tracker.register = resource_tracker.unregister = _ignore
    try:
        yield
    finally:
        resource_tracker.register, resource_tracker.unregister = register, unregister


def _ignore(name: Any, rtype: str) -> None:
    """Do nothing."""
