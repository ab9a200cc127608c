"""Which number belongs to whom, and which one an object of the machine gets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Numbering", "distinct", "renumbered", "same_objects"]

_TABLE = 1 << 24  # numbers up to here are looked up in a table
_LARGEST = 2**32 - 1
_LEAST_IOU = 0.1
_LEAST_COVERED = 0.5


def distinct(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return the numbers in labels of any shape, 0 left out, in order."""
    flat, starts = _runs(values)
    found = np.unique(flat[starts]).astype(np.int64)
    kept: NDArray[np.int64] = found[found != 0]
    return kept


def _runs(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return labels as one row, and where its runs of one number begin: few of many pixels."""
    flat = values.ravel()
    starts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return flat, np.concatenate([np.zeros(min(flat.size, 1), np.int64), starts])


def renumbered(values: NDArray[Any], mapping: Mapping[int, int]) -> NDArray[Any]:
    """Give objects other numbers, all at once.

    Parameters
    ----------
    values
        Labels of any shape.
    mapping
        Old to new numbers.

    Returns
    -------
    NDArray
        A new array; ``values`` itself when nothing changes.
    """
    largest = int(values.max(initial=0))
    changes = {old: new for old, new in mapping.items() if 0 < old <= largest and old != new}
    if not changes:
        return values
    if largest < _TABLE:
        table = np.arange(largest + 1, dtype=np.uint32)
        table[list(changes)] = list(changes.values())
        renamed = table[values]
    else:
        numbers, places = np.unique(values, return_inverse=True)
        new = [changes.get(int(number), int(number)) for number in numbers]
        renamed = np.array(new, np.uint32)[places].reshape(values.shape)
    return values if np.array_equal(renamed, values) else renamed


def same_objects(
    new: NDArray[Any],  # (y, x)
    old: NDArray[Any],  # (y, x)
    least_iou: float = _LEAST_IOU,
) -> list[tuple[float, int, int]]:
    """Find the objects of two results that are the same, one to one, the best pairs first.

    A pair has an intersection over union of ``least_iou`` or shares half of the smaller area.

    Returns
    -------
    list of (iou, new, old)
        In falling order of the intersection over union.
    """
    starts, lengths = _common_runs(new, old)
    ours, theirs = new.ravel()[starts], old.ravel()[starts]
    both = (ours > 0) & (theirs > 0)
    if not both.any():
        return []
    code = (ours[both].astype(np.uint64) << np.uint64(32)) | theirs[both].astype(np.uint64)
    codes, places = np.unique(code, return_inverse=True)
    shared = np.bincount(places, lengths[both]).astype(np.int64)
    pairs = [(int(pair >> np.uint64(32)), int(pair & np.uint64(_LARGEST))) for pair in codes]
    area_new, area_old = _areas(ours, lengths), _areas(theirs, lengths)
    candidates = []
    for (one, other), count in zip(pairs, shared.tolist(), strict=True):
        iou = count / (area_new[one] + area_old[other] - count)
        covered = count / min(area_new[one], area_old[other])
        if iou >= least_iou or covered >= _LEAST_COVERED:
            candidates.append((iou, one, other))
    chosen: list[tuple[float, int, int]] = []
    taken_new: set[int] = set()
    taken_old: set[int] = set()
    for iou, one, other in sorted(candidates, key=lambda c: (-c[0], c[1], c[2])):
        if one not in taken_new and other not in taken_old:
            taken_new.add(one)
            taken_old.add(other)
            chosen.append((iou, one, other))
    return chosen


def _common_runs(
    one: NDArray[Any], other: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the runs of pixels begin that have one number in both, and their lengths."""
    flat_one, flat_other = one.ravel(), other.ravel()
    changes = flat_one[1:] != flat_one[:-1]
    changes |= flat_other[1:] != flat_other[:-1]
    first = np.zeros(min(flat_one.size, 1), np.int64)
    starts = np.concatenate([first, np.flatnonzero(changes) + 1])
    return starts, np.diff(np.append(starts, flat_one.size))


def _areas(numbers: NDArray[Any], lengths: NDArray[np.int64]) -> dict[int, int]:
    """Return the area of each number in pixels, from the runs of a slice."""
    if int(numbers.max(initial=0)) < _TABLE and int(numbers.min(initial=0)) >= 0:
        counted = np.bincount(numbers.astype(np.int64), lengths)
        found = np.flatnonzero(counted)
        return dict(zip(found.tolist(), counted[found].astype(np.int64).tolist(), strict=True))
    found, places = np.unique(numbers, return_inverse=True)
    areas = np.bincount(places, lengths).astype(np.int64)
    return dict(zip(found.tolist(), areas.tolist(), strict=True))


class Numbering:
    """Which numbers are in use, whose they are, and what the objects of a run are called.

    A number belongs to who used it first. The machine's own numbers hold for one run: an
    object keeps its number where it is free, gets the one that it had in the run before
    where it is the same object, and else a new one.
    """

    def __init__(self) -> None:
        self.human: set[int] = set()
        self.machine: set[int] = set()  # of all runs
        self._of_run: dict[int, int] = {}
        self._claimed: set[int] = set()  # numbers that objects of this run have
        self._unmatched: set[int] = set()  # objects of this run without a counterpart so far
        self._largest = 0
        self.knows_runs_before = False

    @property
    def next_free(self) -> int:
        """A number that no object has."""
        if self._largest < _LARGEST:
            return self._largest + 1
        used = self.human | self.machine
        return next(number for number in range(1, _LARGEST) if number not in used)

    def begin_run(self) -> None:
        """Begin with other numbers of the machine's, which mean nothing yet."""
        self.knows_runs_before = bool(self.machine)
        self._of_run.clear()
        self._claimed.clear()
        self._unmatched.clear()

    def reserve(self, number: int) -> None:
        """Leave a number to the human, unless it is the machine's."""
        if number > 0 and number not in self.machine:
            self.human.add(number)
            self._largest = max(self._largest, number)

    def knows(self, number: int) -> bool:
        """Whether an object of this run has been called so."""
        return number in self._of_run

    def written(self, number: int) -> int:
        """Return what the object ``number`` of this run is called; 0 is the background."""
        if number == 0:
            return 0
        if number not in self._of_run:
            self._unmatched.add(number)
            free = number not in self.human and number not in self.machine
            self._give(number, number if free else self.next_free)
        return self._of_run[number]

    def all_matched(self, numbers: Iterable[int]) -> bool:
        """Whether all of these objects of this run have their counterpart or a number already."""
        return all(own in self._of_run and own not in self._unmatched for own in numbers)

    def match(self, pairs: Iterable[tuple[float, int, int]], forbidden: set[int]) -> dict[int, int]:
        """Give objects of this run the numbers of their counterparts.

        Parameters
        ----------
        pairs
            From :func:`same_objects`, in numbers of this run and of the labels.
        forbidden
            Numbers that no object of the machine may get, the locked ones.

        Returns
        -------
        dict
            Old to new numbers of objects that were written in this run already.
        """
        changed: dict[int, int] = {}
        for _, own, number in pairs:
            if number in self._claimed or number in forbidden or number not in self.machine:
                continue
            if own in self._of_run and own not in self._unmatched:
                continue
            if own in self._of_run:
                before = self._of_run[own]
                self._claimed.discard(before)
                changed[before] = number
            self._unmatched.discard(own)
            self._give(own, number)
        return changed

    def written_before(self, number: int) -> None:
        """Take a number for one that the machine used in an earlier run."""
        self.machine.add(number)
        self._largest = max(self._largest, number)

    def forget(self, number: int) -> None:
        """Let an object of this run be none any more."""
        self._of_run.pop(number, None)
        self._unmatched.discard(number)

    def note_largest(self, number: int) -> None:
        """Give no number up to this one to a new object."""
        self._largest = max(self._largest, number)

    def _give(self, own: int, number: int) -> None:
        self._of_run[own] = number
        self._claimed.add(number)
        self.machine.add(number)
        self._largest = max(self._largest, number)
