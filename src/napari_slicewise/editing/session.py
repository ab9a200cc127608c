"""A labels array that the machine and a human write at the same time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.io.source import ArraySource, SliceIndex

__all__ = ["EditSession", "merge_around_edits"]


def merge_around_edits(
    current: NDArray[Any],  # (y, x)
    baseline: NDArray[Any],  # (y, x)
    machine: NDArray[Any],  # (y, x)
) -> NDArray[Any]:
    """Take the machine's new slice, except where a human changed the old one.

    Parameters
    ----------
    current
        The slice as it is now, ``(y, x)``.
    baseline
        What the machine had written there before, ``(y, x)``; zeros where it had not.
    machine
        The machine's new answer, ``(y, x)``.

    Returns
    -------
    NDArray
        ``current`` where it differs from ``baseline``, else ``machine``; dtype of ``current``.
    """
    return np.where(current != baseline, current, machine).astype(current.dtype, copy=False)


class EditSession:
    """Writes finished slices into a labels array around what a human painted meanwhile.

    The array starts blank, so whatever is in a slice before the machine's answer
    arrives was put there by hand. Numbers that the human uses are left to the human:
    a machine object with such a number gets a new one, the same in all later slices.

    Parameters
    ----------
    labels
        The labels, ``(..., y, x)``, with the axes of the image; written in place.
    renumber
        Whether the values number objects; classes keep their numbers.
    """

    def __init__(self, labels: ArraySource, *, renumber: bool = True) -> None:
        self._labels = labels
        self._renumber = renumber
        self._new_number: dict[int, int] = {}
        self._by_hand: set[int] = set()
        self._largest = 0

    @property
    def next_free(self) -> int:
        """A number that no object has."""
        return self._largest + 1

    def merge(self, index: SliceIndex, machine: NDArray[Any]) -> None:
        """Write one slice of the machine's, ``(y, x)``, around the strokes already there."""
        current = self._labels.read_slice(index)[0]
        if self._renumber:
            machine = self._without_collisions(current, machine)
        merged = merge_around_edits(current, np.zeros((), current.dtype), machine)
        self._labels.write_slice(index, merged)

    def _without_collisions(self, current: NDArray[Any], machine: NDArray[Any]) -> NDArray[Any]:
        numbers = np.unique(machine)
        self._by_hand.update(int(n) for n in np.unique(current) if n)
        self._largest = max(self._largest, int(numbers[-1]), *self._by_hand, 0)
        lookup = {}
        for number in (int(n) for n in numbers if n):
            if number in self._by_hand or number in self._new_number:
                if number not in self._new_number:
                    self._largest += 1
                    self._new_number[number] = self._largest
                lookup[number] = self._new_number[number]
        if not lookup:
            return machine
        table = np.arange(int(numbers[-1]) + 1, dtype=np.int64)
        for old, new in lookup.items():
            table[old] = new
        renumbered: NDArray[Any] = table[machine]
        return renumbered
