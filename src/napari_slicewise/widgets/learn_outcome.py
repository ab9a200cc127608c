"""What came of a training: how good it is, its name, and what to do with it."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_slicewise.training.request import LearnReport
from napari_slicewise.widgets.rows import Rows, side_by_side

__all__ = ["LearnOutcome", "TwoLines", "score_words"]


def score_words(report: LearnReport | None, held_out: str) -> str:
    """Say how good the result is beside what the training began with.

    Parameters
    ----------
    report
        The last one; None where no step was done.
    held_out
        The slices that were held out, in words; empty where there are none.
    """
    if report is None:
        return ""
    if report.best is None:
        return "Not scored: hold on to two marked slices or more to have one held out"
    where = f" on held-out {held_out}" if held_out else ""
    if report.before is None:
        return f"{report.best:.2f}{where}"
    if report.best > report.before + 0.005:
        how = "Better than before"
    elif report.best < report.before - 0.005:
        how = "Worse than before"
    else:
        how = "As good as before"
    return f"{how}: {report.before:.2f} → {report.best:.2f}{where}"


class TwoLines(QLabel):
    """Text of up to two lines, whose room is always there.

    Parameters
    ----------
    name
        Object name.
    about
        What the text is about, for when it says nothing.
    """

    def __init__(self, name: str, about: str) -> None:
        super().__init__()
        self._about = about
        self.setObjectName(name)
        self.setToolTip(about)
        self.setWordWrap(True)
        self.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)

    def say(self, text: str, *, more: str = "") -> None:
        """Show a text; the tooltip gives ``more`` or the whole text."""
        self.setText(text)
        self.setToolTip(more or text or self._about)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the height of two lines."""
        return QSize(0, 2 * self.fontMetrics().lineSpacing() + 4)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the same: the text never widens the panel."""
        return self.sizeHint()

    def heightForWidth(self, _width: int) -> int:  # noqa: N802 - Qt's name
        """Return the same for every width."""
        return self.sizeHint().height()


class LearnOutcome(QWidget):
    """The score in words, a field for the name, and two buttons."""

    use_pressed = Signal(str)  # the name
    segment_pressed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._words = TwoLines(
            "learn_result", "How good the result is on slices that were held out."
        )
        self._words.setAccessibleName("Result of the training")
        self._name = QLineEdit()
        self._name.setObjectName("learn_name")
        self._name.setAccessibleName("Name of the model")
        self._name.setToolTip(
            "Under this name the model is saved in your own folder of models and listed in the\n"
            "Segment tab. No other model is ever overwritten."
        )
        self._use = QPushButton("Use this model")
        self._use.setObjectName("learn_use")
        self._use.setAccessibleName("Use this model")
        self._segment = QPushButton("Segment the stack")
        self._segment.setObjectName("learn_segment")
        self._segment.setAccessibleName("Segment the stack with this model")
        for button in (self._use, self._segment):
            button.setStyleSheet("QPushButton { padding: 4px 6px; }")
        self._use.clicked.connect(lambda: self.use_pressed.emit(self._name.text()))
        self._segment.clicked.connect(lambda: self.segment_pressed.emit(self._name.text()))
        rows = Rows()
        rows.add("Name", self._name)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._words)
        layout.addWidget(rows)
        buttons = side_by_side(self._use, self._segment)
        buttons.layout().setStretch(1, 1)
        layout.addWidget(buttons)
        self.allow(draft=False, running=False)

    @property
    def name(self) -> str:
        """What the model is to be called."""
        return self._name.text().strip()

    def suggest(self, name: str) -> None:
        """Put a name into the field."""
        self._name.setText(name)

    def say(self, words: str, *, more: str = "") -> None:
        """Say how good the result is."""
        self._words.say(words, more=more)

    def allow(self, *, draft: bool, running: bool) -> None:
        """Enable the buttons where there is a model to use, and no training under way."""
        possible = draft and not running
        reason = "The training is going on." if running else "Nothing has been learned yet."
        self._use.setEnabled(possible)
        self._segment.setEnabled(possible)
        self._name.setEnabled(possible)
        self._use.setToolTip(
            "Save the model under this name, and choose it in the Segment tab."
            if possible
            else reason
        )
        self._segment.setToolTip(
            "Save the model, and predict all slices with it into the labels that are there.\n"
            "What you painted, corrected or marked as done stays as it is."
            if possible
            else reason
        )
