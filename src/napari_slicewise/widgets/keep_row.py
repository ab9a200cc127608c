"""The last line of the Correct tab: how safe the corrections are, and where to save them."""

from __future__ import annotations

import time
from pathlib import Path

from napari.components import ViewerModel
from napari.layers import Labels
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QPushButton, QWidget

from napari_slicewise.app.keeping import KeepState
from napari_slicewise.editing.wording import counted
from napari_slicewise.widgets.keep_layers import Keeping
from napari_slicewise.widgets.keep_session import ask_and_open, ask_and_save
from napari_slicewise.widgets.rows import Line

__all__ = ["KeepRow", "safety_words"]

_FILES = "OME-TIFF (*.ome.tif);;OME-Zarr (*.ome.zarr);;TIFF (*.tif)"
_TELL_MS = 1000


def safety_words(state: KeepState | None, target: Path | None, now: float) -> str:
    """Say how safe the corrections of a layer are.

    Parameters
    ----------
    state
        None where nothing is kept.
    target
        The file that they are saved to by themselves.
    now
        Seconds of ``time.monotonic``.
    """
    if state is None:
        return ""
    if state.saving and target is not None:
        return f"Saving to {target.name}…"
    if state.unsaved:
        edits = counted(state.unsaved, "edit")
        where = "kept in the journal" if state.kept else "in memory only"
        return f"{edits} not in a file yet, {where}"
    if state.file is not None:
        return f"All edits saved {_ago(now - state.saved_at)} to {state.file.name}"
    return "No edits yet; they are kept as you make them" if state.kept else ""


class KeepRow(QWidget):
    """One line of text, and a menu.

    Parameters
    ----------
    viewer
        The viewer itself, no proxy.
    """

    said = Signal(str)
    troubled = Signal(str)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._keeping = Keeping.of(viewer, self)
        self._line = Line("keep_line", "Whether your corrections are on the disk.")
        self._line.setAccessibleName("How safe the corrections are")
        self._line.dim()
        self._button = QPushButton("Save")
        self._button.setObjectName("keep_button")
        self._button.setAccessibleName("Save corrections")
        self._button.setToolTip("Save the corrected labels, or everything as a session.")
        self._button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._button.setStyleSheet("QPushButton { padding: 3px 8px; }")
        menu = QMenu(self._button)
        for name, title, act in (
            ("keep_save", "Save corrections to…", self._ask),
            ("keep_save_session", "Save session…", lambda: ask_and_save(self._keeping, self)),
            ("keep_open_session", "Open session…", lambda: ask_and_open(self._keeping, self)),
        ):
            action = menu.addAction(title)
            action.setObjectName(name)
            action.triggered.connect(lambda _checked=False, act=act: act())
        self._button.setMenu(menu)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._line, 1)
        layout.addWidget(self._button)
        self._keeping.changed.connect(self.tell)
        self._keeping.said.connect(self.said)
        self._keeping.troubled.connect(self.troubled)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.tell)
        self._timer.start(_TELL_MS)
        self.tell()

    def tell(self) -> None:
        """Say how safe the selected layer's corrections are now."""
        layer = self._viewer.layers.selection.active
        found = self._keeping.state_of(layer)
        state, target = found or (None, None)
        more = "" if state is None or state.file is None else str(state.file)
        self._line.say(safety_words(state, target, time.monotonic()), more=more)

    def _ask(self) -> None:
        layer = self._viewer.layers.selection.active
        if not isinstance(layer, Labels):
            return
        found = self._keeping.state_of(layer)
        target = found[1] if found is not None else None
        start = str(target) if target else f"{layer.name.replace('/', '-')}.ome.tif"
        chosen, kind = QFileDialog.getSaveFileName(self, "Save corrections to", start, _FILES)
        if chosen:
            self._keeping.save_to(layer, _with_ending(Path(chosen), kind))


def _with_ending(path: Path, kind: str) -> Path:
    """Add the ending of the chosen format to a name without one."""
    if path.suffix.lower() in (".tif", ".tiff", ".zarr"):
        return path
    return path.with_name(path.name + kind[kind.find("*") + 1 : kind.find(")")])


def _ago(seconds: float) -> str:
    if seconds < 90:
        return f"{max(0, round(seconds))} s ago"
    return f"{seconds / 60:.0f} min ago" if seconds < 5400 else f"{seconds / 3600:.0f} h ago"
