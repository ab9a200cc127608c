"""Opened images as napari's layer data: plain tuples, so that nothing here imports napari."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_slicewise.io.editable_labels import EditableLabels
from napari_slicewise.io.image_info import PIXEL, Axis, Channel, ImageInfo
from napari_slicewise.io.label_store import memory_budget
from napari_slicewise.io.lazy_array import ChannelArray, LazyArray
from napari_slicewise.io.object_table import MEASURED, OF_THE_RUN
from napari_slicewise.io.units import MICROMETRES

__all__ = ["LayerData", "image_layers"]

LayerData = tuple[Any, dict[str, Any], str]

_FULL_COLORS = (
    (255, 0, 255),
    (0, 255, 0),
    (0, 255, 255),
    (255, 255, 0),
    (255, 0, 0),
    (0, 0, 255),
)


def image_layers(
    info: ImageInfo,
    levels: Sequence[Any],
    stem: str,
    *,
    visible: bool = True,
    at_stage: bool = False,
) -> list[LayerData]:
    """Return one layer a channel, or one RGB or labels layer.

    Parameters
    ----------
    info
        What the file says.
    levels
        The pyramid, the full size first.
    stem
        Name of the file, for the names of the layers.
    visible
        Whether the layers are shown at once; a file's further scenes are not.
    at_stage
        Whether the layers lie where the stage stood, as far as the file tells.
    """
    arrays = list(levels)
    if np.dtype(info.dtype).kind == "c":  # napari shows no complex numbers
        arrays = [abs(array) for array in arrays]
    name = stem if not info.series_name or info.series_count == 1 else f"{stem} {info.series_name}"
    common = _common(info) | ({} if visible else {"visible": False})
    common |= {"translate": _stage(info)} if at_stage and info.position else {}
    labels = info.is_labels and np.dtype(info.dtype).kind in "ui" and info.channel_axis is None
    if labels:
        # napari edits single-scale labels only, and in dask arrays slowly.
        fits = math.prod(info.shape) * arrays[0].dtype.itemsize <= memory_budget()
        data = np.asarray(arrays[0]) if fits else EditableLabels(arrays[0])
        return [(data, common | _table(info) | _label_colors(info) | {"name": name}, "labels")]
    if info.channel_axis is None or info.rgb:
        picture = arrays if len(arrays) > 1 else arrays[0]
        shown = _shown(info, info.channels[0], single=True)
        channel_name = info.channels[0].name
        return [(picture, common | shown | {"name": _joined(name, channel_name)}, "image")]
    layers: list[LayerData] = []
    for index, channel in enumerate(_colored(info.channels)):
        parts = [_channel_of(array, info.channel_axis, index) for array in arrays]
        label = channel.name or f"channel {index}"
        attributes = common | _shown(info, channel, single=False) | {"name": _joined(name, label)}
        layers.append((parts if len(parts) > 1 else parts[0], attributes, "image"))
    return layers


def _stage(info: ImageInfo) -> list[float]:
    """Return where the stage stood, in the units of the axes; 0 where that is not known."""
    place = {axis: value * MICROMETRES.get(unit, 0.0) for axis, value, unit in info.position}
    return [
        place.get(axis.name, 0.0) / MICROMETRES[axis.unit] if axis.unit in MICROMETRES else 0.0
        for axis in info.axes
    ]


def _common(info: ImageInfo) -> dict[str, Any]:
    """Return what all layers of an image share."""
    axes = info.axes
    return {
        "scale": [axis.step for axis in axes],
        "units": _units(axes),
        "axis_labels": _labels(axes),
        "metadata": dict(info.metadata)
        | {
            "path": info.path,
            "series": info.series,
            "series_name": info.series_name,
            "series_list": [entry.as_dict() for entry in info.listing],
            "stage_position": {axis: [value, unit] for axis, value, unit in info.position},
            "warnings": list(info.warnings),
        }
        | ({"objects": dict(info.objects)} if info.objects else {}),
    }


def _table(info: ImageInfo) -> dict[str, Any]:
    """Return napari's features table, where the file says more of objects than their sizes.

    Sizes and what the run knew would be wrong after the first stroke; they are in the metadata
    as they were.
    """
    others = set(info.objects) - {*MEASURED, *OF_THE_RUN}
    return {"features": dict(info.objects)} if others else {}


def _label_colors(info: ImageInfo) -> dict[str, Any]:
    """Return napari's colours of labels, where the file names some; the others are grey."""
    if not info.label_colors:
        return {}
    colors: dict[int | None, Any] = {
        number: [part / 255 for part in color] for number, color in info.label_colors.items()
    }
    return {"colormap": {0: [0.0] * 4, None: [0.5, 0.5, 0.5, 1.0], **colors}}


def _units(axes: Sequence[Axis]) -> list[str]:
    return [axis.unit or PIXEL for axis in axes]


def _labels(axes: Sequence[Axis]) -> list[str]:
    return [axis.name for axis in axes]


def _shown(info: ImageInfo, channel: Channel, *, single: bool) -> dict[str, Any]:
    """Return colour, range, blending and the pyramid flag of an image layer."""
    shown: dict[str, Any] = {}
    if len(info.level_shapes) > 1:
        shown["multiscale"] = True
    if info.rgb:
        # A colour that the file gives shows when the picture is split into its channels.
        color = channel.color
        return shown | {"rgb": True} | ({"colormap": _ramp_colormap(color)} if color else {})
    shown["rgb"] = False  # a stack of three or four slices is no colour picture
    if not single:
        shown["blending"] = "additive"
    if channel.lookup is not None:
        shown["colormap"] = _table_colormap(channel.lookup, channel.name or "lookup table")
    elif channel.color is not None and channel.color != (255, 255, 255):
        shown["colormap"] = _ramp_colormap(channel.color)
    elif not single:
        shown["colormap"] = "gray"
    limits = channel.limits
    if limits is None and info.dtype == "bool":
        limits = (0.0, 1.0)
    if limits is not None:
        shown["contrast_limits"] = list(limits)
    return shown


def _ramp_colormap(color: tuple[int, int, int]) -> dict[str, Any]:
    """Return a colormap from black to a colour, as napari takes it without being imported."""
    top = [value / 255 for value in color]
    name = "#{:02x}{:02x}{:02x}".format(*color)
    return {"name": name, "colors": [[0.0, 0.0, 0.0, 1.0], [*top, 1.0]]}


def _table_colormap(lookup: Sequence[tuple[int, int, int]], name: str) -> dict[str, Any]:
    """Return a colormap with every colour of a lookup table."""
    return {"name": name, "colors": [[r / 255, g / 255, b / 255, 1.0] for r, g, b in lookup]}


def _colored(channels: Sequence[Channel]) -> list[Channel]:
    """Give colours to channels that have none, as long as the file names no colour at all."""
    if any(channel.color is not None for channel in channels):
        return list(channels)
    return [
        Channel(
            channel.name,
            _FULL_COLORS[index % len(_FULL_COLORS)],
            channel.limits,
            channel.lookup,
        )
        for index, channel in enumerate(channels)
    ]


def _joined(name: str, channel: str) -> str:
    """Return a layer's name; a name said twice is said once."""
    if not channel or Path(channel).stem == name or channel == name:
        return name
    return f"{name}: {channel}"


def _channel_of(level: Any, axis: int, channel: int) -> Any:
    """Return one channel, lazily where the level is lazy."""
    if isinstance(level, LazyArray):
        return ChannelArray(level, axis, channel)
    return level[(slice(None),) * axis + (channel,)]
