"""What OME-XML says of sizes, units, channels and annotations."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any
from xml.etree import ElementTree as ET

from napari_slicewise.io.image_info import Channel
from napari_slicewise.io.ome_plates import well_places
from napari_slicewise.io.own_notes import NOTES_KEY, OBJECTS_KEY, read_notes
from napari_slicewise.io.units import MICROMETRES, clean_unit, step_of

__all__ = ["OmeImage", "parse_ome"]


@dataclass(frozen=True)
class OmeImage:
    """One ``Image`` of an OME document.

    Parameters
    ----------
    name
        As the microscope calls it.
    sizes
        Sizes of X, Y, Z, C and T as promised.
    steps
        Step and unit of each calibrated axis, by its name in lower case.
    channels
        In the order of the document.
    argb_colors
        The channels' colours, were they stored as alpha, red, green and blue; empty where
        a first byte is no full alpha.
    place
        Well and field, where the image belongs to a plate.
    position
        Where the stage stood at the first plane: axis, position and unit.
    """

    name: str = ""
    sizes: dict[str, int] = field(default_factory=dict)
    steps: dict[str, tuple[float, str]] = field(default_factory=dict)
    channels: tuple[Channel, ...] = ()
    argb_colors: tuple[tuple[int, int, int], ...] = ()
    place: str = ""
    position: tuple[tuple[str, float, str], ...] = ()


def parse_ome(xml: str) -> tuple[tuple[OmeImage, ...], dict[str, Any]]:
    """Read an OME-XML document.

    Parameters
    ----------
    xml
        The document.

    Returns
    -------
    Its images, and what our own writer noted in it (empty for others' files).

    Raises
    ------
    ValueError
        When the XML is ill-formed.
    """
    try:
        root = ET.fromstring(_without_declaration(xml))  # noqa: S314 (no entities: see there)
    except ET.ParseError as error:
        raise ValueError(f"OME-XML is ill-formed ({error})") from error
    places = well_places(root)
    images = tuple(
        replace(_image(node), place=places.get(node.get("ID", ""), ""))
        for node in root
        if _tag(node) == "Image"
    )
    return images, _own_notes(root)


def _without_declaration(xml: str) -> bytes:
    """Return the document as bytes, refusing entity definitions, which can grow without end."""
    if "<!ENTITY" in xml or "<!DOCTYPE" in xml:
        raise ValueError("OME-XML defines entities, which is not allowed")
    start = xml.find("?>") + 2 if xml.lstrip().startswith("<?xml") else 0
    return xml[start:].strip("\x00 \r\n\t").encode("utf-8", "replace")


def _tag(node: ET.Element) -> str:
    return node.tag.rpartition("}")[2]


def _image(node: ET.Element) -> OmeImage:
    pixels = next((child for child in node if _tag(child) == "Pixels"), None)
    if pixels is None:
        return OmeImage(node.get("Name") or "")
    get = pixels.attrib.get
    steps: dict[str, tuple[float, str]] = {}
    for axis, key, default in (
        ("x", "PhysicalSizeX", "µm"),
        ("y", "PhysicalSizeY", "µm"),
        ("z", "PhysicalSizeZ", "µm"),
        ("t", "TimeIncrement", "s"),
    ):
        # The schema gives µm and s where the document names no unit.
        step, unit = step_of(get(key)), clean_unit(get(f"{key}Unit", default))
        if step is not None and unit is not None:
            steps[axis] = (step, unit)
    sizes = {axis: _whole(get(f"Size{axis}")) for axis in "XYZCT"}
    channels = tuple(
        Channel(child.get("Name") or "", _color(child.get("Color")))
        for child in pixels
        if _tag(child) == "Channel"
    )
    stored = [_color_bytes(child.get("Color")) for child in pixels if _tag(child) == "Channel"]
    argb = tuple((b[1], b[2], b[3]) for b in stored if b is not None and b[0] == 255)
    return OmeImage(
        node.get("Name") or "",
        sizes,
        steps,
        channels,
        argb if len(argb) == len(channels) else (),
        position=_position(pixels),
    )


def _position(pixels: ET.Element) -> tuple[tuple[str, float, str], ...]:
    """Return where the stage stood, on the axes for which that is told in a unit of length.

    The schema's own default, "reference frame", is none.
    """
    plane = next((child for child in pixels if _tag(child) == "Plane"), None)
    if plane is None:
        return ()
    found = []
    for axis in "zyx":
        unit = clean_unit(plane.get(f"Position{axis.upper()}Unit"))
        try:
            value = float(plane.get(f"Position{axis.upper()}") or "nan")
        except ValueError:
            continue
        if unit in MICROMETRES and math.isfinite(value):
            found.append((axis, value, str(unit)))
    return tuple(found)


def _color(text: str | None) -> tuple[int, int, int] | None:
    """Return a colour; OME stores red, green, blue and alpha in one signed number."""
    stored = _color_bytes(text)
    return None if stored is None else (stored[0], stored[1], stored[2])


def _color_bytes(text: str | None) -> tuple[int, int, int, int] | None:
    try:
        value = int(text or "") & 0xFFFFFFFF
    except ValueError:
        return None
    return value >> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255


def _whole(text: str | None) -> int:
    """Return a whole number; 0 where there is none."""
    return int(text) if text and text.isascii() and text.isdigit() else 0


def _own_notes(root: ET.Element) -> dict[str, Any]:
    notes: dict[str, Any] = {}
    for node in root.iter():
        if _tag(node) == "M" and node.get("K") == NOTES_KEY:
            notes |= read_notes(node.text)
        elif _tag(node) == "CommentAnnotation" and node.get("Namespace") == OBJECTS_KEY:
            values = [child.text for child in node if _tag(child) == "Value"]
            notes |= {"objects": values[0]} if values else {}
    return notes
