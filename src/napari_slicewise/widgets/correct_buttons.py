"""The tools as buttons, where and by how much they act, and one hint of what to do next."""

from __future__ import annotations

from napari.utils.theme import get_theme
from qtpy.QtCore import QSignalBlocker, QSize, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QGridLayout, QLabel, QPushButton, QSpinBox, QVBoxLayout, QWidget

from napari_slicewise.widgets.rows import Choice, Rows, side_by_side
from napari_slicewise.widgets.run_row import is_dark
from napari_slicewise.widgets.tool_icons import tool_icon
from napari_slicewise.widgets.tool_list import TOOLS, Tool

__all__ = ["HintLine", "ToolButtons", "stop_button"]

IN_A_ROW = 7
ICON = 24  # px


class HintLine(QLabel):
    """What to do next, what was done, or why it was not; its room is always there."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("correct_hint")
        self.setAccessibleName("What to do next")
        self.setToolTip("What to do next, or what was done.")
        self.setWordWrap(True)
        self.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self._error, self._refused = "red", False

    def say(self, text: str) -> None:
        """Show what to do or what was done."""
        self._refused = False
        self._show(text, "")

    def refuse(self, text: str) -> None:
        """Show why something was not done."""
        self._refused = True
        self._show(text, f"color: {self._error};")

    def follow_theme(self, name: str) -> None:
        """Take the colours of napari's theme, and room for three lines."""
        error = QColor(get_theme(name).error.as_hex())
        self._error = (error.lighter(220) if is_dark(name) else error).name()
        if self._refused:
            self.refuse(self.text())
        self.ensurePolished()
        self.setFixedHeight(3 * self.fontMetrics().lineSpacing() + 4)

    def _show(self, text: str, style: str) -> None:
        self.setText(text)
        self.setToolTip(text or "What to do next, or what was done.")
        if style != self.styleSheet():
            self.setStyleSheet(style)


class ToolButtons(QWidget):
    """Rows of icons; a tool that waits for the mouse stays pressed while it does."""

    pressed = Signal(str)  # a tool's name
    where_changed = Signal(str)
    pixels_changed = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._buttons: dict[str, QPushButton] = {}
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        for number, tool in enumerate(TOOLS):
            self._buttons[tool.name] = self._make_button(tool)
            grid.addWidget(self._buttons[tool.name], number // IN_A_ROW, number % IN_A_ROW)
        self._where = Choice(
            "correct_where",
            "Slices that tools change",
            "Which slices the tools change: the one on show, all along the last slider where\n"
            "the other sliders stand, or all of them.",
        )
        self._where.fill([("This slice", "slice"), ("All slices", "stack")])
        self._pixels = QSpinBox()
        self._pixels.setObjectName("correct_pixels")
        self._pixels.setAccessibleName("Pixels")
        self._pixels.setToolTip("By how much Grow, Shrink and Smooth act, in pixels.")
        self._pixels.setRange(1, 50)
        self._pixels.setSuffix(" px")
        self._pixels.setFixedWidth(72)
        rows = Rows()
        rows.add("Act on", side_by_side(self._where, self._pixels))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(grid)
        layout.addWidget(rows)
        self._where.currentIndexChanged.connect(
            lambda: self.where_changed.emit(self._where.currentData())
        )
        self._pixels.valueChanged.connect(self.pixels_changed)

    def allow(self, *, reason_against: str, chosen: str, flat: bool, leading: int) -> None:
        """Enable what can act, and press the chosen tool down.

        Parameters
        ----------
        reason_against
            Why no tool can act; empty where they can.
        chosen
            The tool that waits for the mouse, or an empty text.
        flat
            Whether there is one slice only.
        leading
            Number of sliders.
        """
        for tool in TOOLS:
            button = self._buttons[tool.name]
            button.setEnabled(not reason_against and not (tool.stack and flat))
            reason = reason_against or ("It needs several slices." if tool.stack and flat else "")
            button.setToolTip(f"{tool.tooltip}\n{reason}".strip())
            with QSignalBlocker(button):
                button.setChecked(tool.name == chosen)
        items = [("This slice", "slice"), ("All slices", "stack")]
        if leading > 1:
            items = [*items, ("Everything", "all")]
        self._where.fill(items)
        self._where.setEnabled(not flat and not reason_against)
        self._pixels.setEnabled(not reason_against)

    def follow_theme(self, name: str) -> None:
        """Draw the icons in the colours of napari's theme."""
        theme = get_theme(name)
        text, accent = QColor(theme.text.as_hex()), QColor(theme.highlight.as_hex())
        current = QColor(theme.current.as_hex())
        # What a tool changes is drawn in a colour that is seen on a button, pressed or not.
        bright = QColor("#ffb454") if is_dark(name) else QColor("#b3420a")
        for tool_name, button in self._buttons.items():
            button.setIcon(tool_icon(tool_name, text, bright))
            button.setStyleSheet(
                "QPushButton { padding: 2px; }"
                f" QPushButton:checked {{ background: {current.name()};"
                f" border: 1px solid {accent.name()}; }}"
            )

    def _make_button(self, tool: Tool) -> QPushButton:
        button = QPushButton()
        button.setObjectName(f"tool_{tool.name}")
        button.setAccessibleName(tool.title)
        button.setAccessibleDescription(tool.about)
        button.setToolTip(tool.tooltip)
        button.setCheckable(tool.gesture != "none")
        button.setIconSize(QSize(ICON, ICON))
        button.setMinimumSize(30, 30)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys to the canvas
        button.clicked.connect(lambda: self.pressed.emit(tool.name))
        return button


def stop_button() -> QPushButton:
    """Return the button that gives up a tool at work; it is hidden while none takes long."""
    button = QPushButton("Stop")
    button.setObjectName("correct_stop")
    button.setAccessibleName("Stop the tool")
    button.setToolTip("Give up what is being computed; nothing is changed.\nKey: Esc")
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.setStyleSheet("QPushButton { padding: 3px 8px; }")
    button.hide()
    return button
