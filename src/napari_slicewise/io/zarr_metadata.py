"""What an OME-Zarr group says of its image; reads no pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_slicewise.errors import ImageError
from napari_slicewise.io.image_info import PIXEL, Axis, Channel
from napari_slicewise.io.own_notes import NOTES_KEY
from napari_slicewise.io.units import clean_unit, step_of
from napari_slicewise.io.zarr_rules import broken_rules
from napari_slicewise.io.zarr_units import axis_type

__all__ = [
    "Multiscale",
    "ZarrNode",
    "calibrated_axis",
    "complaints",
    "omero_channels",
    "read_multiscale",
    "read_node",
]

_OLD_AXES = "tczyx"  # versions before 0.3 name no axes
_KEYS = ("multiscales", "plate", "well", "labels", "bioformats2raw.layout", "series")


@dataclass(frozen=True)
class ZarrNode:
    """A group that holds OME-Zarr metadata.

    Parameters
    ----------
    folder
        Where it lies.
    ome
        The metadata of OME-Zarr.
    version
        Version of the format.
    notes
        What our own writer noted; empty for others' files.
    """

    folder: Path
    ome: Mapping[str, Any]
    version: str
    notes: Mapping[str, Any]


@dataclass(frozen=True)
class Multiscale:
    """A pyramid as the metadata describe it.

    Parameters
    ----------
    name
        As the writer called it; may be empty.
    axes
        Names of the stored axes; ``c`` for the channels.
    steps
        Step and unit of the calibrated axes.
    paths
        Folders of the levels under the group, the full size first.
    unitless
        Steps that have no unit, in words.
    position
        Where the image begins: axis, position and unit of each axis for which that is told.
    """

    name: str
    axes: tuple[str, ...]
    steps: Mapping[str, tuple[float, str]]
    paths: tuple[str, ...]
    unitless: tuple[str, ...] = ()
    position: tuple[tuple[str, float, str], ...] = ()


def read_node(folder: Path) -> ZarrNode | None:
    """Read the metadata of a folder; None where it is no OME-Zarr group.

    Parameters
    ----------
    folder
        The folder.
    """
    attributes = _json(folder / "zarr.json").get("attributes") or _json(folder / ".zattrs")
    if not isinstance(attributes, dict):
        return None
    ome = attributes.get("ome", attributes)
    if not isinstance(ome, dict) or not any(key in ome for key in _KEYS):
        return None
    multiscales = ome.get("multiscales")
    first = multiscales[0] if isinstance(multiscales, list) and multiscales else {}
    inner = first.get("version") if isinstance(first, dict) else None
    default = "0.5" if "ome" in attributes else "0.4"
    notes = attributes.get(NOTES_KEY)
    version = str(ome.get("version") or inner or default)
    return ZarrNode(folder, ome, version, notes if isinstance(notes, dict) else {})


def read_multiscale(node: ZarrNode) -> Multiscale:
    """Read the first pyramid of a group.

    Raises
    ------
    ImageError
        When what is needed to open it is not there.
    """
    try:
        found = node.ome["multiscales"][0]
        paths = tuple(str(entry["path"]) for entry in found["datasets"])
        axes = _axes(found.get("axes"))
        scale = _scale(found["datasets"][0], len(axes))
        common = _scale(found, len(axes))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ImageError(
            f"{node.folder.name} is corrupt: its OME-Zarr metadata name no array "
            f"({type(error).__name__}: {error}).",
            "Write it again with the program that made it.",
        ) from error
    steps: dict[str, tuple[float, str]] = {}
    unitless = []
    for (name, unit), own, shared in zip(axes, scale, common, strict=True):
        step, clean = step_of(own * shared), clean_unit(unit)
        if name != "c" and step is not None and clean is not None:
            steps[name] = (step, clean)
        elif name != "c" and step not in (None, 1.0):
            unitless.append(f"{name} {step:g}" + (f" {unit}" if unit else ""))
    title = found.get("name")
    names = tuple(name for name, _ in axes)
    begin = zip(
        axes, _moved(found, len(axes)), _moved(found["datasets"][0], len(axes)), strict=True
    )
    position = tuple(
        (name, whole + own, steps[name][1]) for (name, _), whole, own in begin if name in steps
    )
    known = tuple(entry for entry in position if any(value for _, value, _ in position))
    return Multiscale(str(title or ""), names, steps, paths, tuple(unitless), known)


def omero_channels(ome: Mapping[str, Any], count: int) -> tuple[Channel, ...]:
    """Return names, colours and display ranges of the channels.

    Parameters
    ----------
    ome
        The metadata of OME-Zarr.
    count
        Number of channels.
    """
    omero = ome.get("omero")
    listed = omero.get("channels") if isinstance(omero, dict) else None
    if not isinstance(listed, list) or len(listed) < count:
        return (Channel(),) * count
    return tuple(_channel(entry) for entry in listed[:count])


def complaints(node: ZarrNode) -> tuple[str, ...]:
    """Say where the metadata break the rules of their version of OME-Zarr.

    What is wrong with the hints for display is not worth a warning.
    """
    for where, message in broken_rules(node.ome, node.version):
        if "omero" not in where:
            told = f"{'.'.join(where[-4:])}: {message}"
            return (f"The metadata break the rules of OME-Zarr {node.version} ({told})",)
    return ()


def _json(path: Path) -> dict[str, Any]:
    """Read a file of JSON; empty where there is none or it is something else."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _axes(axes: Sequence[Any] | None) -> list[tuple[str, str | None]]:
    """Return name and unit of each axis, the channel axis as ``c``."""
    found: list[tuple[str, str | None]] = []
    for entry in axes or list(_OLD_AXES):
        name = str(entry if isinstance(entry, str) else entry["name"]).lower()
        kind = axis_type(name) if isinstance(entry, str) else entry.get("type")
        unit = None if isinstance(entry, str) else entry.get("unit")
        found.append(("c" if kind == "channel" else name, unit))
    names = [name for name, _ in found]
    if "y" not in names or "x" not in names:
        found[-2:] = [("y", found[-2][1]), ("x", found[-1][1])]
    return found


def _scale(holder: Mapping[str, Any], count: int) -> list[float]:
    """Return the scale among the transformations of a level or of a whole pyramid."""
    for entry in holder.get("coordinateTransformations") or ():
        if entry.get("type") == "scale" and len(entry.get("scale", ())) == count:
            return [float(value) for value in entry["scale"]]
    return [1.0] * count


def _moved(holder: Mapping[str, Any], count: int) -> list[float]:
    """Return the translation among the transformations of a level or of a whole pyramid."""
    for entry in holder.get("coordinateTransformations") or ():
        moved = entry.get("translation") if entry.get("type") == "translation" else None
        if isinstance(moved, list) and len(moved) == count:
            return [float(value) for value in moved]
    return [0.0] * count


def _channel(entry: Any) -> Channel:
    if not isinstance(entry, dict):
        return Channel()
    window = entry.get("window")
    low, high = (window.get("start"), window.get("end")) if isinstance(window, dict) else (0, 0)
    limits = None
    if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low < high:
        limits = (float(low), float(high))
    return Channel(str(entry.get("label") or ""), _color(entry.get("color")), limits)


def _color(text: Any) -> tuple[int, int, int] | None:
    """Return a colour from six hexadecimal digits."""
    digits = str(text or "").lstrip("#")
    try:
        value = bytes.fromhex(digits)
    except ValueError:
        return None
    return (value[0], value[1], value[2]) if len(value) >= 3 else None


def calibrated_axis(name: str, size: int, steps: Mapping[str, tuple[float, str]]) -> Axis:
    """Return an axis, in pixels where its step is not known."""
    step, unit = steps.get(name, (1.0, PIXEL))
    return Axis(name, size, step, unit)
