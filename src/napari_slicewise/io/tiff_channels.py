"""Names, colours and ranges of a series' channels, from whoever speaks of them best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_slicewise.io.image_info import Channel
from napari_slicewise.io.imagej_metadata import imagej_channels, lookup_color
from napari_slicewise.io.ome_xml import OmeImage

__all__ = ["ChannelNotes", "series_channels", "tag_name"]

_SAMPLE_NAMES = {
    "RGB": ("red", "green", "blue", "alpha"),
    "SEPARATED": ("cyan", "magenta", "yellow", "black"),
    "CIELAB": ("L*", "a*", "b*"),
    "ICCLAB": ("L*", "a*", "b*"),
    "ITULAB": ("L*", "a*", "b*"),
    "YCBCR": ("Y", "Cb", "Cr"),
}
_SAMPLE_COLORS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255))


@dataclass(frozen=True)
class ChannelNotes:
    """Who speaks of the channels.

    Parameters
    ----------
    imagej
        ImageJ's header; may be empty.
    ome
        The OME image; None where there is none.
    vendor
        What the maker's own tags say; may be empty.
    micromanager
        Whether Micro-Manager wrote the file.
    """

    imagej: Mapping[str, Any]
    ome: OmeImage | None
    vendor: Sequence[Channel]
    micromanager: bool


def series_channels(series: Any, count: int, notes: ChannelNotes) -> tuple[Channel, ...]:
    """Return ``count`` channels from the best source that speaks of them.

    Parameters
    ----------
    series
        A tifffile ``TiffPageSeries``.
    count
        Number of channels.
    notes
        The sources.
    """
    image = notes.ome
    empty = (Channel(),) * count
    found = empty
    samples = series.keyframe.samplesperpixel
    photometric = tag_name(series.keyframe.photometric)
    if notes.imagej:
        found = imagej_channels(notes.imagej, count, len(series))
    if image is not None and len(image.channels) >= count:
        found = _merged(found, _argb_mended(image, micromanager=notes.micromanager)[:count])
    if count and len(notes.vendor) == count:
        found = _merged(found, notes.vendor)
    if count > 1 and samples >= count and "C" not in series.axes:
        names = (*_SAMPLE_NAMES.get(photometric, ()), *(f"sample {i}" for i in range(count)))
        colors = _SAMPLE_COLORS if photometric == "RGB" else ()
        defaults = tuple(
            Channel(names[i], colors[i] if i < len(colors) else None) for i in range(count)
        )
        found = _merged(defaults, found)
    if count == 1 and found[0].color is None:
        found = (_with_palette(found[0], series.keyframe),)
    return found


def _merged(base: Sequence[Channel], better: Sequence[Channel]) -> tuple[Channel, ...]:
    """Fill what ``better`` leaves open from ``base``."""
    return tuple(
        Channel(
            new.name or old.name,
            new.color or old.color,
            new.limits or old.limits,
            old.lookup if new.color in (None, old.color) else new.lookup,
        )
        for old, new in zip(base, better, strict=True)
    )


def _argb_mended(image: OmeImage, *, micromanager: bool) -> Sequence[Channel]:
    """Micro-Manager 1.4 writes OME's Color as ARGB where RGBA is due, so red reads as yellow.

    Its alpha is always full, so a file where each first byte is 255 is read as ARGB.
    """
    if not (micromanager and image.argb_colors):
        return image.channels
    return [
        replace(channel, color=color)
        for channel, color in zip(image.channels, image.argb_colors, strict=True)
    ]


def _with_palette(channel: Channel, page: Any) -> Channel:
    """Show an indexed picture through its palette, and white-is-zero the right way round."""
    photometric = tag_name(page.photometric)
    if photometric == "MINISWHITE":
        return replace(channel, color=(0, 0, 0), lookup=((255, 255, 255), (0, 0, 0)))
    colormap = page.colormap if photometric == "PALETTE" else None
    if colormap is None or page.dtype is None or np.dtype(page.dtype).kind not in "ub":
        return channel
    table = np.asarray(colormap)
    table = (table >> 8) if table.max(initial=0) > 255 else table
    top = float(table.shape[1] - 1)
    table = table[:, :: max(1, table.shape[1] // 256)]  # a palette of 65536 is a smooth one
    color, lookup = lookup_color(table)
    limits = channel.limits if lookup is None else (0.0, top)
    if color == (0, 0, 0) and lookup is None:
        return channel
    return Channel(channel.name, color, limits, lookup)


def tag_name(value: Any) -> str:
    """Return the name of an enumerated tag; tifffile leaves values it does not know as numbers."""
    return str(getattr(value, "name", value))
