"""What all arrays that read from files have in common."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from napari_slicewise.io.array_keys import full_key

__all__ = ["ChannelArray", "LazyArray"]


class LazyArray(NDArrayOperatorsMixin, ABC):
    """An array that reads what is asked for, at once; has ``shape``, is indexed like numpy's.

    It is what layers hold, because a plane costs no more than the read itself. Everything
    else, arithmetic and methods such as ``mean``, ``rechunk`` or ``compute``, is done by the
    dask array that it turns into, so that other plugins find what they expect of large images.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @abstractmethod
    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read a part."""

    @property
    @abstractmethod
    def chunks(self) -> tuple[int, ...]:
        """Shape of what is best read at once."""

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.size * self.dtype.itemsize

    def to_dask(self) -> Any:
        """Return a dask array that reads from this one."""
        import dask.array as da  # one second to import, and few callers need it

        return da.from_array(  # type: ignore[no-untyped-call]
            _Reading(self),
            chunks=self.chunks,
            name=f"slicewise-{uuid4().hex}",
            lock=False,
            asarray=False,
            fancy=False,
            meta=np.empty((0,) * self.ndim, self.dtype),
            inline_array=True,
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # protocols that we do not speak
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.to_dask(), name)

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Compute with the dask array."""
        lazy = (value.to_dask() if isinstance(value, LazyArray) else value for value in inputs)
        return getattr(function, method)(*lazy, **options)

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        """Read everything, several chunks at a time."""
        single = self.chunks == self.shape
        array = self[...] if single else np.asarray(self.to_dask())
        return array if dtype is None else array.astype(dtype, copy=False)


class _Reading:
    """A lazy array with nothing but what dask needs to read from it."""

    def __init__(self, array: LazyArray) -> None:
        self._array = array
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return self._array[key]


class ChannelArray(LazyArray):
    """One channel of an array that reads from a file.

    Parameters
    ----------
    array
        The array.
    axis
        Its channel axis.
    channel
        Which of the channels.
    """

    def __init__(self, array: LazyArray, axis: int, channel: int) -> None:
        self._array = array
        self._axis = axis
        self._channel = channel
        self.shape = (*array.shape[:axis], *array.shape[axis + 1 :])
        self.dtype = array.dtype

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of what is best read at once."""
        inner = self._array.chunks
        return (*inner[: self._axis], *inner[self._axis + 1 :])

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read a part.

        Raises
        ------
        ImageError
            When the file is gone, cut off or damaged.
        """
        keys = full_key(key, self.shape)
        keys.insert(self._axis, self._channel)
        return self._array[tuple(keys)]
