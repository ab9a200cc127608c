"""Slices in order, each held back until nothing in it can change any more."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.instances.link import Index
from napari_slicewise.instances.slice_linker import LinkedSlice, SliceLinker

__all__ = ["FinalNumbers", "NumberTable"]

NumberTable = NDArray[np.uint32]
"""``(n + 1,)``: for a slice's local numbers 0..n those of the stack, 0 for what is left out."""


class FinalNumbers:
    """Turns the numbers of a linker into final ones, 1..N in the order of appearance.

    For slices that come in order. Where every object is kept, nothing is held back.
    Else a slice waits for as many further ones as it takes to know which of its objects
    are left out: ``least_slices + gap`` at most. Of slices that wait only their tables are
    held here.

    Parameters
    ----------
    linker
        Links the slices.
    largest
        The largest number that an earlier run has written; up to it numbers stay.
    """

    def __init__(self, linker: SliceLinker, largest: int = 0) -> None:
        self._linker = linker
        self._largest = largest
        self._next = largest + 1
        self._number = {0: 0}
        self._held: list[tuple[Index, NumberTable]] = []

    def add(self, index: Index, linked: LinkedSlice) -> list[tuple[Index, NumberTable]]:
        """Take the next slice, and return the tables of those that are final by now."""
        if linked.renamed:
            self._held = [(i, _renamed(table, linked.renamed)) for i, table in self._held]
        self._held.append((index, linked.table))
        ready = 0
        while ready < len(self._held) and self._linker.settled(self._held[ready][0]):
            ready += 1
        return self._release(ready)

    def finish(self) -> list[tuple[Index, NumberTable]]:
        """Return what is held when no more slices come; what is undecided is kept."""
        return self._release(len(self._held))

    def _release(self, count: int) -> list[tuple[Index, NumberTable]]:
        released, self._held = self._held[:count], self._held[count:]
        return [(index, self._finally(table)) for index, table in released]

    def _finally(self, table: NumberTable) -> NumberTable:
        for number in sorted(set(table.tolist())):
            if number <= self._largest:
                self._number.setdefault(number, number)
            elif number not in self._number:
                self._number[number] = self._next
                self._next += 1
        return _renamed(table, self._number)


def _renamed(table: NumberTable, mapping: Mapping[int, int]) -> NumberTable:
    return np.array([mapping.get(number, number) for number in table.tolist()], np.uint32)
