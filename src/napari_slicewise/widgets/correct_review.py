"""The queue of doubts: what to look at next, and what was decided."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_slicewise.editing.review import Doubt, Review
from napari_slicewise.editing.wording import counted
from napari_slicewise.widgets.rows import Line

__all__ = ["REVIEW_KEYS", "ReviewRow"]

REVIEW_KEYS = {"next": "Q", "accept": "A", "delete": "Shift-D"}
_ABOUT = {
    "next": ("Next", "Go to the next doubt: uncertain, odd sizes, gaps, empty slices."),
    "accept": ("Accept", "It is right as it is; go to the next one."),
    "delete": ("Delete", "Delete this object on all slices; go to the next one."),
}


class ReviewRow(QWidget):
    """Three buttons, how many are left, and why this one is in the queue."""

    pressed = Signal(str)  # next, accept, delete

    def __init__(self) -> None:
        super().__init__()
        self._buttons = {name: self._make_button(name) for name in REVIEW_KEYS}
        self._count = QLabel()
        self._count.setObjectName("review_count")
        self._count.setToolTip("Doubts that are decided, of all.")
        self._count.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._count.setMinimumWidth(64)
        self._words = Line("review_words", "Why this one should be looked at.")
        self._words.dim()
        above = QHBoxLayout()
        above.setContentsMargins(0, 0, 0, 0)
        above.setSpacing(4)
        for button in self._buttons.values():
            above.addWidget(button)
        above.addStretch(1)
        above.addWidget(self._count)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(above)
        layout.addWidget(self._words)

    def show_review(
        self, review: Review, doubt: Doubt | None, *, allowed: bool, busy: bool
    ) -> None:
        """Show how far the review is.

        Parameters
        ----------
        review
            The queue.
        doubt
            What is being looked at; None before the first one.
        allowed
            Whether there are labels that can be corrected.
        busy
            Whether the objects are being measured.
        """
        done, total = review.progress
        self._buttons["next"].setEnabled(allowed and not busy)
        self._buttons["accept"].setEnabled(allowed and doubt is not None)
        self._buttons["delete"].setEnabled(allowed and doubt is not None and doubt.number > 0)
        self._count.setText(f"{done} / {total}" if total else "")
        if busy:
            self._words.say("Looking at all objects…")
        elif doubt is not None:
            self._words.say(doubt.words)
        elif total and done == total:
            self._words.say("Everything was looked at.")
        elif total:
            self._words.say(f"{counted(total - done, 'doubt')} to look at")
        else:
            self._words.say("Review looks for doubtful objects: press Next." if allowed else "")

    def follow_theme(self, name: str) -> None:  # noqa: ARG002 - as its neighbours have it
        """Keep the buttons slim, and the line as high as it is with a text."""
        for button in self._buttons.values():
            button.setStyleSheet("QPushButton { padding: 3px 8px; }")
        self._words.ensurePolished()
        self._words.setFixedHeight(self._words.fontMetrics().height() + 6)

    def _make_button(self, name: str) -> QPushButton:
        title, about = _ABOUT[name]
        button = QPushButton(title)
        button.setObjectName(f"review_{name}")
        button.setAccessibleName(f"{title}, review")
        button.setToolTip(f"{about}\nKey: {REVIEW_KEYS[name].replace('-', '+')}")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda: self.pressed.emit(name))
        return button
