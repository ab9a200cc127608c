"""The slices as a strip: which are segmented, changed by hand, done; a click goes there."""

from __future__ import annotations

from collections.abc import Sequence

from napari.components import ViewerModel
from napari.utils.theme import get_theme
from qtpy.QtCore import QEvent, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QToolTip, QVBoxLayout, QWidget

from napari_slicewise.editing.session import EditSession
from napari_slicewise.io.source import SliceIndex
from napari_slicewise.widgets.rows import Line
from napari_slicewise.widgets.run_row import is_dark

__all__ = ["SliceRow", "SliceStrip", "slice_states"]

BLANK, SEGMENTED, EDITED, DONE = range(4)
_WORDS = ("not segmented by a run", "segmented", "changed by hand", "done")
_DARK = ("#3d424d", "#5b7bb8", "#e0912f", "#4caf6d")
_LIGHT = ("#cfccca", "#7f9bd1", "#e0912f", "#3d9a5b")
HEIGHT = 16  # px


def slice_states(session: EditSession, index: SliceIndex) -> list[int]:
    """Return the state of each slice along the last leading axis, where the others stand."""
    shape = session.labels.leading_shape
    if not shape:
        return []
    ownership, locks = session.ownership, session.locks
    states = []
    for position in range(shape[-1]):
        place = (*index[:-1], position)
        if locks.holds_slice(place):
            states.append(DONE)
        elif place in ownership.marked:
            states.append(EDITED)
        else:
            states.append(SEGMENTED if place in ownership.machine else BLANK)
    return states


class SliceStrip(QWidget):
    """Draws a cell for each slice, the one on show with a frame.

    Colours are never all that tells: the tooltip says the state in words, and what is done
    is higher than what is not.
    """

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("slice_strip")
        self.setAccessibleName("Slices")
        self.setToolTip("The slices of the stack. Click one to go there.")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(HEIGHT)
        self.setMouseTracking(True)
        self._states: list[int] = []
        self._current = 0
        self._colours: Sequence[str] = _DARK
        self._frame = QColor("white")

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return no width of its own."""
        return QSize(0, HEIGHT)

    def show_states(self, states: list[int], current: int) -> None:
        """Show the states of all slices, and where the slider stands."""
        if (states, current) != (self._states, self._current):
            self._states, self._current = states, current
            self.update()

    def follow_theme(self, name: str) -> None:
        """Take the colours of napari's theme."""
        self._colours = _DARK if is_dark(name) else _LIGHT
        self._frame = QColor(get_theme(name).text.as_hex())
        self.update()

    def state(self, position: int) -> str:
        """Return the state of a slice in words."""
        return _WORDS[self._states[position]]

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, ARG002 - Qt's name
        """Draw the cells; of slices that share a pixel, the one that is furthest."""
        painter = QPainter(self)
        count = len(self._states)
        if not count:
            painter.fillRect(QRectF(0, 5, self.width(), HEIGHT - 10), QColor(self._colours[0]))
            painter.end()
            return
        step = self.width() / count
        gap = 1.0 if step >= 4 else 0.0
        if step >= 1:
            cells = [(i * step, step - gap, state) for i, state in enumerate(self._states)]
        else:
            columns: dict[int, int] = {}
            for i, state in enumerate(self._states):
                columns[int(i * step)] = max(state, columns.get(int(i * step), 0))
            cells = [(x, 1.0, state) for x, state in columns.items()]
        for x, width, state in cells:
            inset = 2 if state == DONE else 4
            box = QRectF(x, inset, width, HEIGHT - 2 * inset)
            painter.fillRect(box, QColor(self._colours[state]))
        painter.setPen(self._frame)
        width = max(step - gap, 3.0)
        left = min(self._current * step, self.width() - width)
        painter.drawRect(QRectF(left, 0.5, width - 1, HEIGHT - 2))
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Go to the slice under the mouse."""
        self._go(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Go along while the button is held."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go(event)

    def event(self, event: QEvent) -> bool:
        """Say in the tooltip which slice is under the mouse."""
        if isinstance(event, QHelpEvent) and self._states:
            position = self._position(event.pos().x())
            QToolTip.showText(event.globalPos(), f"Slice {position}: {self.state(position)}", self)
            return True
        return super().event(event)

    def _go(self, event: QMouseEvent) -> None:
        if self._states and event.buttons() & Qt.MouseButton.LeftButton:
            self.chosen.emit(self._position(event.position().x()))

    def _position(self, x: float) -> int:
        count = len(self._states)
        return min(max(int(x * count / max(self.width(), 1)), 0), count - 1)


class SliceRow(QWidget):
    """The strip, what the slice on show is, and the buttons that mark it.

    Parameters
    ----------
    viewer
        Whose slider it moves.
    """

    done_pressed = Signal(bool)
    restore_pressed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._axis: int | None = None
        self.strip = SliceStrip()
        self.strip.chosen.connect(self._go)
        self._line = Line("slice_state", "What the slice on show is.")
        self._line.dim()
        self._done = _button(
            "slice_done",
            "Done",
            "This slice is right: no run and no tool changes it any more.\nKey: Y",
        )
        self._done.setCheckable(True)
        self._done.clicked.connect(self.done_pressed)
        self._restore = _button(
            "slice_restore",
            "Restore",
            "Bring the machine's version of this slice back. Ctrl+Z takes that back.",
        )
        self._restore.clicked.connect(self.restore_pressed)
        below = QHBoxLayout()
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(4)
        below.addWidget(self._line, 1)
        below.addWidget(self._restore)
        below.addWidget(self._done)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.strip)
        layout.addLayout(below)

    def show_session(
        self, session: EditSession | None, index: SliceIndex, axis: int | None
    ) -> None:
        """Show the slices of a session.

        Parameters
        ----------
        session
            None empties the strip.
        index
            The slice on show.
        axis
            The viewer's axis that the strip runs along; None where there is none.
        """
        self._axis = axis
        states = [] if session is None or axis is None else slice_states(session, index)
        self.strip.show_states(states, index[-1] if index else 0)
        done = session is not None and session.locks.holds_slice(index)
        self._done.setEnabled(session is not None)
        self._done.setChecked(done)
        machine = session is not None and index in session.ownership.machine
        self._restore.setEnabled(machine and not done)
        if session is None:
            self._line.say("")
        elif states:
            words = self.strip.state(index[-1])
            self._line.say(f"Slice {index[-1]} of {len(states)}: {words}")
        else:
            self._line.say("One slice" if not done else "One slice: done")

    def follow_theme(self, name: str) -> None:
        """Take the colours of napari's theme."""
        self.strip.follow_theme(name)
        current = QColor(get_theme(name).current.as_hex())
        for button in (self._done, self._restore):
            button.setStyleSheet(
                "QPushButton { padding: 3px 8px; }"
                f" QPushButton:checked {{ background: {current.name()}; }}"
            )

    def _go(self, position: int) -> None:
        if self._axis is not None:
            self._viewer.dims.set_current_step(self._axis, position)


def _button(name: str, title: str, tooltip: str) -> QPushButton:
    button = QPushButton(title)
    button.setObjectName(name)
    button.setAccessibleName(title)
    button.setToolTip(tooltip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
