"""From the tags of an open TIFF to an :class:`ImageInfo`; reads no pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_slicewise.io.image_info import PIXEL, Axis, Channel, ImageInfo, ImageWarning
from napari_slicewise.io.imagej_metadata import imagej_missing_planes, imagej_steps
from napari_slicewise.io.object_table import read_columns
from napari_slicewise.io.ome_xml import OmeImage, parse_ome
from napari_slicewise.io.own_notes import read_notes
from napari_slicewise.io.plain_values import plain
from napari_slicewise.io.shaped_metadata import shaped_notes, shaped_steps
from napari_slicewise.io.tiff_channels import ChannelNotes, series_channels, tag_name
from napari_slicewise.io.tiff_series import ome_image, series_listing
from napari_slicewise.io.units import clean_unit, step_of
from napari_slicewise.io.vendor_metadata import (
    VendorNotes,
    micromanager_notes,
    ratio,
    vendor_notes,
)

__all__ = [
    "Axis",
    "Channel",
    "FileNotes",
    "ImageInfo",
    "ImageWarning",
    "file_notes",
    "series_info",
]

_RGB_DTYPES = {"uint8", "uint16", "float32"}  # the others would be shown black or white
_JPEG = {6, 7, 33007, 34892}  # compressions whose decoder turns YCbCr into RGB


@dataclass(frozen=True)
class FileNotes:
    """What the file as a whole says, gathered once for all its series."""

    ome: tuple[OmeImage, ...] = ()
    own: dict[str, Any] = field(default_factory=dict)
    imagej: dict[str, Any] = field(default_factory=dict)
    vendor: VendorNotes | None = None
    micromanager: bool = False
    raw: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def file_notes(tif: Any) -> FileNotes:
    """Gather the metadata of an open ``TiffFile``.

    Parameters
    ----------
    tif
        The open file.
    """
    ome: tuple[OmeImage, ...] = ()
    own: dict[str, Any] = {}
    raw: dict[str, Any] = {}
    warnings: list[str] = []
    first = tif.pages.first
    description = first.description or ""
    if tif.is_ome or "<OME" in description[:2000]:
        raw["ome_xml"] = description
        try:
            ome, own = parse_ome(description)
        except ValueError as error:
            warnings.append(f"{error}; sizes and channels are read from the tags alone")
    imagej = dict(tif.imagej_metadata or {}) if tif.is_imagej else {}
    if imagej:
        raw["imagej"] = plain(imagej)
        own = own or _imagej_own(imagej)
    vendor = vendor_notes(tif)
    micromanager = bool(tif.is_micromanager)
    if vendor is None and micromanager:
        vendor = micromanager_notes(tif)
    raw |= _raw_vendor(tif)
    if description and not imagej and not ome:
        raw["description"] = description[:100_000]
    if first.tags.valueof(274, 1) not in (0, 1):
        warnings.append("The orientation tag asks for a turned picture; rows are shown as stored")
    return FileNotes(ome, own, imagej, vendor, micromanager, raw, tuple(warnings))


def series_info(
    tif: Any, index: int, series: Any, levels: Sequence[Any], notes: FileNotes, path: str
) -> ImageInfo:
    """Describe one series.

    Parameters
    ----------
    tif
        The open ``TiffFile``.
    index
        Number of the series.
    series
        The ``TiffPageSeries``.
    levels
        Arrays of the pyramid, as :class:`~napari_slicewise.io.tiff_pages.PageArray`.
    notes
        What :func:`file_notes` gathered.
    path
        The file as the user knows it.
    """
    page = series.keyframe
    names, channel_axis, rgb = _axis_names(series, levels[0], notes)
    image = ome_image(tif, index, notes.ome)
    shaped = shaped_steps(shaped_notes(series), series.axes)
    steps = _steps(page, notes, image, shaped) | _own_steps(notes.own)
    shape = levels[0].shape
    axes = tuple(
        Axis(name, shape[position], *steps.get(name, (1.0,)))
        for position, name in enumerate(names)
        if position != channel_axis
    )
    count = 1 if channel_axis is None else shape[channel_axis]
    own = {key: value for key, value in notes.own.items() if key != "objects"}
    made = () if notes.vendor is None else notes.vendor.channels
    listing = series_listing(tif, notes.ome)
    spoken = ChannelNotes(notes.imagej, image, made, notes.micromanager)
    return ImageInfo(
        path=path,
        axes=axes,
        dtype=str(levels[0].dtype),
        channels=series_channels(series, 1 if rgb else count, spoken),
        channel_axis=channel_axis,
        rgb=rgb,
        series=index,
        series_count=len(tif.series),
        series_name=listing[index].name,
        level_shapes=tuple(tuple(level.shape) for level in levels),
        is_labels=notes.own.get("layer_type") == "labels",
        compression=tag_name(page.compression).lower(),
        tiled=bool(page.is_tiled),
        flavour=series.kind,
        metadata=dict(notes.raw) | ({"slicewise": own} if own else {}),
        warnings=notes.warnings + _contradictions(series, levels[0], notes, image),
        listing=listing,
        position=() if image is None else image.position,
        objects=read_columns(notes.own.get("objects")),
    )


def _axis_names(series: Any, array: Any, notes: FileNotes) -> tuple[list[str], int | None, bool]:
    """Return axis names in the array's order, the channel axis, and whether it is RGB."""
    own = notes.own.get("axes")
    if isinstance(own, list) and len(own) == len(array.shape) - bool(notes.own.get("rgb")):
        return _own_axis_names([str(name) for name in own], rgb=bool(notes.own.get("rgb")))
    page = series.keyframe
    letters = series.axes
    lead = letters[: len(array.leading_shape)]
    trailing = letters[len(lead) :]
    names = [letter.lower() for letter in lead]
    names += ["z", "y", "x"] if page.shaped[1] > 1 else ["y", "x"]
    channel_axis = lead.index("C") if "C" in lead else None
    if len(array.shape) == len(names):
        return names, channel_axis, False
    names.append("c")
    samples = array.shape[-1]
    rgb = (
        samples in (3, 4)
        and "C" not in trailing
        and notes.imagej.get("mode") != "composite"
        and np.dtype(series.dtype).name in _RGB_DTYPES
        and (
            tag_name(page.photometric) == "RGB"
            or (tag_name(page.photometric) == "YCBCR" and int(page.compression) in _JPEG)
        )
    )
    return names, len(names) - 1, rgb


def _steps(
    page: Any, notes: FileNotes, image: OmeImage | None, shaped: dict[str, tuple[float, str]]
) -> dict[str, tuple[float, str]]:
    """Return the calibration: the maker's tags, OME, ImageJ, tifffile's JSON; never bare DPI."""
    tags = page.parent.pages.first.tags
    resolution = (ratio(tags.valueof(282)), ratio(tags.valueof(283)))
    sources = []
    if notes.vendor is not None:
        sources.append(notes.vendor.steps)
    if image is not None:
        sources.append(image.steps)
    if notes.imagej:
        sources.append(imagej_steps(notes.imagej, resolution, in_cm=tags.valueof(296) == 3))
    if shaped:
        sources.append(shaped)
    if notes.micromanager:
        sources.reverse()  # its summary knows least, and ImageJ's header there is a copy
        sources.sort(key=lambda steps: image is None or steps is not image.steps)
    return next((steps for steps in sources if "x" in steps and "y" in steps), _times(sources))


def _times(sources: Sequence[dict[str, tuple[float, str]]]) -> dict[str, tuple[float, str]]:
    """Return the time step of an image whose pixels are not calibrated."""
    for steps in sources:
        if "t" in steps:
            return {"t": steps["t"]}
    return {}


def _contradictions(
    series: Any, array: Any, notes: FileNotes, image: OmeImage | None
) -> tuple[str, ...]:
    """Say where the file holds less than it promises."""
    found = []
    missing = imagej_missing_planes(notes.imagej, array.page_count * max(1, _samples(series)))
    if missing and series.kind != "ome":
        found.append(missing)
    if image is not None and image.sizes:
        promised = int(np.prod([image.sizes.get(axis, 1) or 1 for axis in "ZCT"]))
        sizes = dict(zip(series.axes, series.shape, strict=True))
        held = array.size // max(1, sizes.get("Y", 1) * sizes.get("X", 1))
        if held < promised:
            found.append(f"OME-XML promises {promised} planes, the file holds {held}")
    lost = array.missing_pages()
    if lost:
        found.append(
            f"{len(lost)} of {array.page_count} planes are missing and shown as zeros "
            f"(the first is plane {lost[0]})"
        )
    return tuple(found)


def _samples(series: Any) -> int:
    return int(series.keyframe.samplesperpixel)


def _imagej_own(imagej: dict[str, Any]) -> dict[str, Any]:
    """Return what our own writer noted in ImageJ's info text."""
    return read_notes(imagej.get("Info"))


def _own_axis_names(names: list[str], *, rgb: bool) -> tuple[list[str], int | None, bool]:
    """Return the axes that our own writer noted, some of which OME and ImageJ have no word for."""
    if rgb:
        return [*names, "c"], len(names), True
    return names, names.index("c") if "c" in names else None, False


def _own_steps(own: dict[str, Any]) -> dict[str, tuple[float, str]]:
    """Return the steps of axes that OME and ImageJ have no word for."""
    steps = {}
    for name, entry in (own.get("steps") or {}).items():
        step, unit = step_of(entry[0]), clean_unit(entry[1])
        if step is not None:
            steps[str(name)] = (step, unit or PIXEL)
    return steps


def _raw_vendor(tif: Any) -> dict[str, Any]:
    """Return each maker's tags as plain values."""
    raw: dict[str, Any] = {}
    for flavour in ("lsm", "stk", "metaseries", "fei", "sis", "sem", "scanimage", "micromanager"):
        if getattr(tif, f"is_{flavour}", False):
            metadata = getattr(tif, f"{flavour}_metadata", None)
            if metadata:
                raw[flavour] = plain(metadata)
    return raw
