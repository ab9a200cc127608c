"""Review and table of objects: what is found in all slices, and where to look next."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_slicewise.app.correct import Aim, perform
from napari_slicewise.editing.review import Doubt, Review
from napari_slicewise.widgets.correct_actions import Corrector
from napari_slicewise.widgets.correct_export import ExportRow
from napari_slicewise.widgets.correct_left_out import LeftOutRow
from napari_slicewise.widgets.correct_review import REVIEW_KEYS, ReviewRow
from napari_slicewise.widgets.correct_survey import OWN_COLUMNS, Findings, Survey
from napari_slicewise.widgets.correct_table import ObjectModel, ObjectView
from napari_slicewise.widgets.correct_target import go_to
from napari_slicewise.widgets.links import Links
from napari_slicewise.widgets.tool_mouse import ToolMouse, number_at

__all__ = ["ObjectsSection"]

READ_AT_ONCE = 16_000_000  # voxels; of larger labels, the table is made when it is asked for
FIRST_MS, LATER_MS = 300, 1500  # after the layer was chosen; after the last change


class ObjectsSection(QWidget):
    """The lower half of the Correct tab.

    Parameters
    ----------
    corrector
        Which layer is corrected, and what changes it.
    links
        Cut when the panel closes.
    """

    def __init__(self, corrector: Corrector, links: Links) -> None:
        super().__init__()
        self._corrector = corrector
        self._review = Review()
        self._doubt: Doubt | None = None
        self._deleting: Doubt | None = None
        self._wants_next = False
        self._fresh = False
        self._survey = Survey(corrector.viewer, links, self)
        self._row = ReviewRow()
        self._model = ObjectModel()
        self._view = ObjectView(self._model)
        self._left_out = LeftOutRow()
        self._export = ExportRow(corrector, links)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._watched: Labels | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self._row)
        layout.addWidget(self._view, 1)
        layout.addWidget(self._left_out)
        layout.addWidget(self._export)
        self._connect(links)
        self._show()

    def follow_theme(self, name: str) -> None:
        """Take the colours of napari's theme."""
        self._row.follow_theme(name)
        self._export.follow_theme(name)

    def _connect(self, links: Links) -> None:
        corrector = self._corrector
        for name, key in REVIEW_KEYS.items():
            corrector.keys.add(key, lambda name=name: self.press(name))
        self._row.pressed.connect(self.press)
        self._left_out.pressed.connect(self._bring_back)
        self._view.chosen.connect(self._on_row)
        self._export.update_pressed.connect(self._read)
        self._pause.timeout.connect(self._read)
        self._survey.found.connect(self._on_found)
        self._survey.failed.connect(corrector.refused)
        self._survey.changed.connect(self._show)
        corrector.target_changed.connect(self._on_target)
        corrector.edited.connect(self._on_edited)
        corrector.locks_changed.connect(self._on_edited)
        corrector.applied.connect(self._on_applied)
        corrector.refused.connect(self._on_refused)
        links.at_end(self._let_go)

    def press(self, name: str) -> None:
        """Do what a button of the review, or its key, says."""
        if self._corrector.target is None:
            return
        if name in ("next", "accept"):  # what was said before is over
            tool = self._corrector.tool
            self._corrector.said.emit("" if tool is None else tool.hint)
        if name == "next":
            self._go_on()
        elif name == "accept" and self._doubt is not None:
            self._decide("accepted")
        elif name == "delete" and self._doubt is not None and self._doubt.number:
            target, doubt = self._corrector.target, self._doubt
            work, aim = target.work(), Aim(target.index, (doubt.number,), where="all")
            self._deleting = doubt
            delete = partial(perform, "delete")
            self._corrector.compute(lambda pulse: delete(work.heeding(pulse), aim), "Deleting")

    def _go_on(self) -> None:
        if not self._fresh:
            self._wants_next = True
            if not self._survey.busy:
                self._read()
            return
        self._look_at(self._review.after(self._doubt))

    def _look_at(self, doubt: Doubt | None) -> None:
        self._doubt = doubt
        target = self._corrector.target
        if doubt is not None and target is not None:
            self._go_to(doubt.index, doubt.centre)
            if doubt.number:
                self._view.select(doubt.number)
        self._show()

    def _decide(self, what: Literal["accepted", "deleted"]) -> None:
        doubt = self._doubt
        following = self._review.after(doubt)
        self._review.decide(doubt, what)
        self._look_at(None if following is doubt else following)

    def _on_applied(self, _edit: object) -> None:
        if self._deleting is not None and self._deleting is self._doubt:
            self._decide("deleted")
        self._deleting = None

    def _on_refused(self, _why: str) -> None:
        self._deleting = None

    def _on_target(self) -> None:
        """Show the objects of another layer, or none."""
        self._let_go()
        self._survey.cancel()
        self._model.show_table(None)
        self._doubt = self._deleting = None
        self._fresh = self._wants_next = False
        target = self._corrector.target
        self._review = Review() if target is None else target.edits.review
        if target is not None:
            self._watched = target.layer
            self._watched.mouse_drag_callbacks.append(self._on_press)
            self._read_later(FIRST_MS)
        self._show()

    def _let_go(self) -> None:
        layer, self._watched = self._watched, None
        if layer is not None and self._on_press in layer.mouse_drag_callbacks:
            layer.mouse_drag_callbacks.remove(self._on_press)
        self._pause.stop()

    def _on_edited(self, _slices: Any = None) -> None:
        self._fresh = False
        self._read_later(LATER_MS)
        self._show()

    def _read_later(self, pause_ms: int) -> None:
        target = self._corrector.target
        if target is not None and np.prod(target.layer.data.shape) <= READ_AT_ONCE:
            self._pause.start(pause_ms)

    def _read(self) -> None:
        target = self._corrector.target
        if target is not None:
            self._pause.stop()
            self._fresh = True  # until the next change
            self._survey.start(target, self._review.states())

    def _on_found(self, findings: Findings) -> None:
        target = self._corrector.target
        if target is None or findings.labels.data is not target.layer.data:
            return
        selected = self._view.chosen_number()
        self._model.show_table(findings.table)
        self._view.select(selected)
        review = self._review
        review.doubts = findings.doubts
        for doubt in findings.doubts:  # an object that came back by undo
            if review.decided.get(doubt.key) == "deleted":
                review.reopen(doubt)
        if self._doubt is not None and self._doubt not in review.doubts:
            keys = {doubt.key: doubt for doubt in review.doubts}
            self._doubt = keys.get(self._doubt.key)
        _describe(target.layer, findings)
        if self._wants_next:
            self._wants_next = False
            self._look_at(review.after(self._doubt))
        self._show()

    def _on_row(self, number: int) -> None:
        """Go to an object, and let the brush go on with it."""
        target, centre = self._corrector.target, self._model.centre_of(number)
        if target is None or centre is None:
            return
        target.layer.selected_label = number
        self._go_to(*centre)

    def _go_to(self, index: tuple[int, ...], centre: tuple[float, float] | None) -> None:
        target = self._corrector.target
        labels = target.edits.session.labels
        middle = centre or tuple((size - 1) / 2 for size in labels.slice_shape)
        position = np.zeros(len(labels.data.shape))
        position[list(labels.leading_axes)] = index
        position[list(labels.plane)] = middle
        go_to(self._corrector.viewer, target.layer, position)

    def _on_press(self, layer: Labels, event: Any) -> Iterator[None]:
        """Select the row of an object that is clicked while no tool or brush is chosen."""
        free = self._corrector.tool is None and str(layer.mode) in ("pan_zoom", "pick")
        if not free or len(event.dims_displayed) == 3:
            return
        position = ToolMouse.position(layer, self._corrector.viewer.dims, event)
        yield
        while event.type == "mouse_move":
            position = None
            yield
        if position is not None:
            self._view.select(number_at(layer, position))

    def _bring_back(self) -> None:
        target = self._corrector.target
        if target is not None:
            session = target.edits.session
            back = session.ownership.left_out.brought_back
            self._corrector.compute(lambda _: back(session.labels, session.locks), "Bringing back")

    def _show(self) -> None:
        target = self._corrector.target
        allowed = target is not None
        gone = 0 if target is None else len(target.edits.session.ownership.left_out.numbers)
        self._left_out.show_count(gone, allowed=allowed and not self._corrector.busy)
        self._row.show_review(self._review, self._doubt, allowed=allowed, busy=self._survey.busy)
        self._export.show_count(
            len(self._model.table or ()), allowed=allowed, fresh=self._fresh, busy=self._survey.busy
        )


def _describe(layer: Labels, findings: Findings) -> None:
    """Put the table into napari's features, where nobody else has put anything."""
    own = set(layer.features.columns)
    if not own or own >= OWN_COLUMNS:
        layer.features = dict(findings.table.columns)
