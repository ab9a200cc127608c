"""How many objects a run has left out, and the button that brings them back."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_slicewise.editing.wording import counted
from napari_slicewise.widgets.rows import Line

__all__ = ["LeftOutRow"]


class LeftOutRow(QWidget):
    """Hidden where nothing was left out."""

    pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._line = Line("left_out", "Objects in fewer slices than the Segment tab asks for.")
        self._line.dim()
        self._button = QPushButton("Bring back")
        self._button.setObjectName("bring_back")
        self._button.setAccessibleName("Bring back what was left out")
        self._button.setToolTip(
            "Draw the objects that the last run left out because they are in too few slices.\n"
            "One by one: Restore (U) where such an object was."
        )
        self._button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._button.setStyleSheet("QPushButton { padding: 3px 8px; }")
        self._button.clicked.connect(self.pressed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._line, 1)
        layout.addWidget(self._button)
        self.hide()

    def show_count(self, count: int, *, allowed: bool) -> None:
        """Say how many objects were left out."""
        self.setVisible(count > 0)
        self._line.say(f"{counted(count, 'object')} in too few slices left out")
        self._button.setEnabled(allowed)
