"""What is to be written: axes, channels and notes, without the pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from napari_slicewise.io.class_table import Color
from napari_slicewise.io.image_info import Axis, Channel
from napari_slicewise.io.units import MICROMETRES, SECONDS

__all__ = ["Kind", "Picture"]

Kind = Literal["labels", "image"]


@dataclass(frozen=True)
class Picture:
    """What is to be written, besides its pixels.

    Parameters
    ----------
    axes
        All axes in the order of the array, ``c`` for channels; rows and columns are the last
        two, but for the colours of an RGB picture.
    kind
        ``labels`` come back as a labels layer.
    channels
        Names and colours, one a channel; may be empty.
    rgb
        Whether a last axis of 3 or 4, not among ``axes``, holds colours.
    provenance
        How the picture was made; anything that JSON can say.
    objects
        Columns of a table of objects, ``index`` their numbers; labels only. The writers add what
        they measure: see :mod:`napari_slicewise.io.object_table`.
    colors
        Of labels: the colours of some numbers.
    """

    axes: tuple[Axis, ...]
    kind: Kind = "labels"
    channels: tuple[Channel, ...] = ()
    rgb: int = 0
    provenance: Mapping[str, Any] = field(default_factory=dict)
    objects: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    colors: Mapping[int, Color] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return (*(axis.size for axis in self.axes), *((self.rgb,) if self.rgb else ()))

    def notes(self) -> dict[str, Any]:
        """Return what no format has a word for, to be noted beside the picture."""
        return {
            "layer_type": self.kind,
            "axes": [axis.name for axis in self.axes],
            "shape": list(self.shape),
            "rgb": bool(self.rgb),
            "steps": {
                axis.name: [axis.step, axis.unit]
                for axis in self.axes
                if axis.name != "c" and not _has_word(axis)
            },
            "provenance": dict(self.provenance),
        }


def _has_word(axis: Axis) -> bool:
    """Whether the formats can say the step of an axis: lengths in space, seconds in time."""
    if axis.name == "t":
        return axis.unit not in MICROMETRES
    return axis.name in ("z", "y", "x") and axis.unit not in SECONDS
