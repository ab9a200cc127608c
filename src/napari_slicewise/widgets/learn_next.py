"""Slices that are worth annotating next, as buttons that go there."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_slicewise.app.learn_proposals import Proposal
from napari_slicewise.widgets.learn_outcome import TwoLines

__all__ = ["NextSlices"]

MOST = 3


class NextSlices(QWidget):
    """A button that looks for slices, and a button for each that was found."""

    wanted = Signal()
    chosen = Signal(object)  # SliceIndex

    def __init__(self) -> None:
        super().__init__()
        self._find = QPushButton("Next slices")
        self._find.setObjectName("learn_propose")
        self._find.setStyleSheet("QPushButton { padding: 3px 8px; }")
        self._find.setAccessibleName("Find the next slices to annotate")
        self._find.clicked.connect(self.wanted)
        self._jumps: list[QPushButton] = []
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self._find, 2)
        for number in range(MOST):
            button = QPushButton()
            button.setObjectName(f"learn_next_{number}")
            button.setMinimumWidth(34)
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            button.setStyleSheet("QPushButton { padding: 3px 2px; }")
            button.clicked.connect(lambda _checked=False, number=number: self._go(number))
            self._jumps.append(button)
            row.addWidget(button, 1)
        self._words = TwoLines(
            "learn_next_words", "Which slices are worth annotating next, and why."
        )
        self._words.setProperty("dim", True)  # noqa: FBT003 - Qt's own signature
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self._words)
        self._proposals: list[Proposal] = []
        self.show_proposals([])

    def allow(self, reason_against: str) -> None:
        """Enable the search, or say why there is none."""
        self._find.setEnabled(not reason_against)
        self._find.setToolTip(
            reason_against
            or "Look for slices on which the model is least sure, and which are least like those\n"
            "that are annotated. They are predicted with the model that is learned from."
        )

    def say(self, text: str) -> None:
        """Say what is being done."""
        self._words.say(text)

    def show_proposals(self, proposals: Sequence[Proposal]) -> None:
        """Show a button for each slice that is proposed."""
        self._proposals = list(proposals)[:MOST]
        for number, button in enumerate(self._jumps):
            found = number < len(self._proposals)
            proposal = self._proposals[number] if found else None
            place = "" if proposal is None else ", ".join(map(str, proposal.index))
            button.setText(place or "–")
            button.setEnabled(found)
            button.setAccessibleName(f"Go to slice {place}" if found else "No slice")
            button.setToolTip(
                f"Go to slice {place}: {proposal.words}." if proposal else "No slice yet."
            )
        if self._proposals:
            self.say(
                "; ".join(f"{', '.join(map(str, p.index))}: {p.words}" for p in self._proposals)
            )
        else:
            self.say("")

    def _go(self, number: int) -> None:
        if number < len(self._proposals):
            self.chosen.emit(self._proposals[number].index)
