"""Which images a TIFF holds: scenes, and what lies beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_slicewise.io.image_info import SeriesEntry
from napari_slicewise.io.ome_xml import OmeImage

__all__ = ["is_scene", "ome_image", "series_listing"]

_NOT_SCENES = {"thumbnail", "label", "macro", "map"}  # what slide scanners keep beside the slide
_THUMBNAIL, _MASK = 1, 4  # bits of NewSubfileType


def is_scene(series: Any) -> bool:
    """Whether a series is a picture of its own, not a thumbnail, a slide label or a mask."""
    if series.name.lower() in _NOT_SCENES:
        return False
    kind = int(series.keyframe.subfiletype)
    small = kind & _THUMBNAIL and series.kind in {"lsm", "svs", "ndpi", "generic"}
    return not kind & _MASK and not small


def ome_image(tif: Any, index: int, images: Sequence[OmeImage]) -> OmeImage | None:
    """Return the OME image of a series: by its place, by its name where some are left out.

    Parameters
    ----------
    tif
        The open ``TiffFile``.
    index
        Number of the series.
    images
        The document's images; may be empty.
    """
    if not images:
        return None
    if len(tif.series) == len(images):
        return images[index]
    name = tif.series[index].name
    return next((image for image in images if name and image.name == name), images[0])


def series_listing(tif: Any, images: Sequence[OmeImage]) -> tuple[SeriesEntry, ...]:
    """List all series of a file.

    Parameters
    ----------
    tif
        The open ``TiffFile``.
    images
        The images of its OME-XML; may be empty.
    """
    return tuple(
        SeriesEntry(
            index,
            _name(series, ome_image(tif, index, images)),
            series.axes.lower().replace("s", "c"),
            tuple(int(n) for n in series.shape),
            is_scene(series),
        )
        for index, series in enumerate(tif.series)
    )


def _name(series: Any, image: OmeImage | None) -> str:
    """Return what a series is called, or what it is where it has no name."""
    if image is not None and (image.place or image.name):
        return " ".join(part for part in (image.place, image.name) if part)
    if series.name:
        return str(series.name)
    kind = int(series.keyframe.subfiletype)
    return "" if is_scene(series) else "mask" if kind & _MASK else "thumbnail"
