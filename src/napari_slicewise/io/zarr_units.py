"""Units and axis types as OME-Zarr names them."""

from __future__ import annotations

from napari_slicewise.io.units import MICROMETRES

__all__ = ["axis_type", "zarr_unit"]

_NAMES = {
    "pm": "picometer",
    "Å": "angstrom",
    "nm": "nanometer",
    "µm": "micrometer",
    "mm": "millimeter",
    "cm": "centimeter",
    "dm": "decimeter",
    "m": "meter",
    "km": "kilometer",
    "inch": "inch",
    "foot": "foot",
    "ns": "nanosecond",
    "µs": "microsecond",
    "ms": "millisecond",
    "s": "second",
    "min": "minute",
    "h": "hour",
    "day": "day",
}


def zarr_unit(unit: str, kind: str) -> str | None:
    """Return OME-Zarr's name of a unit; None for one that an axis of that type cannot have."""
    if kind in ("space", "time") and (unit in MICROMETRES) != (kind == "space"):
        return None
    return _NAMES.get(unit)


def axis_type(name: str) -> str:
    """Return the type of an axis by its name; empty for one that OME-Zarr has no type for."""
    return {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}.get(name, "")
