"""One level of an OME-Zarr image as a lazy array with the axes in the order that we want."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import ImageError
from napari_slicewise.io.array_keys import dropped, full_key, positions, span
from napari_slicewise.io.file_stamp import FileStamp, changed
from napari_slicewise.io.lazy_array import LazyArray
from napari_slicewise.io.tiff_damage import explain_damage, short_name

__all__ = ["ZarrLevel", "open_level"]


def open_level(folder: str, order: Sequence[int]) -> ZarrLevel:
    """Open the array in a folder; see :class:`ZarrLevel`.

    Raises
    ------
    ImageError
        When there is no readable zarr array.
    """
    import zarr  # half a second to import, and only these images need it

    with explain_damage(Path(folder), "open the zarr array"):
        return ZarrLevel(zarr.open_array(folder, mode="r"), folder, tuple(order))


class ZarrLevel(LazyArray):
    """A zarr array, read-only, that is indexed like a numpy array.

    Parameters
    ----------
    array
        The zarr array.
    folder
        Where it lies, for messages and for other processes.
    order
        Which stored axis each axis is.
    """

    def __init__(self, array: Any, folder: str, order: tuple[int, ...]) -> None:
        self._array = array
        self._folder = folder
        self._order = order
        self.dtype = np.dtype(array.dtype).newbyteorder("=")
        self.shape = tuple(int(array.shape[axis]) for axis in order)
        stored = array.shards or array.chunks  # a shard is one file
        self._chunks = tuple(int(stored[axis]) for axis in order)
        name = "zarr.json" if array.metadata.zarr_format == 3 else ".zarray"
        self._stamp = FileStamp(str(Path(folder) / name))

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a chunk, or of the shard that holds several."""
        return self._chunks

    @property
    def compression(self) -> str:
        """Names of the compressors, for people."""
        codecs = [type(codec).__name__ for codec in self._array.compressors]
        return ", ".join(name.removesuffix("Codec").lower() for name in codecs) or "none"

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to other processes as the name of the folder."""
        return open_level, (self._folder, self._order)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read a part; ``key`` holds whole numbers, slices and index arrays, each for its axis.

        Raises
        ------
        ImageError
            When the folder is gone or a chunk is damaged.
        """
        self._check()
        keys = full_key(key, self.shape)
        picks = [positions(k, size) for k, size in zip(keys, self.shape, strict=True)]
        spans = [span(pick) for pick in picks]
        stored = [slice(0)] * self.ndim
        for axis, part in zip(self._order, spans, strict=True):
            stored[axis] = part
        with explain_damage(Path(self._folder), "read the zarr array"):
            block = np.asarray(self._array[tuple(stored)])
        block = block.transpose(self._order).astype(self.dtype, copy=False)
        for axis, (pick, part) in enumerate(zip(picks, spans, strict=True)):
            if pick != range(part.start, part.stop):
                block = block.take([position - part.start for position in pick], axis)
        return np.asarray(block[dropped(keys)])

    def _check(self) -> None:
        """Look whether the array is still there: to zarr a chunk that is gone is a chunk of zeros.

        Raises
        ------
        ImageError
            When the folder is gone, or holds another array.
        """
        if self._stamp.still_holds():
            return
        if self._stamp.is_gone():
            raise ImageError(f"{short_name(self._folder)} is gone.", "Was it moved or deleted?")
        fresh = open_level(self._folder, self._order)
        if (fresh.shape, fresh.dtype) != (self.shape, self.dtype):
            raise changed(self._folder)
        self._array, self._chunks, self._stamp = fresh._array, fresh._chunks, fresh._stamp
