"""The layers to learn from, each with a box to tick and what it holds."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import QSignalBlocker, QSize, Qt, Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QSizePolicy

from napari_slicewise.widgets.learn_sources import Teacher

__all__ = ["LessonList"]

_ROWS = 3


class LessonList(QListWidget):
    """Lists labels layers; the ticked ones are learned from."""

    ticked = Signal(object, bool)  # Teacher

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("learn_layers")
        self.setAccessibleName("Layers to learn from")
        self.setToolTip(
            "The labels that are learned from: slices marked as done, places corrected by hand,\n"
            "strokes; and all slices of labels that no run has made."
        )
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self._teachers: list[Teacher] = []
        self._words: Mapping[str, str] = {}
        self.itemChanged.connect(self._on_item)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the height of a few rows."""
        row = self.fontMetrics().height() + 8
        return QSize(0, _ROWS * row + 2 * self.frameWidth())

    def show_teachers(self, teachers: list[Teacher], chosen: list[bool]) -> None:
        """List layers, and whether they are ticked."""
        with QSignalBlocker(self):
            self.clear()
            self._teachers = list(teachers)
            for tick in chosen:
                item = QListWidgetItem()
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
                item.setCheckState(Qt.CheckState.Checked if tick else Qt.CheckState.Unchecked)
                self.addItem(item)
        self._write()

    def show_words(self, words: Mapping[str, str]) -> None:
        """Say what each layer holds, by its key."""
        self._words = words
        self._write()

    def _write(self) -> None:
        with QSignalBlocker(self):
            for row, teacher in enumerate(self._teachers):
                item = self.item(row)
                ticked = item.checkState() == Qt.CheckState.Checked
                holds = self._words.get(teacher.key, "") if ticked else "not used"
                name = teacher.layer.name
                item.setText(f"{name}: {holds}" if holds else name)
                item.setToolTip(f"{name}, on the image {teacher.image.name}\n{holds}")

    def _on_item(self, item: QListWidgetItem) -> None:
        teacher = self._teachers[self.row(item)]
        self._write()
        self.ticked.emit(teacher, item.checkState() == Qt.CheckState.Checked)
