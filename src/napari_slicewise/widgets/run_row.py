"""The end of the panel: start, stop, and how far it is."""

from __future__ import annotations

from napari.utils.theme import get_theme
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_slicewise.inference.request import Progress
from napari_slicewise.widgets.rows import Line

__all__ = ["SEGMENT_KEYS", "STOP_KEYS", "RunRow", "is_dark"]

SEGMENT_KEYS = ("Ctrl+Return", "Ctrl+Enter")
STOP_KEYS = ("Ctrl+Shift+Return", "Ctrl+Shift+Enter")


class RunRow(QWidget):
    """Buttons, progress bar, one line of status, and room for what went wrong."""

    segment_pressed = Signal()
    stop_pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._segment = QPushButton("Segment")
        self._segment.setObjectName("segment_button")
        self._stop = QPushButton("Stop")
        self._stop.setObjectName("stop_button")
        self._stop.setAccessibleName("Stop")
        self._segment.setAccessibleName("Segment")
        self._segment.clicked.connect(self.segment_pressed)
        self._stop.clicked.connect(self.stop_pressed)
        self._progress = QProgressBar()
        self._progress.setObjectName("progress")
        self._progress.setAccessibleName("Progress")
        self._progress.setToolTip("Slices done, speed and time left.")
        self._progress.setTextVisible(True)
        self._status = Line("status", "What is being done, and on which device.")
        self._status.setAccessibleName("Status")
        self._problem = QLabel()
        self._problem.setObjectName("problem")
        self._problem.setToolTip("What went wrong, and what can be done about it.")
        self._problem.setWordWrap(True)
        self._problem.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._problem.hide()
        self._lay_out()
        self.show_no_progress()

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self._segment, 2)
        buttons.addWidget(self._stop, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(buttons)
        for widget in (self._progress, self._status, self._problem):
            layout.addWidget(widget)

    def allow(self, *, reason_against: str, running: bool, stopping: bool) -> None:
        """Enable the buttons that can be pressed; the others say why they cannot."""
        self._segment.setEnabled(not running and not reason_against)
        self._segment.setToolTip(
            reason_against
            or ("A run is going on." if running else "Segment the chosen slices.")
            + f"\nShortcut: {SEGMENT_KEYS[0].replace('Return', 'Enter')}"
        )
        self._stop.setEnabled(running)
        self._stop.setText("Stopping…" if stopping else "Stop")
        self._stop.setToolTip(
            "End the run; slices that are finished stay."
            f"\nShortcut: {STOP_KEYS[0].replace('Return', 'Enter')}"
            + ("\nPress again to end a worker that does not answer." if stopping else "")
        )

    def show_no_progress(self) -> None:
        """Empty the bar."""
        self._progress.setRange(0, 1)
        self._progress.setValue(0)
        self._progress.setFormat("")

    def show_waiting(self) -> None:
        """Show at once that a run begins: the bar is busy until the first slice is there."""
        self.allow(reason_against="", running=True, stopping=False)
        self.say("Starting")
        self._progress.setFormat("")
        self._progress.setRange(0, 0)
        self.repaint()

    def show_progress(self, progress: Progress) -> None:
        """Fill the bar as far as the run is."""
        text = f"{progress.done} / {progress.total}   {_rate(progress.rate)}"
        if progress.done < progress.total:
            text += f"   {_time_left(progress.seconds_left)}"
        # A progress bar repaints in the middle of ``setValue``, and the canvas with it.
        self._progress.setUpdatesEnabled(False)
        self._progress.setRange(0, progress.total)
        self._progress.setValue(progress.done)
        self._progress.setFormat(text)
        self._progress.setUpdatesEnabled(True)

    def show_end(self) -> None:
        """Leave the count in the bar; speed and time left are over."""
        if not self._progress.maximum():
            self.show_no_progress()
        elif self._progress.format():
            self._progress.setFormat(f"{self._progress.value()} / {self._progress.maximum()}")

    def say(self, text: str, *, more: str = "") -> None:
        """Say in one line what is being done, and more of it in the tooltip."""
        self._status.say(text, more=more)

    def show_problem(self, text: str) -> None:
        """Show what went wrong; an empty text clears it."""
        self._problem.setText(text)
        self._problem.setVisible(bool(text))

    def follow_theme(self, name: str) -> None:
        """Take the colours of napari's theme."""
        theme = get_theme(name)
        error, accent = QColor(theme.error.as_hex()), QColor(theme.current.as_hex())
        if is_dark(name):
            error = error.lighter(220)  # napari's is meant for icons, and too dark for text
        text = "white" if accent.lightness() < 160 else "black"
        self._problem.setStyleSheet(f"color: {error.name()};")
        for button in (self._segment, self._stop):  # napari's style makes disabled ones flatter
            button.ensurePolished()
            button.setMinimumHeight(button.fontMetrics().height() + 10)
        self._segment.setStyleSheet(
            f"QPushButton:enabled {{ background: {accent.name()}; color: {text};"
            " font-weight: bold; }"
            f" QPushButton:enabled:hover {{ background: {accent.lighter(115).name()}; }}"
        )
        self._progress.setStyleSheet(
            f"QProgressBar::chunk {{ background: {accent.name()}; margin: 0px; }}"
        )


def is_dark(theme: str) -> bool:
    """Whether a theme of napari's is light text on a dark ground."""
    return QColor(get_theme(theme).background.as_hex()).lightness() < 128


def _rate(rate: float) -> str:
    return f"{rate:.1f} slices/s" if rate >= 0.5 else f"{1 / max(rate, 1e-9):.0f} s/slice"


def _time_left(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s left"
    return f"{seconds / 60:.0f} min left" if seconds < 5400 else f"{seconds / 3600:.1f} h left"
