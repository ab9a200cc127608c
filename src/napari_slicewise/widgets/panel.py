"""The dock widget that napari opens: one form a viewer, however often it is opened."""

from __future__ import annotations

from contextlib import suppress
from weakref import WeakSet

from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtGui import QKeySequence, QShowEvent
from qtpy.QtWidgets import QFrame, QMainWindow, QScrollArea, QShortcut, QVBoxLayout, QWidget

from napari_slicewise.app.segment import SegmentController
from napari_slicewise.widgets.form import MINIMUM_WIDTH, SegmentForm
from napari_slicewise.widgets.run_row import SEGMENT_KEYS, STOP_KEYS

__all__ = ["SegmentPanel"]

_PANELS: WeakSet[SegmentPanel] = WeakSet()


class SegmentPanel(QWidget):
    """The Segment panel of a viewer.

    Opened a second time, it takes over the form of the first one, run and choices
    included, and the first one's dock goes away: one panel and one worker a viewer.

    Parameters
    ----------
    napari_viewer
        The viewer, or napari's proxy of it.
    controller
        For tests; without it, a worker process is started.
    """

    def __init__(
        self, napari_viewer: ViewerModel, controller: SegmentController | None = None
    ) -> None:
        super().__init__()
        viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        older = next((p for p in _PANELS if p.form is not None and p.form.viewer is viewer), None)
        form = (
            SegmentForm(viewer, controller or SegmentController())
            if older is None
            else (older.give_up_form())
        )
        self.form: SegmentForm | None = form
        self._shortcuts: list[QShortcut] = []
        self._scroll = QScrollArea()
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidgetResizable(True)
        self._scroll.setWidget(form)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._scroll)
        self.setMinimumWidth(MINIMUM_WIDTH)
        _PANELS.add(self)

    def give_up_form(self) -> SegmentForm:
        """Hand the form to another panel; this one's dock closes soon."""
        form, self.form = self.form, None
        self._drop_shortcuts()
        self._scroll.takeWidget()
        QTimer.singleShot(0, self._leave)
        return form

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a size that fits a laptop."""
        return QSize(360, 640)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Make the shortcuts work in the whole window, the canvas included."""
        super().showEvent(event)
        window = self._main_window()
        if window is None or self._shortcuts or self.form is None:
            return
        for keys, act in ((SEGMENT_KEYS, self.form.segment), (STOP_KEYS, self.form.stop)):
            for sequence in keys:
                shortcut = QShortcut(QKeySequence(sequence), window)
                shortcut.activated.connect(act)
                self._shortcuts.append(shortcut)

    def event(self, event: QEvent) -> bool:
        """End everything when the dock is closed: its content then loses its parent."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._drop_shortcuts()
            if self.form is not None:
                self.form.close_down()
                self.form = None
        return super().event(event)

    def _drop_shortcuts(self) -> None:
        for shortcut in self._shortcuts:
            with suppress(RuntimeError):  # the window, which owns it, is destroyed already
                shortcut.setParent(None)
                shortcut.deleteLater()
        self._shortcuts.clear()

    def _leave(self) -> None:
        """Close this panel's dock, if it is in one."""
        dock = self.parentWidget()
        window = self._main_window()
        if window is not None and dock is not None and hasattr(dock, "destroyOnClose"):
            dock.destroyOnClose()

    def _main_window(self) -> QMainWindow | None:
        ancestor = self.parentWidget()
        while ancestor is not None and not isinstance(ancestor, QMainWindow):
            ancestor = ancestor.parentWidget()
        return ancestor
