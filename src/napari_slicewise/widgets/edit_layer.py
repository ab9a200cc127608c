"""A labels layer under correction: every change is one step of napari's own undo history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.components import Dims
from napari.layers import Image, Labels
from napari.utils.notifications import show_info
from psygnal import Signal

from napari_slicewise.editing.edits import Edit
from napari_slicewise.editing.errors import EditError, WideningError, check_numbers
from napari_slicewise.editing.listening import Change, SessionListener
from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.review import Review
from napari_slicewise.editing.session import EditSession
from napari_slicewise.editing.widening import widened_labels
from napari_slicewise.io.source import ArraySource, SliceIndex
from napari_slicewise.widgets.keep_locked import spare_locked
from napari_slicewise.widgets.layer_source import data_position
from napari_slicewise.widgets.undo_history import (
    append_step,
    edit_of_step,
    forget_history,
    has_own_history,
    move_step,
    steps,
)

__all__ = ["EditLayer", "edit_layer_of", "known_edits", "reason_against_editing"]


def reason_against_editing(layer: Any) -> str:
    """Say why a layer cannot be corrected; nothing where it can be."""
    if not isinstance(layer, Labels):
        return "Choose a labels layer."
    if layer.multiscale:
        return "A pyramid of labels cannot be changed: save its finest level, and open that."
    if 0 in layer.data.shape or layer.ndim < 2:
        return "The labels are empty."
    if not hasattr(type(layer.data), "__setitem__") or hasattr(layer.data, "dask"):
        return "These labels can only be read: save them, and open the file."
    flags = getattr(layer.data, "flags", None)
    if flags is not None and not getattr(flags, "writeable", True):
        return "These labels can only be read: save them, and open the file."
    return ""


def edit_layer_of(layer: Labels, session: EditSession | None = None) -> EditLayer:
    """Return the corrections of a layer, the same ones each time.

    Parameters
    ----------
    layer
        The labels.
    session
        What knows the machine's part of them; where there is none, all labels count as
        the human's.
    """
    return known_edits(layer) or EditLayer(layer, session)


def known_edits(layer: Any) -> EditLayer | None:
    """Return the corrections of a layer; None where nobody has asked for them yet."""
    known = getattr(getattr(layer, "undo", None), "__self__", None)
    return known if isinstance(known, EditLayer) else None


class EditLayer:
    """Brings strokes, tools, undo and redo of one labels layer into one order.

    Strokes are reported to the session as they happen. A tool's edit becomes one step of
    napari's history, so that Ctrl+Z takes strokes and tools back in the order in which
    they were made. What a step brings back is decided by the session: where a run has
    written in between, napari's memory of the old labels would be stale.

    Parameters
    ----------
    layer
        The labels, of any number of dimensions, numpy or zarr.
    session
        See :func:`edit_layer_of`.
    """

    changed = Signal(object)  # the slices, a set of SliceIndex; None for any
    locks_changed = Signal()

    def __init__(self, layer: Labels, session: EditSession | None = None) -> None:
        self.layer = layer
        self.session = session or EditSession(ArraySource(layer.data))
        self.listeners: list[SessionListener] = []
        self.review = Review()  # of these labels, whichever panel shows it
        self.made_from: tuple[Image, ArraySource | None] | None = None  # what a run read
        self.asked: dict[str, Any] = {}  # for what, as JSON holds it
        self.corrected = session is not None  # and not only listened to: so it is kept
        self._attend()
        self._napari_undo, self._napari_redo = layer.undo, layer.redo
        self._older_undone = 0  # steps from before this was made, which only napari knows
        self._writing = self._widening = False
        layer.undo, layer.redo = self.undo, self.redo  # which the keys call
        layer.events.paint.connect(self._on_paint)
        layer.events.data.connect(self._on_data)

    def apply(self, edit: Edit, dims: Dims | None = None) -> None:
        """Write an edit into the labels as one step that can be undone.

        Parameters
        ----------
        edit
            What changes.
        dims
            The viewer's sliders: what is not on show is not drawn again.

        Raises
        ------
        EditError
            When the labels hold something else by now than the edit is made for.
        """
        if not self.still_fits(edit):
            raise EditError("The labels changed in the meantime.", "Do it once more.")
        if not len(edit):
            return
        if has_own_history(self.layer):
            self._writing = True
            try:
                edit.apply(self.layer.data)
                append_step(self.layer, edit)
            finally:
                self._writing = False
            self._older_undone = 0
            self.session.note(edit)
        else:  # slower, and reported like a stroke
            with self.layer.block_history():
                for points, _, new in edit.atoms():
                    self.layer.data_setitem(points, new, refresh=False)
        if dims is None or self._on_show(edit, dims):
            self.layer.refresh(thumbnail=False, highlight=False, extent=False)

    def still_fits(self, edit: Edit) -> bool:
        """Whether the labels hold what an edit was made for, each voxel of it."""
        shape = self.layer.data.shape
        if any(part.stop > n for p in edit.patches for part, n in zip(p.box, shape, strict=True)):
            return False
        return all(
            np.array_equal(np.asarray(self.layer.data[patch.box])[patch.mask], patch.old)
            for patch in edit.patches
        )

    def undo(self) -> None:
        """Take the last stroke or tool back."""
        if not steps(self.layer)[0]:
            return
        if not len(self.session.history):
            self._napari_undo()
            self._older_undone += 1
            self.changed.emit(None)
            return
        self._step(undo=True)

    def redo(self) -> None:
        """Do again what was taken back last."""
        if not steps(self.layer)[1]:
            return
        if self._older_undone:
            self._older_undone -= 1
            self._napari_redo()
            self.changed.emit(None)
            return
        self._step(undo=False)

    def _step(self, *, undo: bool) -> None:
        if has_own_history(self.layer):
            move_step(self.layer, undo=undo)
        else:
            self._napari_undo() if undo else self._napari_redo()
        if undo:
            self.session.undo()
        else:
            self.session.redo()
        self.layer.refresh()

    def _on_paint(self, event: Any) -> None:
        if self._writing or not event.value:
            return
        self._older_undone = 0
        stroke = edit_of_step(event.value, self.layer.data, "painted")
        if len(left := spare_locked(self.layer, stroke, self.session)):
            self.session.note(left)

    def make_room(self, number: int) -> None:
        """Widen labels whose type does not hold a number: it never wraps into another object's.

        Raises
        ------
        SlicewiseError
            When the labels cannot be widened.
        """
        try:
            check_numbers(number, np.dtype(self.layer.data.dtype))
        except WideningError as error:
            self.widen(error.needed)
            show_info(f"The labels are of type {error.needed} now, to hold number {number}.")

    def widen(self, dtype: np.dtype[Any] | type) -> None:
        """Go on with the same labels in a larger type, strokes and steps of undo included.

        Raises
        ------
        EditError
            When the larger type cannot hold them.
        OutputError
            When there is no room.
        """
        wide = widened_labels(self.session.labels, dtype)
        self._widening = True
        try:
            self.layer.data = wide
        finally:
            self._widening = False

    def _on_data(self, _event: Any) -> None:
        """Begin anew on another array; the same labels in a larger type keep their owners."""
        old, new = self.session.labels.data, self.layer.data
        if new is old or reason_against_editing(self.layer):
            return
        same = self._widening or (
            tuple(new.shape) == tuple(old.shape)
            and isinstance(new, np.ndarray)
            and np.array_equal(np.asarray(old), new)
        )
        if not (same and np.can_cast(old.dtype, new.dtype)):
            forget_history(self.layer)
            self._older_undone = 0
        if same:
            view = self.session.labels
            self.session.use(ArraySource(new, view.plane, view.channel_axis, view.channel))
        else:
            self.session = EditSession(ArraySource(new))
            self._attend()
        self.changed.emit(None)

    def _on_show(self, edit: Edit, dims: Dims) -> bool:
        """Whether any voxel of an edit is on the screen."""
        if dims.ndisplay == 3 or self.layer.ndim == 2:
            return True
        shown = [axis - (dims.ndim - self.layer.ndim) for axis in dims.order][-2:]
        if min(shown) < 0:
            return True
        at = data_position(self.layer, dims, (shown[0], shown[1]))
        others = [axis for axis in range(self.layer.ndim) if axis not in shown]
        return any(
            all(patch.box[a].start <= at[a] < patch.box[a].stop for a in others)
            for patch in edit.patches
        )

    def _attend(self) -> None:
        """Hear of every change of the session, beside who hears of them already."""
        earlier = self.session.listener
        if earlier is not None and earlier is not self:
            self.listeners.append(earlier)
        self.session.listener = self

    def edited(self, changes: Sequence[Change], words: str, kind: str) -> None:
        """Pass on what the human did."""
        for listener in self.listeners:
            listener.edited(changes, words, kind)
        labels = self.session.labels
        self.changed.emit({index for p, _ in changes for index in p.indices(labels)})

    def rewritten(self, indices: Sequence[SliceIndex]) -> None:
        """Pass on slices that were written whole."""
        for listener in self.listeners:
            listener.rewritten(indices)
        self.changed.emit(set(indices))

    def replaced(self) -> None:
        """Pass on another array with the same labels."""
        for listener in self.listeners:
            listener.replaced()
        self.changed.emit(None)

    def locked(self, locks: Locks) -> None:
        """Pass on other locks."""
        for listener in self.listeners:
            listener.locked(locks)
        self.locks_changed.emit()
