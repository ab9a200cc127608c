"""Small Qt parts that every section of the panel is made of."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSignalBlocker, QSize, Qt
from qtpy.QtGui import QPaintEvent, QWheelEvent
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QWidget,
)
from superqt import QElidingLabel

__all__ = ["Choice", "Line", "Rows", "side_by_side"]

LABEL_WIDTH = 76  # px: the fields of all sections begin in one column
PADDING = 12  # px: what napari's style keeps free in a label, which eliding does not know of


class Choice(QComboBox):
    """A combo box that is as wide as its place and not as its longest item.

    Parameters
    ----------
    name
        Object name, by which scripts find it.
    title
        What it is called for a screen reader.
    tooltip
        What it is for.
    """

    def __init__(self, name: str, title: str, tooltip: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.explain(tooltip)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.setMinimumWidth(88)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.view().setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def explain(self, tooltip: str) -> None:
        """Set the tooltip, which a screen reader reads too."""
        self.setToolTip(tooltip)
        self.setAccessibleDescription(tooltip)

    def fill(self, items: list[tuple[str, Any]]) -> None:
        """Replace the items, ``(text, data)``, keeping the chosen one if it is still there."""
        if items == [(self.itemText(i), self.itemData(i)) for i in range(self.count())]:
            return
        chosen = self.currentData()
        with QSignalBlocker(self):
            self.clear()
            for text, data in items:
                self.addItem(text, data)
            position = next((i for i, (_, data) in enumerate(items) if data == chosen), 0)
            self.setCurrentIndex(position if items else -1)
        if self.currentData() != chosen:
            self.currentIndexChanged.emit(self.currentIndex())

    def choose(self, data: Any) -> None:
        """Choose the item with this data, if there is one."""
        for i in range(self.count()):
            if self.itemData(i) == data:
                self.setCurrentIndex(i)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        """Let the wheel scroll the panel, unless the box has the focus."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, ARG002 - Qt's name
        """Draw the text with an ellipsis where it does not fit."""
        painter = QStylePainter(self)
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        room = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox,
            option,
            QStyle.SubControl.SC_ComboBoxEditField,
            self,
        )
        option.currentText = self.fontMetrics().elidedText(
            option.currentText, Qt.TextElideMode.ElideMiddle, room.width() - 4
        )
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)


class Line(QElidingLabel):
    """One line of text that never widens the panel; the whole of it is in the tooltip.

    Parameters
    ----------
    name
        Object name.
    tooltip
        What the line is about, for when it says nothing.
    """

    def __init__(self, name: str, tooltip: str) -> None:
        super().__init__()
        self._about = tooltip
        self.setObjectName(name)
        self.setToolTip(tooltip)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setEllipsesWidth(PADDING)

    def dim(self) -> None:
        """Draw the line smaller and fainter than what it belongs to; the form's style does it."""
        self.setProperty("dim", True)  # noqa: FBT003 - Qt's own signature

    def say(self, text: str, *, more: str = "") -> None:
        """Show a text; the tooltip gives ``more`` or the whole text."""
        if text != self.text():
            self.setText(text)
        self.setToolTip(more or text or self._about)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return no width, and the height of a line."""
        return QSize(0, self.fontMetrics().height() + 2)


class Rows(QWidget):
    """Rows of a name and a field, aligned with the rows of every other section."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(6)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnMinimumWidth(0, LABEL_WIDTH)
        self._grid.setColumnStretch(1, 1)

    def add(self, title: str, field: QWidget) -> QLabel:
        """Add a named field; return its name's label, which has the field's tooltip."""
        row = self._grid.rowCount()
        label = QLabel(title)
        label.setToolTip(field.toolTip())
        label.setBuddy(field)
        self._grid.addWidget(label, row, 0)
        self._grid.addWidget(field, row, 1)
        return label

    def add_below(self, widget: QWidget) -> None:
        """Add something under the last field."""
        self._grid.addWidget(widget, self._grid.rowCount(), 1)

    def add_across(self, widget: QWidget) -> None:
        """Add something over the whole width."""
        self._grid.addWidget(widget, self._grid.rowCount(), 0, 1, 2)


def side_by_side(*widgets: QWidget) -> QWidget:
    """Return a widget that holds others in one line; the first and choosers share the room."""
    box = QWidget()
    layout = QHBoxLayout(box)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    for position, widget in enumerate(widgets):
        layout.addWidget(widget, 1 if position == 0 or isinstance(widget, Choice) else 0)
    box.setToolTip(widgets[0].toolTip())
    return box
