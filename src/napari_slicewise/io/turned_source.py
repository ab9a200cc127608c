"""A volume seen along another axis: its slices are those of the other planes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.io.cube_store import CubeStore
from napari_slicewise.io.source import SliceIndex, SliceSource

__all__ = ["TurnedSource", "store_volume"]

_AXES = {"z": 0, "y": 1, "x": 2}


@dataclass(frozen=True, eq=False)
class TurnedSource:
    """The slices of a volume along y or x: planes of z and x, or of z and y.

    Parameters
    ----------
    cubes
        The volume, ``(channel, z, y, x)``.
    along
        ``y`` or ``x``.
    rgb
        Whether the channels are the colours of one picture.
    pixel_um
        Size of a pixel of the slices in um; None where it is not known.
    rows
        To how many rows the slices of a volume are brought whose steps along z are larger,
        or smaller, than its pixels.
    resample
        Brings planes ``(channel, ., .)`` to another number of rows and columns.
    """

    cubes: CubeStore
    along: str
    rgb: bool
    pixel_um: tuple[float, float] | None
    rows: int
    resample: Callable[[NDArray[np.float32], tuple[int, int]], NDArray[np.float32]]

    @property
    def leading_shape(self) -> tuple[int, ...]:
        """How many slices there are along the axis."""
        return (self.cubes.shape[1 + _AXES[self.along]],)

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Rows (along z) and columns of a slice as the volume has it."""
        _, depth, height, width = self.cubes.shape
        return depth, width if self.along == "y" else height

    @property
    def slice_shape(self) -> tuple[int, int]:
        """Rows and columns of a slice, in pixels that are as long as wide."""
        return self.rows, self.plane_shape[1]

    @property
    def channels(self) -> int:
        """Channels of the volume."""
        return self.cubes.shape[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        return self.cubes.dtype

    def read_slice(self, index: SliceIndex) -> NDArray[Any]:
        """Read one slice as ``(channel, row, column)``."""
        plane = self.cubes.read(_AXES[self.along], index[0])
        if self.rows == plane.shape[1]:
            return plane
        smooth = self.resample(plane.astype(np.float32), self.slice_shape)
        if self.dtype.kind == "b":
            return smooth >= 0.5
        if self.dtype.kind in "ui":
            limits = np.iinfo(self.dtype)
            smooth = np.rint(smooth).clip(limits.min, limits.max)
        return smooth.astype(self.dtype)

    def add(self, sums: CubeStore, index: SliceIndex, planes: NDArray[np.float32]) -> None:
        """Add planes ``(channel, row, column)`` of such a slice to a volume of the same shape."""
        if planes.shape[1] != self.plane_shape[0]:
            planes = self.resample(planes, self.plane_shape)
        sums.add(_AXES[self.along], index[0], planes)


def store_volume(source: SliceSource, outer: SliceIndex) -> CubeStore:
    """Copy a stack into cubes, reading each slice once.

    Parameters
    ----------
    source
        The image.
    outer
        Which stack: the position on all leading axes but the last.

    Raises
    ------
    ImageError
        When a slice cannot be read.
    OutputError
        When there is no room on disk.
    """
    depth = source.leading_shape[-1]
    cubes = CubeStore((source.channels, depth, *source.slice_shape), source.dtype)
    for position in range(depth):
        cubes.write(0, position, source.read_slice((*outer, position)))
    cubes.flush()
    return cubes
