"""What a file says about an image, in a few frozen nouns."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_slicewise.errors import ImageError
from napari_slicewise.io.class_table import Color
from napari_slicewise.io.units import clean_unit, step_of

__all__ = ["PIXEL", "Axis", "Channel", "ImageInfo", "ImageWarning", "SeriesEntry"]

PIXEL = "pixel"
"""The unit of an axis whose physical size the file does not tell."""


class ImageWarning(UserWarning):
    """A file that could be opened, but is not all that it promises to be."""


@dataclass(frozen=True)
class Axis:
    """One axis of an image; the channel axis is none of these.

    Parameters
    ----------
    name
        ``t``, ``z``, ``y``, ``x``, or another letter in lower case.
    size
        Number of slices, rows or columns.
    step
        Distance from one to the next, in ``unit``.
    unit
        A unit of length or time in any usual spelling (``um``, ``micron``, ``s``); kept as
        napari spells it. ``pixel`` where the file tells none.

    Raises
    ------
    ImageError
        When the unit is not known, or the step is not above 0.
    """

    name: str
    size: int
    step: float = 1.0
    unit: str = PIXEL

    def __post_init__(self) -> None:
        unit = PIXEL if self.unit in (PIXEL, "") else clean_unit(self.unit)
        if unit is None:
            raise ImageError(
                f"The unit {self.unit!r} of axis {self.name!r} is not known.",
                "Use a unit such as um, nm, mm, s or pixel.",
            )
        if step_of(float(self.step)) is None:
            raise ImageError(f"The step of axis {self.name!r} must be above 0: {self.step!r}.")
        object.__setattr__(self, "unit", unit)

    @property
    def calibrated(self) -> bool:
        """Whether the file tells the step."""
        return self.unit != PIXEL


@dataclass(frozen=True)
class Channel:
    """One channel.

    Parameters
    ----------
    name
        As the microscope calls it; empty where the file does not tell.
    color
        Colour of the brightest value, red, green and blue in 0..255.
    limits
        Values shown as black and as the full colour.
    lookup
        A whole lookup table, ``(value, rgb)`` in 0..255, where one colour does not say it.
    """

    name: str = ""
    color: tuple[int, int, int] | None = None
    limits: tuple[float, float] | None = None
    lookup: tuple[tuple[int, int, int], ...] | None = None


@dataclass(frozen=True)
class SeriesEntry:
    """One line in the list of a file's images.

    Parameters
    ----------
    series
        Its number, for ``series=``.
    name
        As the file calls it; may be empty.
    axes
        Names of the axes in the order of the array, a letter each; may be empty where only
        opening the image would tell.
    shape
        Their sizes.
    is_scene
        False for thumbnails, slide labels and masks, which are opened on request only.
    """

    series: int
    name: str
    axes: str = ""
    shape: tuple[int, ...] = ()
    is_scene: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Return the entry in plain values."""
        return {
            "series": self.series,
            "name": self.name,
            "axes": self.axes,
            "shape": list(self.shape),
            "scene": self.is_scene,
        }


@dataclass(frozen=True)
class ImageInfo:
    """One image of a file: everything that is known without reading its pixels.

    Parameters
    ----------
    path
        The file.
    axes
        The axes that are not channels, in the order of the array.
    dtype
        Name of the numpy dtype.
    channels
        One for each position on the channel axis; a single one where there is none.
    channel_axis
        Position of the channel axis in the array; None where there is none.
    rgb
        Whether the channel axis, then the last, holds the colours of one picture.
    series, series_count, series_name
        Which image of the file this is.
    level_shapes
        Array shapes of the pyramid, the full size first.
    is_labels
        Whether the values are object numbers.
    compression, tiled, flavour
        How the file stores it, for ``slicewise info``.
    metadata
        The file's own metadata, plain values only.
    warnings
        What is wrong or contradictory, a sentence each.
    listing
        All images of the file, those that are no scenes too.
    position
        Where the stage stood: axis, position and unit of each axis that is known.
    objects
        Of labels: columns of a table of objects, ``index`` their numbers.
    label_colors
        Of labels: the colours of some numbers.
    """

    path: str
    axes: tuple[Axis, ...]
    dtype: str
    channels: tuple[Channel, ...] = (Channel(),)
    channel_axis: int | None = None
    rgb: bool = False
    series: int = 0
    series_count: int = 1
    series_name: str = ""
    level_shapes: tuple[tuple[int, ...], ...] = ()
    is_labels: bool = False
    compression: str = ""
    tiled: bool = False
    flavour: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    listing: tuple[SeriesEntry, ...] = ()
    position: tuple[tuple[str, float, str], ...] = ()
    objects: dict[str, list[Any]] = field(default_factory=dict)
    label_colors: dict[int, Color] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array, the channel axis included."""
        sizes = [axis.size for axis in self.axes]
        if self.channel_axis is not None:
            sizes.insert(self.channel_axis, self.channel_count)
        return tuple(sizes)

    @property
    def channel_count(self) -> int:
        """Size of the channel axis; 1 where there is none."""
        if self.level_shapes and self.channel_axis is not None:
            return self.level_shapes[0][self.channel_axis]
        return len(self.channels)

    @property
    def axis_names(self) -> tuple[str, ...]:
        """Names of the array's axes, ``c`` for the channels."""
        names = [axis.name for axis in self.axes]
        if self.channel_axis is not None:
            names.insert(self.channel_axis, "c")
        return tuple(names)

    @property
    def nbytes(self) -> int:
        """Bytes of the full-size image in memory."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def plane(self) -> tuple[int, int]:
        """Positions of rows and columns in the array."""
        names = self.axis_names
        return names.index("y"), names.index("x")

    def axis(self, name: str) -> Axis | None:
        """Return the axis of that name, None where the image has none."""
        return next((axis for axis in self.axes if axis.name == name), None)
