"""Axes from the numbers in the names of files."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Layout", "lay_out"]

_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_AXIS_WORDS = {
    "t": ("t", "time", "timepoint", "frame", "tp"),
    "p": ("p", "pos", "position", "s", "site", "f", "field", "xy", "series"),
    "z": ("z", "slice", "plane", "zplane", "sl"),
    "c": ("c", "ch", "chan", "channel", "w", "wavelength"),
}


@dataclass(frozen=True)
class Layout:
    """How files make up an image.

    Parameters
    ----------
    axes
        Names of the axes that the files' numbers count along.
    shape
        Sizes of these axes.
    places
        The file at each position; positions without a file are missing.
    names
        What the numbers of the channel axis are called.
    gaps
        A sentence for each axis whose numbers leave some out, as when a file was lost.
    """

    axes: tuple[str, ...]
    shape: tuple[int, ...]
    places: Mapping[tuple[int, ...], Path]
    names: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()


def lay_out(files: Sequence[Path]) -> Layout:
    """Find the axes in the numbers of the files' names.

    Parameters
    ----------
    files
        The files, in any order; other kinds of names among them are left out.
    """
    root = Path(_common_folder(files))
    names = {path: _GUID.sub("", path.relative_to(root).as_posix()) for path in files}
    templates: dict[str, list[Path]] = {}
    for path, name in names.items():
        templates.setdefault(re.sub(r"\d+", "#", name), []).append(path)
    template, chosen = max(templates.items(), key=lambda item: len(item[1]))
    words = [_last_word(part) for part in template.split("#")[:-1]]
    numbers = {path: tuple(int(n) for n in re.findall(r"\d+", names[path])) for path in chosen}
    table = np.array([numbers[path] for path in chosen])
    columns = _independent_columns(table, words)
    if math.prod(len(set(table[:, c])) for c in columns) > 4 * len(chosen):
        columns = columns[-1:]  # numbers that are no grid, such as dates: count along the last
    values = [sorted(set(table[:, c].tolist())) for c in columns]
    places = {
        tuple(values[i].index(numbers[path][c]) for i, c in enumerate(columns)): path
        for path in chosen
    }
    axes = _unique([_axis_of(words[c]) for c in columns])
    at = axes.index("c") if "c" in axes else None
    called = () if at is None else tuple(f"channel {n}" for n in values[at])
    found = (_gap(axis, numbers) for axis, numbers in zip(axes, values, strict=True))
    gaps = tuple(sentence for sentence in found if sentence)
    return Layout(tuple(axes), tuple(len(v) for v in values), places, called, gaps)


def _gap(axis: str, numbers: Sequence[int]) -> str:
    """Say which numbers are missing where the others follow each other by one step."""
    steps = np.diff(numbers)
    if axis in ("c", "p") or len(steps) < 2:
        return ""
    step = int(steps.min())
    missing = sorted(set(range(numbers[0], numbers[-1], step)) - set(numbers))
    if not missing or len(missing) > len(numbers) or (steps % step).any():
        return ""
    told = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
    return f"The files with the numbers {told} are missing along {axis}; the later ones move up"


def _common_folder(files: Sequence[Path]) -> Path:
    parents = {path.parent for path in files}
    first = min(parents, key=lambda parent: len(parent.parts))
    return first if len(parents) == 1 else first.parent


def _last_word(text: str) -> str:
    """Return the letters that stand right before a number, in lower case."""
    found = re.search(r"([A-Za-z]+)[ _\-=]*$", text)
    return found[1].lower() if found else ""


def _independent_columns(table: NDArray[Any], words: Sequence[str]) -> list[int]:
    """Return the columns of numbers that make up the grid.

    A column that follows from another, as an action counter follows the channel, is
    left out; of two that say the same, the one with a word that we know stays.
    """
    varying = [c for c in range(table.shape[1]) if len(set(table[:, c])) > 1]
    if not varying:
        return [table.shape[1] - 1] if table.shape[1] else []
    order = sorted(varying, key=lambda c: (_axis_of(words[c]) == "i", -len(set(table[:, c])), c))
    kept: list[int] = []
    for column in order:
        pairs = [len(set(zip(table[:, k], table[:, column], strict=True))) for k in kept]
        sizes = [len(set(table[:, k])) for k in kept]
        if not any(pair == size for pair, size in zip(pairs, sizes, strict=True)):
            kept.append(column)
    return sorted(kept, key=lambda c: ("tpizc".index(_axis_of(words[c])), c))


def _axis_of(word: str) -> str:
    """Return the axis that a word names; ``i`` for a word that names none."""
    for axis, words in _AXIS_WORDS.items():
        if word in words:
            return axis
    for axis, words in _AXIS_WORDS.items():
        if len(word) > 4 and any(len(known) > 3 and word.endswith(known) for known in words):
            return axis
    return "i"


def _unique(axes: Sequence[str]) -> list[str]:
    """Give axes that share a letter letters of their own."""
    spare = iter("ijklmnoq")
    found: list[str] = []
    for axis in axes:
        found.append(axis if axis not in found else next(s for s in spare if s not in found))
    return found
