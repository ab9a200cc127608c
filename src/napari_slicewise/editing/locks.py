"""What nothing may change: locked objects, locked slices, slices that are done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.editing.numbering import same_objects
from napari_slicewise.io.source import SliceIndex

__all__ = ["Locks", "without_rims"]

_SAME = 0.5  # intersection over union from which on an object is the locked one itself


@dataclass
class Locks:
    """Objects and slices that neither a run nor a tool changes.

    Parameters
    ----------
    objects
        Numbers of locked objects.
    slices
        Locked slices.
    done
        Slices that were looked at and are right; they are locked too.
    """

    objects: set[int] = field(default_factory=set)
    slices: set[SliceIndex] = field(default_factory=set)
    done: set[SliceIndex] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.objects or self.slices or self.done)

    def holds_slice(self, index: SliceIndex) -> bool:
        """Whether a whole slice is locked."""
        return index in self.slices or index in self.done

    def mask(self, index: SliceIndex, values: NDArray[Any]) -> NDArray[np.bool_] | None:
        """Return which pixels of a slice are locked.

        Parameters
        ----------
        index
            The slice.
        values
            Its labels or a piece of them, ``(y, x)``.

        Returns
        -------
        NDArray or None
            ``(y, x)``; None when there is no locked pixel.
        """
        if self.holds_slice(index):
            return np.ones(values.shape, bool)
        if not self.objects:
            return None
        locked = np.isin(values, np.fromiter(self.objects, values.dtype, len(self.objects)))
        return locked if locked.any() else None

    def rename(self, mapping: dict[int, int]) -> None:
        """Let locked objects follow when they get other numbers."""
        self.objects = {mapping.get(number, number) for number in self.objects}

    def plain(self) -> dict[str, list[Any]]:
        """Return what JSON can hold."""
        return {
            "objects": sorted(self.objects),
            "slices": sorted(list(index) for index in self.slices),
            "done": sorted(list(index) for index in self.done),
        }

    @classmethod
    def of_plain(cls, document: dict[str, Any]) -> Locks:
        """Return the locks that :meth:`plain` described."""
        return cls(
            {int(number) for number in document.get("objects", ())},
            {tuple(map(int, index)) for index in document.get("slices", ())},
            {tuple(map(int, index)) for index in document.get("done", ())},
        )


def without_rims(
    machine: NDArray[Any],  # (y, x)
    current: NDArray[Any],  # (y, x)
    locks: Locks,
) -> NDArray[Any]:  # (y, x)
    """Leave out what a new result adds around locked objects, which keep their shapes.

    Parameters
    ----------
    machine
        The new result.
    current
        The labels as they are.
    locks
        What is locked.

    Returns
    -------
    NDArray
        ``machine`` without the objects that are locked ones, found again.
    """
    if not locks.objects:
        return machine
    locked = np.where(np.isin(current, list(locks.objects)), current, 0)
    rims = [own for iou, own, _ in same_objects(machine, locked) if iou >= _SAME]
    return np.where(np.isin(machine, rims), 0, machine) if rims else machine
