"""Calibration in tifffile's own files, whose description is a line of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from napari_slicewise.io.units import MICROMETRES, SECONDS, clean_unit, step_of

__all__ = ["shaped_notes", "shaped_steps"]

_SPACE = "ZYX"


def shaped_notes(series: Any) -> dict[str, Any]:
    """Return what tifffile was told when it wrote a series; empty for files of others.

    Parameters
    ----------
    series
        A ``TiffPageSeries``.
    """
    if series.kind != "shaped":
        return {}
    try:
        notes = json.loads(series.keyframe.description)
    except ValueError:  # older versions wrote "shape=(...)"
        return {}
    return notes if isinstance(notes, dict) else {}


def shaped_steps(notes: Mapping[str, Any], axes: str) -> dict[str, tuple[float, str]]:
    """Return the step and unit of each axis that the notes calibrate.

    Parameters
    ----------
    notes
        What :func:`shaped_notes` found.
    axes
        Axis letters of the series, for notes that name none.

    Notes
    -----
    People pass what they like as metadata. Understood are ``spacing`` or ``scale`` (a list
    with a step for each axis, or for each of z, y, x; a bare number is the distance of
    slices) with ``unit`` or ``units``, and OME's names (``PhysicalSizeX`` and
    ``PhysicalSizeXUnit``, ``TimeIncrement``). A size without a unit is no calibration.
    """
    named = notes.get("axes")
    letters = (named if isinstance(named, str) else axes).upper()
    unit = notes.get("unit", notes.get("units"))
    found = _listed(notes.get("spacing", notes.get("scale")), unit, letters)
    for letter in _SPACE:
        key = f"PhysicalSize{letter}"
        listed = found.get(letter, (None, _unit_of(unit, letter, letters)))
        found[letter] = (notes.get(key, listed[0]), notes.get(f"{key}Unit", listed[1]))
    if "TimeIncrement" in notes:
        found["T"] = (notes["TimeIncrement"], notes.get("TimeIncrementUnit"))
    steps: dict[str, tuple[float, str]] = {}
    for letter, (value, text) in found.items():
        step, clean = step_of(value), clean_unit(text)
        if step is not None and clean in (SECONDS if letter == "T" else MICROMETRES):
            steps[letter.lower()] = (step, str(clean))
    return steps


def _listed(spacing: Any, unit: Any, letters: str) -> dict[str, tuple[Any, Any]]:
    """Return step and unit for each axis of a list of steps."""
    if isinstance(spacing, (int, float)):
        return {"Z": (spacing, _unit_of(unit, "Z", letters))}
    if not isinstance(spacing, Sequence) or isinstance(spacing, str):
        return {}
    space = "".join(letter for letter in letters if letter in _SPACE)
    counted = next((axes for axes in (letters, space) if len(axes) == len(spacing)), "")
    return {
        letter: (step, _unit_of(unit, letter, counted))
        for letter, step in zip(counted, spacing, strict=False)
        if letter in "TZYX"
    }


def _unit_of(unit: Any, letter: str, letters: str) -> Any:
    """Return the unit of one axis, from one for all or from a list of them."""
    if not isinstance(unit, Sequence) or isinstance(unit, str):
        return unit
    space = "".join(each for each in letters if each in _SPACE)
    counted = next((axes for axes in (letters, space) if len(axes) == len(unit)), "")
    return unit[counted.index(letter)] if letter in counted else None
