"""Units as files spell them, and as napari understands them."""

from __future__ import annotations

import math
import re

__all__ = ["MICROMETRES", "SECONDS", "clean_unit", "step_of"]

MICROMETRES = {
    "pm": 1e-6,
    "Å": 1e-4,
    "nm": 1e-3,
    "µm": 1.0,
    "mm": 1e3,
    "cm": 1e4,
    "dm": 1e5,
    "m": 1e6,
    "km": 1e9,
    "inch": 25400.0,
    "foot": 304800.0,
}
"""Units of length, and how many micrometres each is."""

SECONDS = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "day": 86400.0}
"""Units of time, and how many seconds each is."""

_SPELLINGS = {
    "um": "µm",
    "micron": "µm",
    "micrometer": "µm",
    "micrometre": "µm",
    "nanometer": "nm",
    "nanometre": "nm",
    "picometer": "pm",
    "millimeter": "mm",
    "millimetre": "mm",
    "centimeter": "cm",
    "centimetre": "cm",
    "decimeter": "dm",
    "kilometer": "km",
    "meter": "m",
    "metre": "m",
    "angstrom": "Å",
    "a": "Å",
    "in": "inch",
    "inches": "inch",
    "ft": "foot",
    "sec": "s",
    "second": "s",
    "millisecond": "ms",
    "msec": "ms",
    "us": "µs",
    "microsecond": "µs",
    "nanosecond": "ns",
    "minute": "min",
    "hr": "h",
    "hour": "h",
    "d": "day",
}


def clean_unit(text: object) -> str | None:
    """Return a unit that napari knows, or None.

    napari raises on units it does not know and takes ``px`` for the pixel of web
    pages, so only units of this list pass. Files spell the micro sign with either
    of two Greek letters, or as a Java escape, backslash and u00B5.
    """
    if not isinstance(text, str):
        return None
    unit = re.sub(r"\\u00[bB]5", "µ", text.strip().strip('"')).replace("μ", "µ")
    unit = unit.replace("\u212b", "Å").replace("\x00", "")
    if unit in MICROMETRES or unit in SECONDS:
        return unit
    plain = unit.lower().rstrip(".")
    for candidate in (plain, plain.removesuffix("s")):
        if candidate in _SPELLINGS:
            return _SPELLINGS[candidate]
        if candidate in MICROMETRES or candidate in SECONDS:
            return candidate
    return None


def step_of(value: object) -> float | None:
    """Return a step that an axis can have; None for 0, NaN, negatives and no numbers."""
    if not isinstance(value, (int, float, str)):
        return None
    try:
        step = float(value)
    except ValueError:
        return None
    return step if math.isfinite(step) and step > 0 else None
