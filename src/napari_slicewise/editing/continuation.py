"""Objects of one run that go on in slices of another one."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Any

from numpy.typing import NDArray

from napari_slicewise.editing.numbering import distinct, same_objects
from napari_slicewise.editing.session import EditSession
from napari_slicewise.io.source import SliceIndex

__all__ = ["continue_neighbours"]


def continue_neighbours(
    session: EditSession,
    index: SliceIndex,
    machine: NDArray[Any],  # (y, x)
    beside: Iterable[SliceIndex],
) -> list[SliceIndex]:
    """Give objects of a slice the numbers that they have in slices of earlier runs beside it.

    Objects that an earlier run found in the slice itself keep their numbers. Of two
    objects of the slices beside it that turn out to be one, the second becomes the first.

    Parameters
    ----------
    session
        To which the slice was given just now.
    index
        The slice.
    machine
        As it was given to :meth:`EditSession.merge`, ``(y, x)``.
    beside
        Neighbours that are not of this run.

    Returns
    -------
    list of SliceIndex
        The slices that changed.
    """
    changed: list[SliceIndex] = []
    for near in beside:
        if near not in session.ownership.machine:
            continue
        # Half of the smaller area, as in the linking within a run.
        pairs = same_objects(machine, session.ownership.machine.get(near), inf)
        moved = session.numbering.match(pairs, session.locks.objects)
        changed += session.rename_written(moved, [index])
        joined = {
            number: session.numbering.written(own)
            for _, own, number in pairs
            if number not in session.locks.objects and number in session.numbering.machine
        }
        joined = {old: new for old, new in joined.items() if old != new}
        present = set(distinct(session.labels.read_slice(index)[0]).tolist())
        # An object of its own in this slice is not one with its neighbour in the same slice.
        changed += session.rename_written(
            {old: new for old, new in joined.items() if old not in present}, None
        )
    return changed
