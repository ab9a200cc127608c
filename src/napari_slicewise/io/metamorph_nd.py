"""MetaMorph's ``.nd``: a list of dimensions beside one STK file a channel, stage and time."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from napari_slicewise.errors import ImageError
from napari_slicewise.io.file_names import Layout
from napari_slicewise.io.tiff_damage import short_name

__all__ = ["nd_layout"]

_SUFFIXES = (".stk", ".tif", ".tiff")


def nd_layout(path: Path) -> Layout:
    """Find the files that an ``.nd`` file speaks of.

    The files are called ``NAME_w1GFP_s2_t3.stk``; parts that count to one only may be
    missing, and the wavelength's name is there only with ``WaveInFileName``.

    Parameters
    ----------
    path
        The ``.nd`` file.

    Raises
    ------
    ImageError
        When it is no such file, or none of its images is there.
    """
    entries = _entries(path)
    if "NDInfoFile" not in entries:
        raise ImageError(f"{short_name(path)} is no MetaMorph file.", "Check what it really is.")
    counts = {
        "t": _count(entries, "DoTimelapse", "NTimePoints"),
        "p": _count(entries, "DoStage", "NStagePositions"),
        "c": _count(entries, "DoWave", "NWavelengths"),
    }
    places: dict[tuple[int, ...], Path] = {}
    axes = tuple(axis for axis, count in counts.items() if count > 1)
    for file in sorted(path.parent.iterdir()):
        named = file.name.lower().startswith(path.stem.lower()) and "thumb" not in file.name.lower()
        if not named or file.suffix.lower() not in _SUFFIXES:
            continue
        numbers = _numbers(file.stem[len(path.stem) :])
        place = tuple(numbers[axis] - 1 for axis in axes)
        if all(0 <= n < counts[axis] for n, axis in zip(place, axes, strict=True)):
            places.setdefault(place, file)
    if not places:
        raise ImageError(
            f"No image of {short_name(path)} is in its folder.",
            "Keep the .nd file in one folder with its .stk files.",
        )
    names = tuple(entries.get(f"WaveName{n + 1}", "") for n in range(counts["c"]))
    shape = tuple(counts[axis] for axis in axes)
    return Layout(axes, shape, places, names if counts["c"] > 1 else ())


def _entries(path: Path) -> dict[str, str]:
    text = path.read_text(encoding="latin-1")
    rows = csv.reader(text.splitlines(), skipinitialspace=True)
    return {row[0].strip(): row[1].strip() if len(row) > 1 else "" for row in rows if row}


def _count(entries: dict[str, str], switch: str, key: str) -> int:
    """Return the size of a dimension; one that is switched off has the size 1."""
    number = entries.get(key, "1")
    on = entries.get(switch, "FALSE").upper() == "TRUE"
    return max(1, int(number)) if on and number.isdigit() else 1


def _numbers(text: str) -> dict[str, int]:
    """Return the numbers of time, stage and wavelength in a name; 1 where there is none."""
    numbers = {"t": 1, "p": 1, "c": 1}
    for axis, letter in (("t", "t"), ("p", "s"), ("c", "w")):
        found = re.search(rf"_{letter}(\d+)(?=_|\D|$)", text, re.IGNORECASE)
        if found:
            numbers[axis] = int(found[1])
    return numbers
