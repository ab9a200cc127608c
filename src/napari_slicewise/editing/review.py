"""What to look at next: a queue of doubts, and what was decided about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.numbering import distinct
from napari_slicewise.editing.objects import ObjectTable
from napari_slicewise.io.source import ArraySource, SliceIndex

__all__ = ["Doubt", "Review", "find_doubts"]

Kind = Literal["empty", "gap", "broken", "uncertain", "size"]

_UNCERTAIN = 0.7  # mean probability below which an object is doubted
_ODD = 3.5  # robust z-score from which on a size is odd (Iglewicz and Hoaglin, 1993)
_LOOK_BACK = 50  # slices, for gaps
_SHARED = 0.3  # of the smaller area, for an end and a beginning to be one object


@dataclass(frozen=True)
class Doubt:
    """Something that a human should look at.

    Parameters
    ----------
    kind
        ``empty`` (a slice without objects between others with), ``gap`` (an object that is
        missing on a slice), ``broken`` (one object ends where another begins), ``uncertain``,
        ``size``.
    index
        The slice to jump to.
    number
        The object; 0 where there is none.
    weight
        How urgent it is, 0..1.
    words
        Why, for the user.
    centre
        Row and column to look at; None for the whole slice.
    """

    kind: Kind
    index: SliceIndex
    number: int
    weight: float
    words: str
    centre: tuple[float, float] | None = None

    @property
    def key(self) -> str:
        """What it is known by when the labels are looked at again."""
        return f"{self.kind}:{self.number}:{','.join(map(str, self.index))}"


@dataclass
class Review:
    """The doubts in the order in which to look at them, and what was decided.

    Parameters
    ----------
    doubts
        From :func:`find_doubts`.
    decided
        ``accepted`` or ``deleted`` by the doubt's key; outlives a new search for doubts.
    """

    doubts: list[Doubt] = field(default_factory=list)
    decided: dict[str, str] = field(default_factory=dict)

    @property
    def open(self) -> list[Doubt]:
        """Doubts that were not decided yet, the most urgent first."""
        return [doubt for doubt in self.doubts if doubt.key not in self.decided]

    @property
    def progress(self) -> tuple[int, int]:
        """How many doubts of how many are decided."""
        return len(self.doubts) - len(self.open), len(self.doubts)

    def after(self, doubt: Doubt | None) -> Doubt | None:
        """Return the next open doubt after one, from the start again at the end."""
        if doubt is None or doubt not in self.doubts:
            return next(iter(self.open), None)
        place = self.doubts.index(doubt)
        around = self.doubts[place + 1 :] + self.doubts[: place + 1]
        return next((other for other in around if other.key not in self.decided), None)

    def decide(self, doubt: Doubt, what: Literal["accepted", "deleted"]) -> None:
        """Close a doubt."""
        self.decided[doubt.key] = what

    def reopen(self, doubt: Doubt) -> None:
        """Take a decision back."""
        self.decided.pop(doubt.key, None)

    def states(self) -> dict[int, str]:
        """Return what to say of objects in the table."""
        return {
            d.number: self.decided[d.key] for d in self.doubts if d.number and d.key in self.decided
        }

    def plain(self) -> dict[str, Any]:
        """Return what JSON can hold; the doubts are found again."""
        return {"decided": dict(sorted(self.decided.items()))}

    @classmethod
    def of_plain(cls, document: dict[str, Any]) -> Review:
        """Return the decisions that :meth:`plain` described."""
        return cls([], {str(k): str(v) for k, v in dict(document.get("decided", {})).items()})


def find_doubts(labels: ArraySource, table: ObjectTable, locks: Locks | None = None) -> list[Doubt]:
    """Look for what may be wrong, the most urgent first; the order depends on nothing else.

    Parameters
    ----------
    labels
        The labels; read once, slice by slice.
    table
        Their objects, measured now; ``confidence`` is used where it is there.
    locks
        Objects and slices that are locked or done are not doubted.
    """
    held = locks or Locks()
    found = [*_between_slices(labels), *_uncertain(table), *_odd_sizes(table)]
    kept = [d for d in found if d.number not in held.objects and not held.holds_slice(d.index)]
    return sorted(kept, key=lambda d: (-round(d.weight, 6), d.index, d.number, d.kind))


def _centres(table: ObjectTable) -> list[tuple[float, float]]:
    names = [name for name in table.columns if name.startswith("centroid_")][-2:]
    rows, columns = (table.columns[name].tolist() for name in names)
    return list(zip(rows, columns, strict=True))


def _middles(table: ObjectTable) -> list[SliceIndex]:
    """Return a slice in the middle of each object."""
    lasts = [
        tuple(int(n) for n in text.split(",") if n) for text in table.columns["last_slice"].tolist()
    ]
    return [
        (*a[:-1], (a[-1] + b[-1]) // 2) if a and a[:-1] == b[:-1] else a
        for a, b in zip(table.first, lasts, strict=True)
    ]


def _uncertain(table: ObjectTable) -> Iterator[Doubt]:
    confidence = table.columns.get("confidence")
    if confidence is None:
        return
    rows = zip(
        table.numbers.tolist(), _middles(table), confidence.tolist(), _centres(table), strict=True
    )
    for number, index, value, centre in rows:
        if value < _UNCERTAIN:
            words = f"Object {number} is uncertain: mean probability {value:.2f}"
            yield Doubt("uncertain", index, number, 1.0 - value, words, centre)


def _odd_sizes(table: ObjectTable) -> Iterator[Doubt]:
    pixels = table.columns["pixels"].astype(float)
    if len(pixels) < 5:
        return
    logs = np.log(pixels)
    middle = float(np.median(logs))
    spread = float(np.median(np.abs(logs - middle))) or 0.05  # all of one size: 5 % is odd too
    scores = 0.6745 * (logs - middle) / spread
    rows = zip(
        table.numbers.tolist(), _middles(table), scores.tolist(), _centres(table), strict=True
    )
    for place, (number, index, score, centre) in enumerate(rows):
        if abs(score) > _ODD:
            how = "large" if score > 0 else "small"
            times = pixels[place] / np.exp(middle)
            words = f"Object {number} is unusually {how}: {times:.2g} times the median size"
            yield Doubt("size", index, number, min(abs(score) / 50, 0.5), words, centre)


def _between_slices(labels: ArraySource) -> Iterator[Doubt]:
    """Follow the objects along the last leading axis."""
    if not labels.leading_axes:
        return
    for outer in np.ndindex(*labels.leading_shape[:-1]):
        yield from _along(labels, tuple(outer))


def _along(labels: ArraySource, outer: SliceIndex) -> Iterator[Doubt]:
    last_seen: dict[int, int] = {}
    previous: NDArray[Any] | None = None
    full: list[int] = []
    for z in range(labels.leading_shape[-1]):
        values = labels.read_slice((*outer, z))[0]
        numbers = distinct(values).tolist()
        if numbers:
            if full and z - full[-1] > 1:
                yield from _empty(outer, full[-1], z)
            full.append(z)
        for number in numbers:
            # Slices without any object are a doubt of their own.
            missing = [y for y in full[-_LOOK_BACK:] if last_seen.get(number, z) < y < z]
            if missing:
                first = missing[0]
                words = f"Object {number} is missing on {_slices(first, missing[-1])}"
                yield Doubt("gap", (*outer, first), number, 0.9, words, _centre(values, number))
        if previous is not None:
            yield from _broken(outer, z, previous, values, set(last_seen))
        last_seen.update(dict.fromkeys(numbers, z))
        previous = np.array(values)


def _empty(outer: SliceIndex, before: int, after: int) -> Iterator[Doubt]:
    words = f"{_slices(before + 1, after - 1).capitalize()} without objects, between others with"
    yield Doubt("empty", (*outer, before + 1), 0, 1.0, words)


def _broken(
    outer: SliceIndex,
    z: int,
    previous: NDArray[Any],
    values: NDArray[Any],
    seen: Iterable[int],
) -> Iterator[Doubt]:
    """Find objects that end where others begin, from one slice to the next."""
    here, before = set(distinct(values).tolist()), set(distinct(previous).tolist())
    begun, gone = here - set(seen), before - here
    if not begun or not gone:
        return
    both = np.isin(values, list(begun)) & np.isin(previous, list(gone))
    if not both.any():
        return
    pairs, shared = np.unique(
        np.stack([previous[both], values[both]]).astype(np.int64), axis=1, return_counts=True
    )
    for one, other, count in zip(*pairs.tolist(), shared.tolist(), strict=True):
        smaller = min(np.count_nonzero(previous == one), np.count_nonzero(values == other))
        if count >= _SHARED * smaller:
            words = f"Object {one} ends on slice {z - 1} where object {other} begins"
            centre = _centre(values, other)
            yield Doubt("broken", (*outer, z), one, 0.8, words, centre)


def _centre(values: NDArray[Any], number: int) -> tuple[float, float]:
    rows, columns = np.nonzero(values == number)
    return float(rows.mean()), float(columns.mean())


def _slices(first: int, last: int) -> str:
    return f"slice {first}" if first == last else f"slices {first} to {last}"
