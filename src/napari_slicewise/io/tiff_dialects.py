"""How sizes, units, names and notes are said in OME-TIFF and in ImageJ's TIFF."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_slicewise.errors import OutputError
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.own_notes import NOTES_KEY, OBJECTS_KEY, write_notes
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.units import MICROMETRES, SECONDS

__all__ = ["Dialect", "choose_dialect"]

_OME_DTYPES = {"int8", "int16", "int32", "uint8", "uint16", "uint32"} | {
    "float32",
    "float64",
    "complex64",
    "complex128",
    "bool",
}
_IMAGEJ_DTYPES = {"uint8", "uint16", "float32"}
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_IMAGEJ_BYTES = 3 << 30  # its offsets are 32 bits wide


@dataclass(frozen=True)
class Dialect:
    """Arguments for tifffile that say what a picture is.

    Parameters
    ----------
    ome
        OME-TIFF; else ImageJ's.
    metadata
        For the image description.
    resolution
        Pixels per centimetre, or per ImageJ's unit, along x and y; None without calibration.
    resolution_unit
        3 for centimetre, 1 for none.
    photometric
        ``minisblack`` or ``rgb``.
    """

    ome: bool
    metadata: dict[str, Any] = field(default_factory=dict)
    resolution: tuple[float, float] | None = None
    resolution_unit: int | None = None
    photometric: str = "minisblack"


def choose_dialect(path: Path, picture: Picture, dtype: np.dtype[Any]) -> Dialect:
    """Choose between OME and ImageJ by name and content.

    Parameters
    ----------
    path
        The file.
    picture
        What is to be written.
    dtype
        dtype in the file.

    Raises
    ------
    OutputError
        When the picture has axes or values that no TIFF can hold.
    """
    letters = _letters(picture.axes)
    if math.prod(picture.shape) == 0:
        raise OutputError(f"There is nothing to write: the shape is {picture.shape}.")
    if dtype.name not in _OME_DTYPES:
        raise OutputError(
            f"TIFF viewers cannot read values of type {dtype.name}.", "Convert them to float32."
        )
    named_ome = path.name.lower().endswith((".ome.tif", ".ome.tiff"))
    order = [letter for letter in letters if letter in "TZC"]
    fits = dtype.name in _IMAGEJ_DTYPES and order == [x for x in "TZC" if x in order]
    small = math.prod(picture.shape) * dtype.itemsize < _IMAGEJ_BYTES
    line = 1 in picture.shape[-2:]  # tifffile takes a side of 1 for ImageJ's samples
    if named_ome or not fits or not small or line or picture.rgb or "C" in letters:
        return _ome(picture, letters, path)
    return _imagej(picture, letters, path)


def _letters(axes: Sequence[Axis]) -> str:
    """Return a TIFF axis letter for each axis; those without one get a free one."""
    names = [axis.name.lower() for axis in axes]
    if names[-2:] != ["y", "x"]:
        raise OutputError(f"Rows and columns must be the last axes, got {', '.join(names)}.")
    known = {name.upper() for name in names if name in "tzc"}
    free = iter([letter for letter in "TZC" if letter not in known])
    letters = []
    for name in names:
        letter = name.upper() if name in ("t", "z", "c", "y", "x") else next(free, "")
        if not letter or letter in letters:
            raise OutputError(
                f"TIFF holds three axes besides rows and columns, these are {', '.join(names)}.",
                "Save a part of it.",
            )
        letters.append(letter)
    return "".join(letters)


def _ome(picture: Picture, letters: str, path: Path) -> Dialect:
    metadata: dict[str, Any] = {"axes": letters + ("S" if picture.rgb else "")}
    metadata["Name"] = _xml_text(path.name.split(".")[0] or path.name)
    by_letter = dict(zip(letters, picture.axes, strict=True))
    for letter in "XYZ":
        axis = by_letter.get(letter)
        if axis is not None and axis.unit in MICROMETRES:
            unit = {"inch": "in", "foot": "ft"}.get(axis.unit, axis.unit)
            metadata |= {f"PhysicalSize{letter}": axis.step, f"PhysicalSize{letter}Unit": unit}
    time = by_letter.get("T")
    if time is not None and time.unit in SECONDS:
        unit = "d" if time.unit == "day" else time.unit
        metadata |= {"TimeIncrement": time.step, "TimeIncrementUnit": unit}
    channels = [channel for channel in picture.channels if channel.name or channel.color]
    if channels and any(axis.name == "c" for axis in picture.axes):
        described: dict[str, Any] = {
            "Name": [_xml_text(channel.name) for channel in picture.channels]
        }
        if all(channel.color for channel in picture.channels):
            described["Color"] = [_rgba(channel.color) for channel in picture.channels]
        metadata["Channel"] = described
    metadata["MapAnnotation"] = {NOTES_KEY: write_notes(picture.notes())}
    if picture.objects:
        table = {"Namespace": OBJECTS_KEY, "Value": write_notes(picture.objects)}
        metadata["CommentAnnotation"] = table
    x, y = by_letter["X"], by_letter["Y"]
    photometric = "rgb" if picture.rgb else "minisblack"
    if x.unit not in MICROMETRES or y.unit not in MICROMETRES:
        return Dialect(ome=True, metadata=metadata, photometric=photometric)
    per_cm = tuple(1e4 / (axis.step * MICROMETRES[axis.unit]) for axis in (x, y))
    # The tags hold ratios of 32-bit numbers; a size beyond them is said in OME-XML alone.
    fits = all(1e-9 < value < 4e9 for value in per_cm)
    return Dialect(
        ome=True,
        metadata=metadata,
        resolution=(per_cm[0], per_cm[1]) if fits else None,
        resolution_unit=3 if fits else None,
        photometric=photometric,
    )


def _xml_text(text: str) -> str:
    """Return what of a text XML can hold; names of files may have bytes that are no text."""
    known = text.encode("utf-8", "replace").decode()
    return _NOT_XML.sub("", known)


def _rgba(color: tuple[int, int, int] | None) -> int:
    """Return a colour as OME's signed number, alpha full."""
    red, green, blue = color or (255, 255, 255)
    value = red << 24 | green << 16 | blue << 8 | 255
    return value - (1 << 32) if value >= 1 << 31 else value


def _ascii(unit: str) -> str:
    """Return a unit in the letters that an ImageJ header may hold."""
    return {"µm": "micron", "µs": "us", "Å": "angstrom"}.get(unit, unit)


def _imagej(picture: Picture, letters: str, path: Path) -> Dialect:
    by_letter = dict(zip(letters, picture.axes, strict=True))
    metadata: dict[str, Any] = {"axes": letters}
    x, y, z, time = (by_letter.get(letter) for letter in "XYZT")
    resolution = None
    if x is not None and y is not None and x.unit in MICROMETRES and y.unit in MICROMETRES:
        metadata["unit"] = _ascii(x.unit)
        if y.unit != x.unit:
            metadata["yunit"] = _ascii(y.unit)
        resolution = (1 / x.step, 1 / y.step)
        if z is not None and z.unit in MICROMETRES:
            metadata["spacing"] = z.step
            if z.unit != x.unit:
                metadata["zunit"] = _ascii(z.unit)
    if time is not None and time.unit in SECONDS:
        metadata["finterval"] = time.step
        if time.unit != "s":
            metadata["tunit"] = _ascii(time.unit)
    notes = picture.notes() | ({"objects": dict(picture.objects)} if picture.objects else {})
    metadata["Info"] = f"{NOTES_KEY} = {write_notes(notes)}"
    if resolution is not None and not all(1e-9 < value < 4e9 for value in resolution):
        return _ome(picture, letters, path)
    return Dialect(
        ome=False,
        metadata=metadata,
        resolution=resolution,
        resolution_unit=1 if resolution else None,
    )
