"""The file of a journal: appended to, synced, and replaced as a whole."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_slicewise.editing.journal_format import Record, encode
from napari_slicewise.io.atomic_file import sync

__all__ = ["JournalFile", "write_all"]

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)


def write_all(handle: int, data: bytes) -> None:
    """Write bytes straight to the operating system."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


class JournalFile:
    """Records on the disk; used by one thread.

    Parameters
    ----------
    path
        The file; it is there after the first :meth:`replacing`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._handle: int | None = None
        self._unsynced_since: float | None = None

    @property
    def unsynced_s(self) -> float:
        """For how many seconds a record has been with the system but perhaps not on the disk."""
        return 0.0 if self._unsynced_since is None else time.monotonic() - self._unsynced_since

    def append(self, record: Record) -> None:
        """Write one record.

        Raises
        ------
        OSError
            When there is no room; the file ends with the record before.
        """
        if self._handle is None:
            self._open()
        handle = self._handle
        assert handle is not None  # noqa: S101
        data = encode(record)
        try:
            write_all(handle, data)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(handle, self.size)
                os.lseek(handle, self.size, os.SEEK_SET)
            raise
        self.size += len(data)
        if self._unsynced_since is None:
            self._unsynced_since = time.monotonic()

    def sync(self) -> None:
        """Make sure that the records are on the disk."""
        if self._handle is not None and self._unsynced_since is not None:
            os.fsync(self._handle)
            self._unsynced_since = None

    @contextmanager
    def replacing(self) -> Iterator[Callable[[Record], None]]:
        """Write a new file; it takes the old one's place when the block ends without an error.

        Raises
        ------
        OSError
            When there is no room; the old file stays.
        """
        temporary = self.path.with_suffix(".new")
        handle = os.open(temporary, _FLAGS | os.O_TRUNC, 0o600)
        size = 0

        def write(record: Record) -> None:
            nonlocal size
            data = encode(record)
            write_all(handle, data)
            size += len(data)

        try:
            try:
                yield write
                os.fsync(handle)
            finally:
                os.close(handle)
            self.close()
            temporary.replace(self.path)
            sync(self.path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        self.size = size
        self._open()

    def close(self) -> None:
        """Close the file; it stays."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        self._unsynced_since = None

    def remove(self) -> None:
        """Close the file and remove it."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _open(self) -> None:
        self._handle = os.open(self.path, _FLAGS, 0o600)
        os.lseek(self._handle, self.size, os.SEEK_SET)
