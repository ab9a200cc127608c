"""Many slices in little memory: compressed, and on the disk when there are very many."""

from __future__ import annotations

import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.io.source import SliceIndex

__all__ = ["CompactSlices", "pack", "unpack"]

_IN_MEMORY = 256 << 20
_UNPACKED = 4  # slices kept ready, for a human who works on one slice


def pack(values: NDArray[Any]) -> bytes:
    """Compress an array of whole numbers or booleans; its shape and type are not kept."""
    from numcodecs.blosc import SHUFFLE, Blosc

    if values.dtype.kind == "b":
        values = np.packbits(values)
    if not values.size:
        return b""
    codec = Blosc(cname="zstd", clevel=1, shuffle=SHUFFLE)
    return bytes(codec.encode(np.ascontiguousarray(values).ravel()))


def unpack(data: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return what :func:`pack` compressed."""
    from numcodecs.blosc import Blosc

    raw = Blosc().decode(data) if data else b""
    if dtype.kind == "b":
        count = int(np.prod(shape, dtype=np.int64))
        bits: NDArray[Any] = np.unpackbits(np.frombuffer(raw, np.uint8), count=count)
        return bits.view(bool).reshape(shape)
    return np.frombuffer(raw, dtype).reshape(shape).copy()


class CompactSlices:
    """Slices by their index; what was never put is zeros.

    The few used last are kept as they are and compressed when others take their place:
    a stroke of the brush must not wait for a compressor.

    Parameters
    ----------
    shape
        ``(y, x)``.
    dtype
        Whole numbers or booleans.
    in_memory
        Compressed bytes from which on they lie in a temporary file without a name.
    """

    def __init__(
        self, shape: tuple[int, int], dtype: Any = np.uint32, in_memory: int = _IN_MEMORY
    ) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self._file = tempfile.SpooledTemporaryFile(in_memory)  # noqa: SIM115
        self._finalizer = weakref.finalize(self, self._file.close)
        self._places: dict[SliceIndex, tuple[int, int]] = {}
        self._end = 0
        self._lock = threading.RLock()  # a journal reads while the human goes on
        self._ready: OrderedDict[SliceIndex, NDArray[Any]] = OrderedDict()
        self._unpacked: set[SliceIndex] = set()  # of the ready ones, those not in the file

    def __contains__(self, index: SliceIndex) -> bool:
        return index in self._places or index in self._unpacked

    def __iter__(self) -> Iterator[SliceIndex]:
        with self._lock:
            return iter(sorted(self._unpacked.union(self._places)))

    def __len__(self) -> int:
        return len(self._unpacked.union(self._places))

    @property
    def nbytes(self) -> int:
        """Bytes that the compressed slices take; those kept ready do not count."""
        return sum(length for _, length in self._places.values())

    def get(self, index: SliceIndex) -> NDArray[Any]:
        """Return one slice, ``(y, x)``, which must not be changed."""
        with self._lock:
            if index not in self:
                return np.zeros(self.shape, self.dtype)
            if index not in self._ready:
                offset, length = self._places[index]
                self._file.seek(offset)
                self._keep_ready(index, unpack(self._file.read(length), self.dtype, self.shape))
            self._ready.move_to_end(index)
            return self._ready[index]

    def put(self, index: SliceIndex, values: NDArray[Any]) -> None:
        """Keep one slice, ``(y, x)``."""
        own = np.array(values, self.dtype)
        with self._lock:
            self._unpacked.add(index)
            self._keep_ready(index, own)

    def discard(self, index: SliceIndex) -> None:
        """Make a slice zeros again."""
        with self._lock:
            self._places.pop(index, None)
            self._ready.pop(index, None)
            self._unpacked.discard(index)

    def close(self) -> None:
        """Forget everything."""
        self._places.clear()
        self._ready.clear()
        self._unpacked.clear()
        self._finalizer()

    def _keep_ready(self, index: SliceIndex, values: NDArray[Any]) -> None:
        values.flags.writeable = False
        self._ready[index] = values
        self._ready.move_to_end(index)
        while len(self._ready) > _UNPACKED:
            oldest, values = self._ready.popitem(last=False)
            if oldest in self._unpacked:
                self._store(oldest, values)

    def _store(self, index: SliceIndex, values: NDArray[Any]) -> None:
        data = pack(values)
        self._file.seek(self._end)
        self._file.write(data)
        self._places[index] = (self._end, len(data))
        self._end += len(data)
        self._unpacked.discard(index)
        if self._end > 2 * self.nbytes + (1 << 20):
            self._close_gaps()

    def _close_gaps(self) -> None:
        """Move the slices together over those that were replaced."""
        end = 0
        for index, (offset, length) in sorted(self._places.items(), key=lambda item: item[1]):
            self._file.seek(offset)
            data = self._file.read(length)
            self._file.seek(end)
            self._file.write(data)
            self._places[index] = (end, length)
            end += length
        self._file.seek(end)
        self._file.truncate()
        self._end = end
