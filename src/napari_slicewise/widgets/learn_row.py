"""Start, stop and go on with a training; how long it still takes."""

from __future__ import annotations

from napari.utils.theme import get_theme
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_slicewise.app.learn import LearnPhase
from napari_slicewise.app.learn_unfinished import Unfinished
from napari_slicewise.training.request import LearnReport
from napari_slicewise.widgets.rows import Line
from napari_slicewise.widgets.run_row import is_dark

__all__ = ["LearnRow", "MinutesBox", "clock"]


class MinutesBox(QDoubleSpinBox):
    """How long the training may take."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("learn_minutes")
        self.setAccessibleName("Minutes")
        self.setToolTip(
            "How long the training may take, in minutes. The pace is fitted to it: a training\n"
            "that is stopped early is not as good as a shorter one that came to its end."
        )
        self.setRange(0.1, 600.0)
        self.setDecimals(1)
        self.setSingleStep(0.5)
        self.setValue(2.0)
        self.setSuffix(" minutes")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)


class LearnRow(QWidget):
    """Three buttons, one line of what is being done, and room for what went wrong."""

    learn_pressed = Signal()
    stop_pressed = Signal()
    continue_pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._learn = _button("learn_button", "Learn")
        self._stop = _button("learn_stop", "Stop")
        self._continue = _button("learn_continue", "Continue")
        self._learn.clicked.connect(self.learn_pressed)
        self._stop.clicked.connect(self.stop_pressed)
        self._continue.clicked.connect(self.continue_pressed)
        self._status = Line("learn_status", "What is being done, and how long it still takes.")
        self._status.setAccessibleName("Status of the training")
        self._problem = QLabel()
        self._problem.setObjectName("learn_problem")
        self._problem.setToolTip("What went wrong, and what can be done about it.")
        self._problem.setWordWrap(True)
        self._problem.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._problem.hide()
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        for button, stretch in ((self._learn, 2), (self._stop, 1), (self._continue, 1)):
            buttons.addWidget(button, stretch)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(buttons)
        layout.addWidget(self._status)
        layout.addWidget(self._problem)

    def allow(
        self, *, reason_against: str, phase: LearnPhase, unfinished: Unfinished | None
    ) -> None:
        """Enable the buttons that can be pressed; the others say why they cannot."""
        idle = phase == "idle"
        self._learn.setEnabled(idle and not reason_against)
        self._learn.setToolTip(
            reason_against
            or ("A training is going on." if not idle else "Learn from the ticked layers.")
        )
        self._stop.setEnabled(phase in ("starting", "learning"))
        self._stop.setText("Stopping…" if phase == "stopping" else "Stop")
        self._stop.setToolTip(
            "End the training after the step under way. The best weights so far are kept, and\n"
            "Continue goes on from here."
        )
        self._continue.setEnabled(idle and unfinished is not None)
        if unfinished is None:
            self._continue.setToolTip("There is no training that was stopped before its end.")
        else:
            total = clock(60.0 * unfinished.minutes)
            self._continue.setToolTip(
                f"Go on with the training that was stopped at {clock(unfinished.seconds)} of "
                f"{total} min:\n{unfinished.words}"
            )

    def say(self, text: str, *, more: str = "") -> None:
        """Say in one line what is being done."""
        self._status.say(text, more=more)

    def show_report(self, report: LearnReport) -> None:
        """Say how far the training is."""
        left = f"{clock(report.seconds_left)} min left"
        self.say(f"Step {report.step}, {left}", more=report.message)

    def show_problem(self, text: str) -> None:
        """Show what went wrong; an empty text clears it."""
        self._problem.setText(text)
        self._problem.setVisible(bool(text))

    def follow_theme(self, name: str) -> None:
        """Take the colours of napari's theme."""
        theme = get_theme(name)
        error, accent = QColor(theme.error.as_hex()), QColor(theme.current.as_hex())
        error = error.lighter(220) if is_dark(name) else error
        text = "white" if accent.lightness() < 160 else "black"
        self._problem.setStyleSheet(f"color: {error.name()};")
        for button in (self._learn, self._stop, self._continue):
            button.ensurePolished()
            button.setMinimumHeight(button.fontMetrics().height() + 10)
        self._learn.setStyleSheet(
            f"QPushButton:enabled {{ background: {accent.name()}; color: {text};"
            " font-weight: bold; }"
            f" QPushButton:enabled:hover {{ background: {accent.lighter(115).name()}; }}"
        )


def clock(seconds: float) -> str:
    """Return minutes and seconds: 1:05."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def _button(name: str, title: str) -> QPushButton:
    button = QPushButton(title)
    button.setObjectName(name)
    button.setAccessibleName(title)
    return button
