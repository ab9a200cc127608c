"""The Correct tab: tools, slices, review, objects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from napari.components import ViewerModel
from napari.layers import Labels
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_slicewise.editing.session import EditSession
from napari_slicewise.io.source import SliceIndex
from napari_slicewise.widgets.correct_actions import Corrector
from napari_slicewise.widgets.correct_buttons import HintLine, ToolButtons, stop_button
from napari_slicewise.widgets.correct_context import ObjectMenu
from napari_slicewise.widgets.correct_objects import ObjectsSection
from napari_slicewise.widgets.correct_strip import SliceRow
from napari_slicewise.widgets.keep_row import KeepRow
from napari_slicewise.widgets.links import Links
from napari_slicewise.widgets.rows import Line, Rows, side_by_side
from napari_slicewise.widgets.run_row import is_dark
from napari_slicewise.widgets.tool_trace import ToolTrace

__all__ = ["DONE_KEY", "CorrectTab"]

DONE_KEY = "Y"


class CorrectTab(QWidget):
    """Everything to mend labels with; it acts on the selected labels layer.

    Parameters
    ----------
    viewer
        The viewer itself, no proxy.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = viewer
        self._links = Links()
        self.corrector = Corrector(viewer, self._links, self)
        self._layer_line = Line("correct_layer", "The labels layer that is corrected.")
        self._layer_line.setAccessibleName("Labels layer")
        self._facts = Line("correct_facts", "Size and type of the labels.")
        self._facts.dim()
        self._tools = ToolButtons()
        self._hint = HintLine()
        self._stop = stop_button()
        self._trace = ToolTrace(self)
        self._slices = SliceRow(viewer)
        self._objects = ObjectsSection(self.corrector, self._links)
        self._menu = ObjectMenu(self.corrector, self)
        self._links.at_end(self._menu.close)
        self._keep = KeepRow(viewer)  # how safe the corrections are
        self._lay_out()
        self._connect()
        self._follow_theme()
        self._update()
        self._release = self._links.end_with(self)

    def set_active(self, active: bool) -> None:  # noqa: FBT001 - follows a tab
        """Begin or end to act: the tab is on show, or not."""
        self.corrector.set_active(active)

    def review(self) -> None:
        """Go to what is most likely wrong."""
        self._objects.press("next")

    def close_down(self) -> None:
        """Give keys, mouse and layers back."""
        if self._links.open:
            self.destroyed.disconnect(self._release)
            self._links.release()

    def _lay_out(self) -> None:
        head = Rows()
        head.add("Labels", self._layer_line)
        head.add_below(self._facts)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        below = side_by_side(self._hint, self._stop)
        for part in (head, self._tools, below, self._slices):
            layout.addWidget(part)
        layout.addWidget(self._objects, 1)
        layout.addWidget(self._keep)

    def _connect(self) -> None:
        corrector, tools = self.corrector, self._tools
        tools.pressed.connect(corrector.press_button)
        tools.where_changed.connect(self._on_where)
        tools.pixels_changed.connect(self._on_pixels)
        corrector.changed.connect(self._update)
        corrector.said.connect(self._hint.say)
        corrector.refused.connect(self._hint.refuse)
        corrector.traced.connect(self._trace.show)
        corrector.work.slow.connect(self._stop.setVisible)
        self._stop.clicked.connect(corrector.cancel)
        corrector.edited.connect(self._show_slices)
        corrector.locks_changed.connect(self._show_slices)
        self._slices.done_pressed.connect(self._mark_done)
        self._slices.restore_pressed.connect(self._restore_slice)
        corrector.keys.add(DONE_KEY, self._toggle_done)
        self._keep.said.connect(self._hint.say)
        self._keep.troubled.connect(self._hint.refuse)
        self._links.connect(self.viewer.dims.events.point, self._show_slices)
        self._links.connect(self.viewer.events.theme, self._follow_theme)
        self._links.connect(self.viewer.layers.events.renamed, self._update)

    def _update(self, *_: Any) -> None:
        """Bring everything that depends on the layer and the tool up to date."""
        corrector = self.corrector
        reason = corrector.reason_against
        layer = self.viewer.layers.selection.active
        self._layer_line.say(layer.name if isinstance(layer, Labels) else "none selected")
        if reason:
            self._facts.say(reason)
        else:
            shape = "×".join(str(n) for n in layer.data.shape)
            self._facts.say(f"{shape} · {layer.data.dtype}")
        target = corrector.target
        self._tools.allow(
            reason_against=reason or ("A tool is at work; Esc ends it." if corrector.busy else ""),
            chosen=corrector.tool.name if corrector.tool else "",
            flat=target is None or target.flat,
            leading=0 if target is None else len(target.labels.leading_shape),
        )
        self._show_slices()

    def _shown(self) -> tuple[EditSession | None, SliceIndex]:
        """Return the session and the slice on show; in a rolled view there is none."""
        target = self.corrector.target
        if target is None or target.rolled:
            return None, ()
        return target.edits.session, target.index

    def _show_slices(self, *_: Any) -> None:
        session, index = self._shown()
        axis = None
        if session is not None and session.labels.leading_axes:
            layer = self.corrector.target.layer
            axis = session.labels.leading_axes[-1] + self.viewer.dims.ndim - layer.ndim
        self._slices.show_session(session, index, axis)

    def _toggle_done(self) -> None:
        session, index = self._shown()
        if session is not None:
            self._mark_done(not session.locks.holds_slice(index))

    def _mark_done(self, done: bool) -> None:  # noqa: FBT001 - follows a button
        session, index = self._shown()
        if session is None:
            return
        locks = session.locks
        kept = locks.done | {index} if done else locks.done - {index}
        slices = locks.slices if done else locks.slices - {index}
        self.corrector.set_locks(replace(locks, done=kept, slices=slices))
        words = "is done: nothing changes it any more" if done else "can be changed again"
        self._hint.say(f"Slice {index[-1]} {words}." if index else f"The slice {words}.")

    def _restore_slice(self) -> None:
        session, index = self._shown()
        if session is not None:
            self.corrector.compute(lambda _: session.restore([index]), "Restoring")

    def _on_where(self, where: str) -> None:
        self.corrector.where = where

    def _on_pixels(self, pixels: int) -> None:
        self.corrector.pixels = pixels

    def _follow_theme(self, *_: Any) -> None:
        name = self.viewer.theme
        faint = "#a8abb3" if is_dark(name) else "#5a5a60"
        self.setStyleSheet(f'QLabel[dim="true"] {{ color: {faint}; font-size: 11px; }}')
        self._tools.follow_theme(name)
        self._hint.follow_theme(name)
        self._slices.follow_theme(name)
        self._objects.follow_theme(name)
