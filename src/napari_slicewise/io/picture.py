"""What is to be written: axes, channels and notes, without the pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from napari_slicewise.io.image_info import Axis, Channel

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
    """

    axes: tuple[Axis, ...]
    kind: Kind = "labels"
    channels: tuple[Channel, ...] = ()
    rgb: int = 0
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return (*(axis.size for axis in self.axes), *((self.rgb,) if self.rgb else ()))
