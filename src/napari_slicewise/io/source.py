"""Images as a stack of slices: one way to read a slice from any array.

A *slice* is a plane of two axes; the axes that are neither in the plane nor the
channel axis are the *leading* axes, and ``index`` is a position on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import ImageError

__all__ = ["ArraySource", "SliceIndex", "SliceSource"]

SliceIndex = tuple[int, ...]
"""A position on the leading axes; ``()`` for a single 2D image."""


class SliceSource(Protocol):
    """What inference needs to know of an image, and nothing more."""

    @property
    def leading_shape(self) -> tuple[int, ...]:
        """Sizes of the leading axes, e.g. ``(t, z)``; ``()`` for one 2D image."""

    @property
    def slice_shape(self) -> tuple[int, int]:
        """Rows and columns of a slice, in pixels."""

    @property
    def channels(self) -> int:
        """Channels that :meth:`read_slice` returns."""

    @property
    def rgb(self) -> bool:
        """Whether the channels are the colours of one picture."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels that :meth:`read_slice` returns."""

    @property
    def pixel_um(self) -> tuple[float, float] | None:
        """Size of a pixel in um, ``(y, x)``; None where it is not known."""

    def read_slice(self, index: SliceIndex) -> NDArray[Any]:
        """Read one slice as ``(channel, y, x)`` in the image's own dtype."""


@dataclass(frozen=True, eq=False)
class ArraySource:
    """Slices of anything that is indexed like a numpy array.

    Two sources are equal when they read the same arrays, the very same objects, in the
    same way; the pixel size, which others may know better, makes no difference.

    Parameters
    ----------
    data
        numpy, memmap, dask or zarr array; of a pyramid, its level 0.
    plane
        Positions in ``data.shape`` of a slice's rows and columns.
    channel_axis
        Position of the channel axis; ``None`` where there is none. A stack of 3
        or 4 slices is never taken for channels: only the caller says so.
    channel
        The one channel to read; ``None`` reads all of them.
    rgb
        Whether the channel axis holds the colours of one picture. An alpha
        channel, the fourth colour, is left out.
    pixel_um
        Size of a pixel in um, ``(y, x)``; None where it is not known.
    parts
        Sources that are read instead, their channels one after another; each has the
        slices of this one.

    Raises
    ------
    ImageError
        When the axes do not fit the array.
    """

    data: Any
    plane: tuple[int, int] = (-2, -1)
    channel_axis: int | None = None
    channel: int | None = None
    rgb: bool = False
    pixel_um: tuple[float, float] | None = None  # (y, x)
    parts: tuple[ArraySource, ...] = ()

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.data.shape)
        ndim = len(shape)
        used = [*self.plane] + ([] if self.channel_axis is None else [self.channel_axis])
        if ndim < 2:
            raise ImageError(
                f"The image has {ndim} axis, a slice needs two (shape {shape}).",
                "Choose an image with rows and columns.",
            )
        if any(not -ndim <= axis < ndim for axis in used):
            raise ImageError(f"Axes {used} do not exist in an image of shape {shape}.")
        used = [axis % ndim for axis in used]
        if len(set(used)) != len(used):
            raise ImageError(f"Rows, columns and channels need axes of their own, got {used}.")
        if np.dtype(self.data.dtype).kind not in "buif":
            raise ImageError(
                f"The image holds numbers of type {self.data.dtype}.",
                "Choose an image of whole or real numbers.",
            )
        if 0 in shape:
            raise ImageError(f"The image is empty (shape {shape}).", "Choose another image.")
        object.__setattr__(self, "plane", (used[0], used[1]))
        if self.channel_axis is not None:
            object.__setattr__(self, "channel_axis", used[2])
            if self.channel is not None and not 0 <= self.channel < shape[used[2]]:
                raise ImageError(
                    f"There is no channel {self.channel}: the image has {shape[used[2]]}.",
                    f"Choose a channel from 0 to {shape[used[2]] - 1}.",
                )
        if any(part.stack_shape != self.stack_shape for part in self.parts):
            raise ImageError(
                "The channels are of images that differ in shape.", "Choose images of one shape."
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArraySource) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity)

    @property
    def identity(self) -> tuple[Any, ...]:
        """What is read, and how: equal for equal sources."""
        own = (id(self.data), self.plane, self.channel_axis, self.channel, self.rgb)
        return (*own, *(part.identity for part in self.parts))

    @property
    def leading_axes(self) -> tuple[int, ...]:
        """Positions in ``data.shape`` of the axes that a slice index counts along."""
        used = {*self.plane, self.channel_axis}
        return tuple(axis for axis in range(len(self.data.shape)) if axis not in used)

    @property
    def leading_shape(self) -> tuple[int, ...]:
        """Sizes of the leading axes."""
        return tuple(int(self.data.shape[axis]) for axis in self.leading_axes)

    @property
    def slice_shape(self) -> tuple[int, int]:
        """Rows and columns of a slice, in pixels."""
        rows, columns = self.plane
        return int(self.data.shape[rows]), int(self.data.shape[columns])

    @property
    def stack_shape(self) -> tuple[int, ...]:
        """Sizes of all axes but that of the channels, rows and columns last."""
        return (*self.leading_shape, *self.slice_shape)

    @property
    def channels(self) -> int:
        """Channels that :meth:`read_slice` returns."""
        if self.parts:
            return sum(part.channels for part in self.parts)
        if self.channel_axis is None or self.channel is not None:
            return 1
        size = int(self.data.shape[self.channel_axis])
        return min(size, 3) if self.rgb else size

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a pixel."""
        if self.parts:
            return np.result_type(*(part.dtype for part in self.parts))
        dtype: np.dtype[Any] = np.dtype(self.data.dtype)
        return dtype

    def indices(self) -> Iterator[SliceIndex]:
        """Every slice index, the last leading axis running fastest."""
        return product(*(range(size) for size in self.leading_shape))

    def read_slice(self, index: SliceIndex) -> NDArray[Any]:
        """Read one slice as ``(channel, y, x)``.

        Raises
        ------
        ImageError
            When the data cannot be read (a vanished file, a broken page).
        """
        if self.parts:
            return np.concatenate([part.read_slice(index) for part in self.parts])
        where, kept = self._locate(index)
        try:
            array = np.asarray(_computed(self.data[where]))
        except (OSError, ValueError, IndexError, KeyError) as error:
            raise ImageError(
                f"Slice {index} of the image could not be read: {error}",
                "Is the file still there, and complete?",
            ) from error
        # What is left are the kept axes in the array's order; bring them to (c, y, x).
        order = [sorted(kept).index(axis) for axis in kept]
        array = array.transpose(order)
        return array if array.ndim == 3 else array[np.newaxis]

    def write_slice(self, index: SliceIndex, values: NDArray[Any]) -> None:
        """Write one slice, ``(y, x)``, in place; the source must have a single channel.

        Raises
        ------
        ImageError
            When the source has several channels.
        """
        where, kept = self._locate(index)
        if len(kept) != 2:
            raise ImageError("Only a slice of a single channel can be written.")
        rows, columns = kept
        self.data[where] = values if rows < columns else values.T

    def _locate(self, index: SliceIndex) -> tuple[tuple[int | slice, ...], list[int]]:
        """Return where the slice lies, and the axes kept, in the order (c, y, x)."""
        where: list[int | slice] = [slice(None)] * len(self.data.shape)
        for axis, position in zip(self.leading_axes, index, strict=True):
            where[axis] = position
        kept = list(self.plane)
        if self.channel_axis is not None:
            if self.channel is not None:
                where[self.channel_axis] = self.channel
            else:
                where[self.channel_axis] = slice(0, self.channels)
                kept.insert(0, self.channel_axis)
        return tuple(where), kept


def _computed(part: Any) -> Any:
    """Compute what is lazy in dask's way, without the callbacks registered in this process.

    napari's cache is one: while it draws in one thread, it would keep the slices that
    another thread reads, and the two would take the registered callbacks from each other.
    """
    if callable(getattr(part, "__dask_graph__", None)) and hasattr(part, "compute"):
        return part.compute(callbacks=())
    return part
