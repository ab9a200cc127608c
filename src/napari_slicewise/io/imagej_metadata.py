"""What ImageJ and Fiji note in a TIFF: sizes, units, lookup tables, display ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_slicewise.io.image_info import Channel
from napari_slicewise.io.units import MICROMETRES, SECONDS, clean_unit, step_of

__all__ = ["imagej_channels", "imagej_missing_planes", "imagej_steps", "lookup_color"]

Lookup = tuple[tuple[int, int, int], ...]


def imagej_steps(
    metadata: Mapping[str, Any],
    resolution: tuple[float | None, float | None],
    *,
    in_cm: bool = False,
) -> dict[str, tuple[float, str]]:
    """Return the step and unit of each axis that ImageJ has calibrated.

    Parameters
    ----------
    metadata
        tifffile's ``imagej_metadata``.
    resolution
        Pixels per unit along x and y, from the resolution tags.
    in_cm
        Whether the resolution unit tag says centimetre.

    Notes
    -----
    ImageJ keeps one ``unit`` and, where they differ, ``yunit``, ``zunit`` and
    ``tunit``. Old versions left ``unit`` out for centimetres and wrote only the tag.
    """
    common = clean_unit(metadata.get("unit"))
    if common is None and in_cm and "unit" not in metadata:
        common = "cm"
    units = {
        "x": common,
        "y": clean_unit(metadata["yunit"]) if metadata.get("yunit") else common,
        "z": clean_unit(metadata["zunit"]) if metadata.get("zunit") else common,
    }
    values = {
        "x": 1 / resolution[0] if resolution[0] else None,
        "y": 1 / resolution[1] if resolution[1] else None,
        "z": metadata.get("spacing"),
    }
    steps: dict[str, tuple[float, str]] = {}
    for axis, unit in units.items():
        step = step_of(values[axis])
        if step is not None and unit in MICROMETRES:
            steps[axis] = (step, unit)
    interval = step_of(metadata.get("finterval"))
    if interval is not None:
        unit = clean_unit(metadata.get("tunit") or "s")
        if unit in SECONDS:
            steps["t"] = (interval, unit)
    return steps


def imagej_channels(
    metadata: Mapping[str, Any], count: int, planes: int = 1
) -> tuple[Channel, ...]:
    """Return names, lookup tables and display ranges of the channels.

    Parameters
    ----------
    metadata
        tifffile's ``imagej_metadata``.
    count
        Number of channels.
    planes
        Number of planes in the image, channels included.
    """
    names = _channel_names(metadata.get("Labels"), count, planes)
    ranges = _ranges(metadata, count)
    tables = metadata.get("LUTs")
    has_tables = isinstance(tables, Sequence) and len(tables) >= count
    channels = []
    for index in range(count):
        color, lookup = lookup_color(tables[index]) if has_tables and tables else (None, None)
        if metadata.get("mode") == "grayscale":
            color, lookup = None, None
        channels.append(Channel(names[index], color, ranges[index], lookup))
    return tuple(channels)


def lookup_color(table: Any) -> tuple[tuple[int, int, int] | None, Lookup | None]:
    """Return the colour of a lookup table, and the table where it is more than a ramp.

    Parameters
    ----------
    table
        ``(rgb, value)`` in 0..255.
    """
    values = np.asarray(table, dtype=float)
    if values.ndim != 2 or values.shape[0] != 3 or values.shape[1] < 2:
        return None, None
    top = values[:, -1]
    color = (int(top[0]), int(top[1]), int(top[2]))
    ramp = top[:, None] * np.linspace(0, 1, values.shape[1])
    if np.abs(values - ramp).max() <= 2:
        return color, None
    rows = np.rint(values.T).astype(int)
    return color, tuple((int(r), int(g), int(b)) for r, g, b in rows)


def imagej_missing_planes(metadata: Mapping[str, Any], found: int) -> str:
    """Say how many of the promised planes are missing; empty when all are there."""
    promised = metadata.get("images", 1)
    if not isinstance(promised, int) or promised <= found:
        return ""
    return f"ImageJ's header promises {promised} planes, the file holds {found}"


def _ranges(metadata: Mapping[str, Any], count: int) -> list[tuple[float, float] | None]:
    """Return a display range a channel: ``Ranges``, or ``min`` and ``max`` of a single one."""
    ranges = metadata.get("Ranges")
    if not ranges or len(ranges) < 2 * count:
        low, high = metadata.get("min"), metadata.get("max")
        ranges = (low, high) if count == 1 and low is not None and high is not None else ()
    pairs: list[tuple[float, float] | None] = []
    for index in range(count):
        pair = ranges[2 * index : 2 * index + 2]
        valid = len(pair) == 2 and np.isfinite(pair).all() and pair[0] < pair[1]
        pairs.append((float(pair[0]), float(pair[1])) if valid else None)
    return pairs


def _channel_names(labels: Any, count: int, planes: int) -> list[str]:
    """Return names where the slice labels are names of channels.

    ImageJ labels slices, not channels. They name the channels when there is one a
    channel, or when each channel's label is the same all through the stack.
    """
    empty = [""] * count
    if isinstance(labels, str):
        labels = [labels]
    if not isinstance(labels, Sequence) or len(labels) < count or count == 1:
        return empty
    columns = [set(labels[index::count]) for index in range(count)]
    if len(labels) not in (count, planes) or any(len(column) > 1 for column in columns):
        return empty
    names = [str(labels[index]).split("\n")[0].strip() for index in range(count)]
    return names if len(set(names)) == count else empty
