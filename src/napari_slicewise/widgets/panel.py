"""The dock widget that napari opens: one set of tabs a viewer, however often it is opened."""

from __future__ import annotations

from contextlib import suppress
from weakref import WeakSet

from napari.components import ViewerModel
from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtGui import QKeySequence, QShowEvent
from qtpy.QtWidgets import (
    QFrame,
    QMainWindow,
    QScrollArea,
    QShortcut,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_slicewise.app.segment import SegmentController
from napari_slicewise.widgets.correct_tab import CorrectTab
from napari_slicewise.widgets.form import MINIMUM_WIDTH, SegmentForm
from napari_slicewise.widgets.image_chooser import ImageChooser
from napari_slicewise.widgets.keep_bar import KeepBar
from napari_slicewise.widgets.keep_layers import Keeping
from napari_slicewise.widgets.learn_tab import LearnTab
from napari_slicewise.widgets.model_chooser import ModelChooser
from napari_slicewise.widgets.model_drop import ModelDrop
from napari_slicewise.widgets.run_row import SEGMENT_KEYS, STOP_KEYS
from napari_slicewise.widgets.slices_chooser import SlicesChooser

__all__ = ["SegmentPanel", "open_correct_tab"]

_PANELS: WeakSet[SegmentPanel] = WeakSet()


class PanelTabs(QTabWidget):
    """What one viewer's panel shows; it moves from dock to dock.

    Parameters
    ----------
    viewer
        The viewer itself, no proxy.
    controller
        Of the worker process.
    """

    def __init__(self, viewer: ViewerModel, controller: SegmentController) -> None:
        super().__init__()
        self.setObjectName("tabs")
        self.setAccessibleName("Steps of the work")
        self.setDocumentMode(True)
        self.tabBar().setExpanding(True)
        self.tabBar().setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves it to the canvas
        self.form = SegmentForm(viewer, controller)
        self.correct = CorrectTab(viewer)
        choosers = self.form.findChild(ImageChooser), self.form.findChild(ModelChooser)
        self.learn = LearnTab(viewer, controller, *choosers)
        self._add(self.form, "Segment", "Let a network draw the labels.")
        self._add(self.correct, "Correct", "Mend the labels: tools, locks, review.")
        self._add(self.learn, "Learn", "Learn from the corrected labels.")
        for button in self.tabBar().findChildren(QToolButton):  # Qt's own, for too many tabs
            button.setToolTip("Show the other tabs.")
        self.currentChanged.connect(self._on_tab)
        self.form.review_wanted.connect(lambda: self.setCurrentIndex(1))
        self.learn.segment_wanted.connect(self._segment_all)
        ModelDrop(self, self._choose_model)

    def close_down(self) -> None:
        """End everything that the tabs do."""
        self.learn.close_down()
        self.correct.close_down()
        self.form.close_down()

    def _add(self, page: QWidget, title: str, tooltip: str) -> None:
        """Add a tab; a window too low for its page scrolls it."""
        scroll = QScrollArea()
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidgetResizable(True)
        scroll.setWidget(page)
        self.setTabToolTip(self.addTab(scroll, title), tooltip)

    def _choose_model(self, path: str) -> None:
        """Take a model that was dropped on any of the tabs."""
        self.setCurrentIndex(0)
        self.form.add_model_file(path)

    def _segment_all(self) -> None:
        """Predict the stack with the model that was just learned."""
        self.form.findChild(SlicesChooser).choose_all()
        self.setCurrentIndex(0)
        self.form.segment()

    def _on_tab(self) -> None:
        self.correct.set_active(self.currentIndex() == 1)


class SegmentPanel(QWidget):
    """The panel of a viewer: segment, correct, learn.

    Opened a second time, it takes over the tabs of the first one, run and choices
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
        if older is None:
            tabs = PanelTabs(viewer, controller or SegmentController())
        else:
            tabs = older.give_up_tabs()
        self._tabs: PanelTabs | None = tabs
        self._shortcuts: list[QShortcut] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 4, 0, 0)
        self._keep_bar = KeepBar(Keeping.of(viewer, tabs))  # what can be restored
        self._layout.addWidget(self._keep_bar)
        self._layout.addWidget(tabs)
        self.setMinimumWidth(MINIMUM_WIDTH)
        _PANELS.add(self)

    @property
    def form(self) -> SegmentForm | None:
        """The Segment tab; None once another panel has taken it over."""
        return None if self._tabs is None else self._tabs.form

    @property
    def learn(self) -> LearnTab | None:
        """The Learn tab; None once another panel has taken it over."""
        return None if self._tabs is None else self._tabs.learn

    @property
    def correct(self) -> CorrectTab | None:
        """The Correct tab; None once another panel has taken it over."""
        return None if self._tabs is None else self._tabs.correct

    def show_tab(self, title: str) -> None:
        """Bring a tab to the front, by what is written on it."""
        tabs = self._tabs
        for position in range(0 if tabs is None else tabs.count()):
            if tabs.tabText(position) == title:
                tabs.setCurrentIndex(position)

    def give_up_tabs(self) -> PanelTabs:
        """Hand the tabs to another panel; this one's dock closes soon."""
        tabs, self._tabs = self._tabs, None
        self._keep_bar.close_down()
        self._drop_shortcuts()
        self._layout.removeWidget(tabs)
        tabs.setParent(None)
        QTimer.singleShot(0, self._leave)
        return tabs

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a size that fits a laptop."""
        return QSize(360, 670)

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
            self._keep_bar.close_down()
            if self._tabs is not None:
                self._tabs.close_down()
                self._tabs = None
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


def open_correct_tab(viewer: Viewer) -> None:
    """Open the panel, or find it, and show its Correct tab: an entry of napari's menus."""
    _, panel = viewer.window.add_plugin_dock_widget("napari-slicewise", "Segment")
    panel.show_tab("Correct")
