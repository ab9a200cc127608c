"""What a file of weights leaves open, asked with the best guess chosen."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_slicewise.models.answers import Inquiry
from napari_slicewise.models.questions import Question
from napari_slicewise.widgets.rows import Choice, Line
from napari_slicewise.widgets.wrapped_text import WrappedText

__all__ = ["ModelQuestions"]

_MOST_UNFOLDED = 3  # more would push the button to start a run out of sight


class ModelQuestions(QCollapsible):
    """The questions of one model; hidden where nothing is open.

    ``answered`` is emitted when the user chooses, and by nothing else.
    """

    answered = Signal()

    def __init__(self) -> None:
        super().__init__("About this model", expandedIcon=QIcon(), collapsedIcon=QIcon())
        self.setObjectName("model_questions")
        self.setDuration(120)
        self._questions: tuple[Question, ...] = ()
        self._answers: dict[str, str] = {}
        self._choices: dict[str, Choice] = {}
        self._notice = Line("model_notice", "What was found of earlier answers.")
        self._notice.dim()
        content = QWidget()
        self._rows = QVBoxLayout(content)
        self._rows.setContentsMargins(0, 2, 0, 2)
        self._rows.setSpacing(2)
        self._rows.addWidget(self._notice)
        self.setContent(content)
        self.layout().setContentsMargins(0, 0, 0, 0)
        self.layout().setSpacing(0)
        self._prepare_button()
        self.collapse(animate=False)
        self.hide()

    @property
    def answers(self) -> dict[str, str]:
        """What the user has answered, by the question's key; guesses are no answers."""
        return dict(self._answers)

    @property
    def _open(self) -> int:
        """How many questions have no answer."""
        return sum(question.key not in self._answers for question in self._questions)

    def ask(self, inquiry: Inquiry) -> None:
        """Show what is open of a model, with its answers or else the guesses chosen.

        A few open questions are unfolded; many, and answered ones, are folded away.
        Questions that stay keep their widgets, so that a menu that is open does not vanish.
        """
        other = inquiry.questions != self._questions
        if other:
            self._build(inquiry.questions)
        self._answers = dict(inquiry.answers)
        for question in self._questions:
            choice = self._choices[question.key]
            with QSignalBlocker(choice):
                choice.choose(self._answers.get(question.key, question.guess))
            _explain(choice, question)
        notice = " ".join(inquiry.notices)
        self._notice.say(notice)
        self._notice.setVisible(bool(notice))
        self.setVisible(bool(self._questions))
        if other and 0 < self._open <= _MOST_UNFOLDED:
            self.expand(animate=False)
        elif other:
            self.collapse(animate=False)
        self._say_how_many()

    def _build(self, questions: tuple[Question, ...]) -> None:
        while self._rows.count() > 1:
            widget = self._rows.takeAt(1).widget()
            widget.blockSignals(True)  # noqa: FBT003 - a menu of it may still be open
            widget.hide()
            widget.deleteLater()
        self._questions = questions
        self._choices.clear()
        for question in questions:
            choice = Choice(f"question_{question.key}", question.text, question.text)
            choice.fill([(text, value) for value, text in question.choices])
            choice.currentIndexChanged.connect(partial(self._on_choice, question))
            label = WrappedText(f"text_{question.key}", question.text)
            label.setProperty("dim", True)  # noqa: FBT003 - Qt's own signature
            label.say(question.text)
            label.setBuddy(choice)
            self._choices[question.key] = choice
            self._rows.addWidget(label)
            self._rows.addWidget(choice)

    def _on_choice(self, question: Question, _index: int) -> None:
        choice = self._choices[question.key]
        self._answers[question.key] = str(choice.currentData())
        _explain(choice, question)
        self._say_how_many()
        self.answered.emit()

    def _prepare_button(self) -> None:
        button = self.toggleButton()
        button.setStyleSheet("text-align: left; border: none; background: transparent;")
        button.setObjectName("questions_button")
        button.setAccessibleName("What this file leaves open")
        button.setToolTip(
            "The weights do not tell these. Your answers show at once on the slice on show,\n"
            "and are remembered beside the file."
        )
        self.toggled.connect(self._say_how_many)

    def _say_how_many(self) -> None:
        arrow = "▾" if self.isExpanded() else "▸"
        words = f": {self._open} open" if self._open else ""
        self.setText(f"{arrow}  About this model{words}")


def _explain(choice: Choice, question: Question) -> None:
    """Say the whole of what may be cut: the question, and the answer that is chosen."""
    guess = dict(question.choices).get(question.guess, question.guess)
    choice.explain(f"{question.text}\n{choice.currentText()}\nThe best guess: {guess}")
