"""Predictions that are remembered, so that another threshold needs no network."""

from __future__ import annotations

import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Hashable
from hashlib import sha256
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

__all__ = ["ActivationCache", "digest_slice"]

_SHARE_OF_FREE_DISK = 8


def digest_slice(image: NDArray[np.float32]) -> bytes:
    """Digest the content of a prepared slice, ``(channel, y, x)``."""
    digest = sha256(str(image.shape).encode())  # in hardware, twice as fast as BLAKE2
    digest.update(np.ascontiguousarray(image).data)
    return digest.digest()


class ActivationCache:
    """Remembers activations by what went into the network, the oldest forgotten first.

    The key is the content of the prepared slice, the weights and the number format:
    an image that was edited in place, or a model file that was replaced, is predicted
    anew without anybody having to say so.

    Parameters
    ----------
    limit
        Bytes that may be kept in memory.
    disk_limit
        Bytes that may be kept on disk beyond that; never more than an eighth of what is
        free there.
    folder
        Where on disk; needed with ``disk_limit``. The file has no name, so that it goes
        with the process, however that ends.
    """

    def __init__(self, limit: int, disk_limit: int = 0, folder: Path | None = None) -> None:
        self._limit = limit
        self._bytes = 0
        self._kept: OrderedDict[Hashable, NDArray[np.float32]] = OrderedDict()
        self._disk = _DiskStore(disk_limit, folder) if folder is not None else None

    def get(self, key: Hashable) -> NDArray[np.float32] | None:
        """Return activations ``(head, y, x)``, or None where they are not known."""
        activations = self._kept.get(key)
        if activations is not None:
            self._kept.move_to_end(key)
            return activations
        return self._disk.get(key) if self._disk is not None else None

    def put(self, key: Hashable, activations: NDArray[np.float32]) -> None:
        """Remember activations, which must not be changed afterwards."""
        if key in self._kept:
            return
        if activations.nbytes > self._limit:
            self._put_on_disk(key, activations)
            return
        self._kept[key] = activations
        self._bytes += activations.nbytes
        while self._bytes > self._limit:
            known, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.nbytes
            self._put_on_disk(known, oldest)

    def close(self) -> None:
        """Forget everything, and let go of the file."""
        self._kept.clear()
        self._bytes = 0
        if self._disk is not None:
            self._disk.close()

    def _put_on_disk(self, key: Hashable, activations: NDArray[np.float32]) -> None:
        if self._disk is not None:
            self._disk.put(key, activations)


class _DiskStore:
    """Arrays of one shape in the slots of one file; another shape empties it."""

    def __init__(self, limit: int, folder: Path) -> None:
        self._limit = limit
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._shape: tuple[int, ...] = ()
        self._slots = 0
        self._places: OrderedDict[Hashable, int] = OrderedDict()

    def get(self, key: Hashable) -> NDArray[np.float32] | None:
        place = self._places.get(key)
        if place is None or self._file is None:
            return None
        values = np.empty(self._shape, np.float32)
        try:
            self._file.seek(place * values.nbytes)
            whole = self._file.readinto(values.data.cast("B")) == values.nbytes  # type: ignore[attr-defined]
        except OSError:
            whole = False
        if not whole:
            del self._places[key]
            return None
        return values

    def put(self, key: Hashable, values: NDArray[np.float32]) -> None:
        """Keep an array in place of the oldest; a disk that is full keeps what it has."""
        if key in self._places:
            return
        try:
            if values.shape != self._shape or self._file is None:
                self._begin(values)
            if not self._slots or self._file is None:
                return
            if len(self._places) < self._slots:
                place = len(self._places)
            else:
                _, place = self._places.popitem(last=False)
            self._file.seek(place * values.nbytes)
            if self._file.write(np.ascontiguousarray(values).data.cast("B")) == values.nbytes:
                self._places[key] = place
        except OSError:
            self._slots = 0
            self._places.clear()

    def close(self) -> None:
        """Close the file, which removes it."""
        self._places.clear()
        self._slots = 0
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self, values: NDArray[np.float32]) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115
        self._places.clear()
        self._file.truncate(0)
        free = shutil.disk_usage(self._folder).free // _SHARE_OF_FREE_DISK
        self._shape = values.shape
        self._slots = min(self._limit, free) // max(values.nbytes, 1)
