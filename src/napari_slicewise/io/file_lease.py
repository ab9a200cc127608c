"""Files that are open only while somebody reads them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["FileLease"]


class FileLease:
    """Opens files for the time of a read, and closes them when the last reader leaves.

    A lazy array lives as long as a layer does, so it must not hold a file open:
    Windows could not delete the file, and a thousand images would use up the
    handles of the process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers: dict[int, int] = {}
        self._ours: set[int] = set()  # opened here, so closed here

    @contextmanager
    def reading(self, handle: Any) -> Iterator[Any]:
        """Hold a tifffile ``FileHandle`` open."""
        key = id(handle)
        with self._lock:
            readers = self._readers.get(key, 0)
            if not readers:
                if handle.closed:
                    handle.open()
                    self._ours.add(key)
                handle.set_lock(True)
            self._readers[key] = readers + 1
        try:
            yield handle
        finally:
            with self._lock:
                self._readers[key] -= 1
                if not self._readers[key]:
                    del self._readers[key]
                    if key in self._ours:
                        self._ours.remove(key)
                        handle.close()
