"""One writer at a time, on one machine or on several that share a disk."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from pathlib import Path

from napari_slicewise.errors import OutputError

__all__ = ["FolderLock"]


class FolderLock:
    """Held by one process; the system lets go of it when the process ends, however it ends.

    The file itself only says who holds it. That it is there means nothing: what a killed
    process left behind stops nobody.

    Parameters
    ----------
    path
        The file.
    what
        What is being written, for the message.

    Raises
    ------
    OutputError
        When another process holds it.
    """

    def __init__(self, path: Path, what: str) -> None:
        self._path = path
        self._what = what
        self._handle = self._acquire()

    @property
    def held(self) -> bool:
        """Whether the system keeps others out; false on a file system without locks."""
        return self._handle is not None

    def release(self) -> None:
        """Let go; may be called more than once."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _acquire(self) -> int | None:
        while True:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _lock(handle)
            except BlockingIOError:
                holder = _holder(handle)
                os.close(handle)
                raise OutputError(
                    f"{self._what} is being written by {holder}.",
                    "Wait for its end, stop it, or choose another output.",
                ) from None
            except OSError:
                # A file system without locks: then only its users can see to it.
                os.close(handle)
                return None
            if self._is_current(handle):
                break
            os.close(handle)  # its holder has removed it meanwhile
        said = {"process": os.getpid(), "host": socket.gethostname()}
        os.ftruncate(handle, 0)
        os.write(handle, json.dumps(said).encode())
        return handle

    def _is_current(self, handle: int) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(handle), self._path.stat())
        return False


def _holder(handle: int) -> str:
    """Say who holds a lock, as well as is known."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        said = json.loads(os.read(handle, 1000))
        return f"process {said['process']} on {said['host']}"
    return "another process"


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError from error

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
