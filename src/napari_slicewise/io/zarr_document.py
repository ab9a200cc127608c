"""How axes, sizes, channels and notes are said in OME-Zarr 0.4 and 0.5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from napari_slicewise.errors import OutputError
from napari_slicewise.io.image_info import Axis, Channel
from napari_slicewise.io.own_notes import NOTES_KEY
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.plain_values import plain
from napari_slicewise.io.zarr_rules import broken_rules
from napari_slicewise.io.zarr_units import axis_type, zarr_unit

__all__ = ["Limits", "Version", "ZarrLayout", "lay_out_axes", "zarr_attributes"]

Version = Literal["0.4", "0.5"]
Limits = Mapping[int, tuple[float, float]]
"""Lowest and highest value of each channel."""

_RANK = {"time": 0, "channel": 1, "": 1, "space": 2}
_RGB = (Channel("red", (255, 0, 0)), Channel("green", (0, 255, 0)), Channel("blue", (0, 0, 255)))


@dataclass(frozen=True)
class ZarrLayout:
    """How a picture lies in the file.

    Parameters
    ----------
    axes
        The stored axes.
    types
        Their types; empty for an axis that OME-Zarr has no type for.
    order
        Which of the picture's axes each stored axis is, colours counted last.
    """

    axes: tuple[Axis, ...]
    types: tuple[str, ...]
    order: tuple[int, ...]


def lay_out_axes(picture: Picture) -> ZarrLayout:
    """Put axes into OME-Zarr's order: time, channels or one other axis, space.

    Axes that OME-Zarr has no type for take the places that are free; our notes in the file
    keep what they are.

    Raises
    ------
    OutputError
        When there are more than OME-Zarr can hold.
    """
    axes = [*picture.axes, *((Axis("c", picture.rgb),) if picture.rgb else ())]
    names = [axis.name for axis in axes]
    if names.count("y") != 1 or names.count("x") != 1 or len(set(names)) != len(names):
        raise OutputError(f"Rows, columns and names of their own are needed, got {names}.")
    types = [axis_type(name) for name in names]
    free = [] if "channel" in types else [""]
    free += ["space"] * (3 - types.count("space"))
    free += [] if "time" in types else ["time"]
    for position, name in enumerate(names):
        if axis_type(name):
            continue
        if not free:
            raise OutputError(
                f"OME-Zarr holds time, channels and space, these axes are {', '.join(names)}.",
                "Save a part of it.",
            )
        types[position] = free.pop(0)
    order = sorted(range(len(axes)), key=lambda position: _RANK[types[position]])
    return ZarrLayout(
        tuple(axes[position] for position in order),
        tuple(types[position] for position in order),
        tuple(order),
    )


def zarr_attributes(
    picture: Picture,
    layout: ZarrLayout,
    levels: int,
    limits: Limits,
    version: Version,
    source: str = "",
) -> dict[str, Any]:
    """Return the attributes of the group, checked against the rules of the format.

    Parameters
    ----------
    picture
        What is written.
    layout
        How its axes lie.
    levels
        Number of levels of the pyramid.
    limits
        Lowest and highest value of each channel.
    version
        Version of the format.
    source
        Of labels: the way from their folder to that of the image.

    Raises
    ------
    OutputError
        When the document would break the rules.
    """
    multiscale: dict[str, Any] = {
        "axes": [_axis(axis, kind) for axis, kind in zip(layout.axes, layout.types, strict=True)],
        "datasets": [
            {
                "path": str(level),
                "coordinateTransformations": _transformations(picture, layout, level),
            }
            for level in range(levels)
        ],
        "type": "nearest" if picture.kind == "labels" else "mean",
    }
    if version == "0.4":
        multiscale["version"] = version
    ome: dict[str, Any] = {"multiscales": [multiscale]}
    if version == "0.5":
        ome["version"] = version
    if picture.kind == "labels":
        ome["image-label"] = _image_label(picture, version, source)
    elif picture.rgb or any(channel.name or channel.color for channel in picture.channels):
        channels = _RGB if picture.rgb else picture.channels
        ome["omero"] = {"channels": _omero(channels, limits), "rdefs": {"model": "color"}}
    _check(ome, version)
    notes = {NOTES_KEY: plain(picture.notes())}
    return {"ome": ome, **notes} if version == "0.5" else {**ome, **notes}


def _image_label(picture: Picture, version: Version, source: str) -> dict[str, Any]:
    """Return what OME-Zarr says of labels: their image, their colours, and a row an object."""
    label: dict[str, Any] = {"version": version}
    if source:
        label["source"] = {"image": source}
    numbers = picture.objects.get("index", ())
    names = [name for name in picture.objects if name != "index"]
    if numbers:
        label["properties"] = [
            {"label-value": number} | {name: picture.objects[name][row] for name in names}
            for row, number in enumerate(numbers)
        ]
    if picture.colors:
        label["colors"] = [
            {"label-value": number, "rgba": list(color)} for number, color in picture.colors.items()
        ]
    return label


def _axis(axis: Axis, kind: str) -> dict[str, str]:
    described = {"name": axis.name}
    if kind:
        described["type"] = kind
    unit = zarr_unit(axis.unit, kind)
    return described if unit is None else described | {"unit": unit}


def _transformations(picture: Picture, layout: ZarrLayout, level: int) -> list[dict[str, Any]]:
    """Return the scale of a level, and where its first pixel lies when pixels were averaged."""
    steps = [axis.step if axis.calibrated else 1.0 for axis in layout.axes]
    halved = [2**level if axis.name in ("y", "x") else 1 for axis in layout.axes]
    scale = [step * factor for step, factor in zip(steps, halved, strict=True)]
    found: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
    if level and picture.kind == "image":
        shift = [step * (factor - 1) / 2 for step, factor in zip(steps, halved, strict=True)]
        found.append({"type": "translation", "translation": shift})
    return found


def _omero(channels: Sequence[Channel], limits: Limits) -> list[dict[str, Any]]:
    described = []
    for index, channel in enumerate(channels):
        low, high = limits.get(index, (0.0, 1.0))
        start, end = channel.limits or (low, high)
        described.append(
            {
                "label": channel.name,
                "color": "{:02X}{:02X}{:02X}".format(*(channel.color or (255, 255, 255))),
                "active": True,
                "window": {
                    "start": start,
                    "end": end,
                    "min": min(low, start),
                    "max": max(high, end),
                },
            }
        )
    return described


def _check(ome: Mapping[str, Any], version: Version) -> None:
    broken = broken_rules(ome, version)
    if broken:
        raise OutputError(f"OME-Zarr {version} cannot hold this image: {broken[0][1]}.")
