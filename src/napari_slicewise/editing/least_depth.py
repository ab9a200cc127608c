"""Objects of a run that lie in too few slices, taken out when the run is complete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.editing.numbering import distinct
from napari_slicewise.editing.session import EditSession
from napari_slicewise.io.source import SliceIndex

__all__ = ["ObjectDepths"]


class ObjectDepths:
    """Which objects of one run are in which slices, and how the shallow ones are taken out.

    While a run fills the labels a human may paint on its objects, so nothing is left out
    before its end. The result is then what a run with final numbers gives.
    """

    def __init__(self) -> None:
        self._places: dict[int, set[SliceIndex]] = {}
        self._indices: set[SliceIndex] = set()
        self.removed = 0

    def add(
        self,
        index: SliceIndex,
        machine: NDArray[Any],  # (y, x)
        renamed: Mapping[int, int],
    ) -> None:
        """Take a finished slice.

        Parameters
        ----------
        index
            The slice.
        machine
            ``(y, x)``, in the numbers of the run.
        renamed
            Numbers of earlier slices that hold no more, and what they are now.
        """
        for old, new in renamed.items():
            self._places.setdefault(new, set()).update(self._places.pop(old, ()))
        self._indices.add(index)
        for number in distinct(machine).tolist():
            self._places.setdefault(number, set()).add(index)

    def shallow(self, least: int) -> dict[int, set[SliceIndex]]:
        """Return the objects in fewer slices, unless the border of the run cuts them."""
        return {
            number: places
            for number, places in self._places.items()
            if 0 < len(places) < least and not any(map(self._is_cut, places))
        }

    def take_out(self, session: EditSession, least: int) -> Iterator[set[SliceIndex]]:
        """Take shallow objects out of the labels and the baseline, a slice at a time.

        What a human touched anywhere stays, and so does what is locked.

        Parameters
        ----------
        session
            Which the run was written to; its numbers must still be those of the run.
        least
            Smallest number of slices of an object.

        Yields
        ------
        set of SliceIndex
            The slices that changed; empty while there is only looking.
        """
        places = {session.numbering.written(n): at for n, at in self.shallow(least).items()}
        touched = set(session.locks.objects)
        looked_at = set().union(*places.values(), session.ownership.marked) if places else set()
        for index in sorted(looked_at):
            touched |= _touched(session, index)
            yield set()
        by_first: dict[SliceIndex, list[int]] = {}
        for number, at in places.items():
            if number not in touched and not any(map(session.locks.holds_slice, at)):
                by_first.setdefault(min(at), []).append(number)
        for first in sorted(by_first):
            numbers = by_first[first]
            here = set().union(*(places[number] for number in numbers))
            yield self._take_out_of(session, numbers, here, places)

    def _take_out_of(
        self,
        session: EditSession,
        numbers: list[int],
        indices: set[SliceIndex],
        places: Mapping[int, set[SliceIndex]],
    ) -> set[SliceIndex]:
        touched: set[int] = set()  # since it was looked at
        for index in indices:
            touched |= _touched(session, index)
        gone = [number for number in numbers if number not in touched]
        self.removed += len(gone)
        here = set().union(*(places[number] for number in gone)) if gone else set()
        own = session.ownership
        for index in here:
            own.left_out.keep(index, own.machine.get(index), gone)
        return set(session.rename_written(dict.fromkeys(gone, 0), here))

    def _is_cut(self, index: SliceIndex) -> bool:
        if not index:
            return True
        return any((*index[:-1], index[-1] + step) not in self._indices for step in (-1, 1))


def _touched(session: EditSession, index: SliceIndex) -> set[int]:
    """Return the numbers of what a human changed in a slice, there or underneath."""
    edited = session.edited(index)
    if not edited.any():
        return set()
    current = session.labels.read_slice(index)[0]
    machine = session.ownership.machine.get(index)
    return {int(n) for values in (current, machine) for n in np.unique(values[edited]) if n}
