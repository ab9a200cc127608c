"""Slices in order, each held back until nothing in it can change any more."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.instances.link import Index
from napari_slicewise.instances.slice_linker import LinkedSlice, SliceLinker

__all__ = ["FinalNumbers"]


class FinalNumbers:
    """Turns the numbers of a linker into final ones, 1..N in the order of appearance.

    For slices that come in order. Where every object is kept, nothing is held back.
    Else a slice waits for as many further ones as it takes to know which of its objects
    are left out: ``least_slices + gap`` at most.

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
        self._held: list[tuple[Index, NDArray[np.uint32]]] = []

    def add(self, index: Index, linked: LinkedSlice) -> list[tuple[Index, NDArray[np.uint32]]]:
        """Take the next slice, and return those that are final by now, ``(y, x)`` each."""
        if linked.renamed:
            self._held = [(i, _renamed(held, linked.renamed)) for i, held in self._held]
        self._held.append((index, linked.labels))
        ready = 0
        while ready < len(self._held) and self._linker.settled(self._held[ready][0]):
            ready += 1
        return self._release(ready)

    def finish(self) -> list[tuple[Index, NDArray[np.uint32]]]:
        """Return what is held when no more slices come; what is undecided is kept."""
        return self._release(len(self._held))

    def _release(self, count: int) -> list[tuple[Index, NDArray[np.uint32]]]:
        released, self._held = self._held[:count], self._held[count:]
        return [(index, self._finally(labels)) for index, labels in released]

    def _finally(self, labels: NDArray[np.uint32]) -> NDArray[np.uint32]:
        present, places = np.unique(labels, return_inverse=True)
        for number in present.tolist():
            if number <= self._largest:
                self._number.setdefault(number, number)
            elif number not in self._number:
                self._number[number] = self._next
                self._next += 1
        table = np.array([self._number[number] for number in present.tolist()], np.uint32)
        return table[places.reshape(labels.shape)]


def _renamed(labels: NDArray[np.uint32], mapping: Any) -> NDArray[np.uint32]:
    present, places = np.unique(labels, return_inverse=True)
    table = np.array([mapping.get(number, number) for number in present.tolist()], np.uint32)
    return table[places.reshape(labels.shape)]
