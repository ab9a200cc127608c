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
    arrives was put there by hand. A number that the human was the first to use is left
    to the human: a machine object with that number gets a new one, the same in all later
    slices. Painting with a number of the machine's continues that object.

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
        self._largest = 0
        self._largest_of_machine = 0

    @property
    def next_free(self) -> int:
        """A number that no object has."""
        return self._largest + 1

    def reserve(self, number: int) -> None:
        """Leave a number to the human, who painted with it, unless it is the machine's."""
        if self._renumber and number > self._largest_of_machine:
            self._largest = max(self._largest, number)
            self._new_number.setdefault(number, 0)  # the new one is chosen when it is needed

    def merge(self, index: SliceIndex, machine: NDArray[Any]) -> NDArray[Any]:
        """Write one slice of the machine's, ``(y, x)``, around the strokes already there.

        Returns
        -------
        NDArray
            ``(y, x)``: the machine's slice with the numbers that its objects have got,
            what lies under the strokes included.
        """
        current = self._labels.read_slice(index)[0]
        painted = bool(current.any())
        if self._renumber:
            if painted:
                for number in np.unique(current[current > 0]):
                    self.reserve(int(number))
            machine = self._without_collisions(machine)
        merged = merge_around_edits(current, np.zeros((), current.dtype), machine)
        self._labels.write_slice(index, merged if painted else machine)
        return machine

    def _without_collisions(self, machine: NDArray[Any]) -> NDArray[Any]:
        largest = int(machine.max(initial=0))
        self._largest = max(self._largest, largest)
        colliding = [number for number in self._new_number if number <= largest]
        if colliding:
            table = np.arange(largest + 1, dtype=np.uint32)
            for number in colliding:
                if not self._new_number[number]:
                    self._largest += 1
                    self._new_number[number] = self._largest
                table[number] = self._new_number[number]
            machine = table[machine]
            largest = max(largest, *(self._new_number[number] for number in colliding))
        self._largest_of_machine = max(self._largest_of_machine, largest)
        return machine
