"""A labels array that the machine and a human write at the same time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.editing.edits import Edit
from napari_slicewise.editing.errors import EditError, check_numbers
from napari_slicewise.editing.history import EditHistory
from napari_slicewise.editing.listening import Change, SessionListener
from napari_slicewise.editing.locks import Locks, without_rims
from napari_slicewise.editing.numbering import Numbering, distinct, renumbered, same_objects
from napari_slicewise.editing.object_boxes import ObjectBoxes
from napari_slicewise.editing.ownership import Ownership, merge_around_edits
from napari_slicewise.editing.restoring import machine_version
from napari_slicewise.editing.workpiece import Workpiece
from napari_slicewise.io.source import ArraySource, SliceIndex

__all__ = ["EditSession", "merge_around_edits"]


class EditSession:
    """Writes finished slices into a labels array around what a human did there.

    What is in a slice and not the machine's was put there by hand, and stays: through
    later runs, other thresholds and other models. A number that the human was the first
    to use is left to the human: a machine object with that number gets a new one, the
    same in all slices of the run. Painting with a number of the machine's continues that
    object. An object that a new run finds again keeps its number.

    Parameters
    ----------
    labels
        The labels, ``(..., y, x)``, with the axes of the image; written in place.
    renumber
        Whether the values number objects; classes keep their numbers.
    listener
        Hears of every change, a journal for instance.

    Attributes
    ----------
    locks
        What nothing may change; to be changed by :meth:`set_locks`.
    ownership
        The machine's own labels, and which voxels are the human's.
    history
        The steps that :meth:`undo` takes back.
    objects
        Where the objects are. After voxels were written that the session was not told of,
        call its ``forget``.
    """

    def __init__(
        self,
        labels: ArraySource,
        *,
        renumber: bool = True,
        listener: SessionListener | None = None,
    ) -> None:
        self.labels = labels
        self.listener = listener
        self.locks = Locks()
        self.ownership = Ownership(labels)
        self.history = EditHistory(self.ownership)
        self.objects = ObjectBoxes(labels)
        self.renumber = renumber
        self.numbering = Numbering()
        self._of_run: set[SliceIndex] = set()

    @property
    def next_free(self) -> int:
        """A number that no object has."""
        return self.numbering.next_free

    def reserve(self, number: int) -> None:
        """Leave a number to the human, who painted with it, unless it is the machine's."""
        if self.renumber:
            self.numbering.reserve(number)

    def begin_run(self) -> None:
        """Say that the next slices come from another run: their numbers mean other objects."""
        self.numbering.begin_run()
        self._of_run.clear()

    def merge(self, index: SliceIndex, machine: NDArray[Any]) -> NDArray[Any]:
        """Write one slice of the machine's, ``(y, x)``, around what the human did.

        Returns
        -------
        NDArray
            ``(y, x)``: the machine's slice with the numbers that its objects have got,
            what lies under the strokes included.

        Raises
        ------
        WideningError
            When a number does not fit the labels; nothing was written. Change the labels
            by :meth:`use`, and merge again.
        """
        current = self.labels.read_slice(index)[0]
        edited = self.ownership.edited(index, current)
        by_hand = bool(edited.any())
        locked = self.locks.mask(index, current)
        if self.renumber:
            for number in distinct(current[edited]) if by_hand else ():
                self.reserve(int(number))
            machine = self._numbered(index, machine)
            machine = without_rims(machine, current, self.locks)
        check_numbers(int(machine.max(initial=0)), current.dtype)
        before = self.ownership.machine.get(index)
        kept = edited if locked is None else edited | locked
        untouched = not by_hand and locked is None
        merged = machine if untouched else np.where(kept, current, machine)
        self.labels.write_slice(index, merged.astype(current.dtype, copy=False))
        # Locked voxels stay the machine's: once unlocked, the next run may have them.
        self.ownership.rewrite(
            index, machine if locked is None else np.where(locked, before, machine)
        )
        self.ownership.mark(index, edited)
        self.objects.forget([index])
        self._of_run.add(index)
        if self.listener is not None:
            self.listener.rewritten([index])
        return machine

    def rename(
        self, mapping: Mapping[int, int], indices: Iterable[SliceIndex] | None = None
    ) -> list[SliceIndex]:
        """Give objects of the machine other numbers, after their slices were written.

        While slices arrive in any order, the machine may find that what it called 7 and
        what it called 3 are one object. Later slices must come with the new numbers.
        Strokes that continue an object follow it; numbers that are the human's stay.

        Parameters
        ----------
        mapping
            Old to new numbers, both as they were given to :meth:`merge`; all at once, so
            that ``{1: 2, 2: 1}`` swaps two objects.
        indices
            The slices to look at, where the caller knows them; None looks at all.

        Returns
        -------
        list of SliceIndex
            The slices that changed.

        Raises
        ------
        WideningError
            When a number does not fit the labels; nothing was written.
        """
        known = {old: new for old, new in mapping.items() if self.numbering.knows(old)}
        written = {
            self.numbering.written(old): self.numbering.written(new) for old, new in known.items()
        }
        changed = self.rename_written(written, indices)
        for old in known.keys() - set(known.values()):
            self.numbering.forget(old)
        return changed

    def note(self, edit: Edit) -> None:
        """Take an edit that the labels hold already, as after a stroke in the viewer."""
        self._tell(self.history.push(edit), edit, "edit")

    def apply(self, edit: Edit) -> None:
        """Write an edit into the labels, and take note of it."""
        edit.apply(self.labels.data)
        self.note(edit)

    def undo(self) -> Edit | None:
        """Take the last step back.

        Returns
        -------
        Edit or None
            What was written; None when there was no step. Where a viewer has taken the
            step back on its own before, writing it again does no harm, and replaces
            stale labels by what the machine says now.
        """
        return self._take_step(self.history.undo(), "undo")

    def redo(self) -> Edit | None:
        """Do the step again that was taken back last; None when there is none."""
        return self._take_step(self.history.redo(), "redo")

    def edited(self, index: SliceIndex) -> NDArray[np.bool_]:
        """Return which pixels of a slice are the human's, ``(y, x)``."""
        return self.ownership.edited(index, self.labels.read_slice(index)[0])

    def restore(
        self,
        indices: Iterable[SliceIndex],
        box: tuple[slice, slice] | None = None,
        number: int | None = None,
    ) -> Edit:
        """Return the edit that brings the machine's version back; see :meth:`apply`.

        Parameters
        ----------
        indices
            Slices.
        box
            Rows and columns; None for whole slices.
        number
            Only where this object is or was by the machine's account; None for all.

        Raises
        ------
        EditError
            When it is there already, or locked.
        """
        return machine_version(self.labels, self.ownership, self.locks, indices, box, number)

    def workpiece(self) -> Workpiece:
        """Return the labels as the tools want them; call :meth:`apply` with what they return."""
        return Workpiece(self.labels, self.locks, self.objects, self.next_free - 1)

    def set_locks(self, locks: Locks) -> None:
        """Lock other objects and slices than before."""
        self.locks = locks
        if self.listener is not None:
            self.listener.locked(locks)

    def use(self, labels: ArraySource) -> None:
        """Go on with another array of the same shape and labels, after a widening."""
        if labels.data.shape != self.labels.data.shape or labels.plane != self.labels.plane:
            raise EditError("The labels have another shape than before.", "Segment again.")
        self.labels = labels
        self.ownership.use(labels)
        self.objects = ObjectBoxes(labels)
        self.history.use(labels.dtype)
        if self.listener is not None:
            self.listener.replaced()

    def close(self) -> None:
        """Give the memory back; the labels stay as they are."""
        self.ownership.close()
        self.history.clear()

    def _numbered(self, index: SliceIndex, machine: NDArray[Any]) -> NDArray[Any]:
        """Give the objects of a slice the numbers that they have in the labels."""
        own = distinct(machine).tolist()
        numbering, earlier = self.numbering, self.ownership.machine
        if index in earlier and index not in self._of_run and not numbering.all_matched(own):
            pairs = same_objects(machine, earlier.get(index))
            moved = numbering.match(pairs, self.locks.objects)
            self.rename_written(moved, sorted(self._of_run))
        if own and not numbering.knows_runs_before:
            numbering.note_largest(own[-1])
        mapping = {number: numbering.written(number) for number in own}
        return renumbered(machine, mapping)

    def rename_written(
        self, mapping: Mapping[int, int], indices: Iterable[SliceIndex] | None
    ) -> list[SliceIndex]:
        """Do what :meth:`rename` does, with numbers as they are in the labels."""
        written = {old: new for old, new in mapping.items() if old != new}
        if not written:
            return []
        dtype = np.dtype(self.labels.data.dtype)
        check_numbers(max(written.values()), dtype)
        looked_at = sorted(set(self.labels.indices() if indices is None else indices))
        changed = []
        for index in looked_at:
            current = self.labels.read_slice(index)[0]
            renamed = renumbered(current, written)
            if renamed is not current:
                self.labels.write_slice(index, renamed.astype(dtype, copy=False))
                changed.append(index)
        self.objects.forget(changed)
        underneath = self.ownership.rename(written, looked_at)
        self.history.rename(written)
        self.locks.rename(written)
        if self.listener is not None:
            self.listener.rewritten(sorted({*changed, *underneath}))
        return changed

    def _take_step(self, found: tuple[Edit, list[Change]] | None, kind: str) -> Edit | None:
        """Write what the history gives for an undo or a redo."""
        if found is None:
            return None
        edit, changes = found
        edit.apply(self.labels.data)
        self._tell(changes, edit, kind)
        return edit

    def _tell(self, changes: list[Change], edit: Edit, kind: str) -> None:
        self.objects.forget(edit.slices(self.labels))
        if self.renumber and edit.by_hand and kind != "undo":
            for patch, _ in changes:
                for number in distinct(patch.new):
                    self.reserve(int(number))
        if self.listener is not None:
            self.listener.edited(changes, edit.words, kind)
