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
    *,
    join: bool,
) -> list[SliceIndex]:
    """Give objects of a slice the numbers that they have in slices of earlier runs beside it.

    Objects that an earlier run found in the slice itself keep their numbers.

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
    join
        Whether two objects of the slices beside it that turn out to be one get one number.

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
        if join:
            changed += session.rename_written(_one_object(session, index, near, pairs), None)
    return changed


def _one_object(
    session: EditSession, index: SliceIndex, near: SliceIndex, pairs: list[tuple[float, int, int]]
) -> dict[int, int]:
    """Return the numbers of a neighbour's objects that have another one in this slice."""
    here = set(distinct(session.labels.read_slice(index)[0]).tolist())
    there = set(distinct(session.labels.read_slice(near)[0]).tolist())
    found = {number: session.numbering.written(own) for _, own, number in pairs}
    return {
        old: new
        for old, new in found.items()
        if old != new
        and old in session.numbering.machine
        and not {old, new} & session.locks.objects
        # In one slice they are two.
        and old not in here
        and new not in there
    }
