"""Objects of a run that lie in too few slices: taken out of the labels, and kept aside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.editing.compact import CompactSlices
from napari_slicewise.editing.edits import Edit, Patch, slice_patch
from napari_slicewise.editing.errors import EditError
from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.wording import counted
from napari_slicewise.io.source import ArraySource, SliceIndex

__all__ = ["LeftOut"]


class LeftOut:
    """What was taken out, slice by slice, until a run writes the slice again.

    Parameters
    ----------
    shape
        Of a slice, ``(y, x)``.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._slices = CompactSlices(shape, np.uint32)
        self._of: dict[SliceIndex, set[int]] = {}

    @property
    def numbers(self) -> list[int]:
        """The objects, in order."""
        return sorted(set().union(*self._of.values())) if self._of else []

    def at(self, index: SliceIndex, row: int, column: int) -> int:
        """Return which object was taken out at a pixel; 0 for none."""
        return int(self._slices.get(index)[row, column]) if index in self._of else 0

    def keep(self, index: SliceIndex, machine: NDArray[Any], numbers: Iterable[int]) -> None:
        """Keep some objects of a slice of the machine's, ``(y, x)``, before they are taken out."""
        chosen = list(numbers)
        here = np.isin(machine, chosen)
        if here.any():
            self._slices.put(index, np.where(here, machine, self._slices.get(index)))
            self._of.setdefault(index, set()).update(np.unique(machine[here]).tolist())

    def forget(self, index: SliceIndex) -> None:
        """Let go what was taken out of a slice: a run has written it again."""
        if self._of.pop(index, None) is not None:
            self._slices.discard(index)

    def brought_back(
        self, labels: ArraySource, locks: Locks, numbers: Iterable[int] | None = None
    ) -> Edit:
        """Return the edit that draws objects again where there is background by now.

        They are the human's from then on: the next run leaves them alone.

        Parameters
        ----------
        labels
            The labels.
        locks
            Slices that stay as they are.
        numbers
            The objects; None for all.

        Raises
        ------
        EditError
            When there is nothing to draw.
        """
        wanted = set(self.numbers if numbers is None else numbers)
        patches: list[Patch] = []
        drawn: set[int] = set()
        for index, own in sorted(self._of.items()):
            if own.isdisjoint(wanted) or locks.holds_slice(index):
                continue
            current, kept = labels.read_slice(index)[0], self._slices.get(index)
            new = np.where((current == 0) & np.isin(kept, list(wanted)), kept, current)
            patch = slice_patch(labels, index, (0, 0), current, new)
            if patch is not None:
                patches.append(patch)
                drawn.update(np.unique(patch.new).tolist())
        if not patches:
            raise EditError("They are there already, or on locked slices.")
        return Edit(tuple(patches), f"brought {counted(len(drawn), 'object')} back")

    def close(self) -> None:
        """Give the memory back."""
        self._of.clear()
        self._slices.close()
