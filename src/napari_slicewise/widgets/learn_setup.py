"""What a training starts from, how long it takes and what the network is to answer."""

from __future__ import annotations

from qtpy.QtCore import Signal

from napari_slicewise.training.request import LearnRequest
from napari_slicewise.widgets.learn_row import MinutesBox
from napari_slicewise.widgets.rows import Choice, Rows

__all__ = ["LearnSetup"]

_HEADS = [
    ("Decided by the labels", "auto"),
    ("Objects, by distance", "distance"),
    ("Objects, by borders", "boundary"),
    ("Foreground", "binary"),
    ("Classes", "classes"),
]


class LearnSetup(Rows):
    """Three rows of choices."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._start = Choice(
            "learn_start",
            "Start from",
            "The model chosen in the Segment tab learns on: that takes few slices and little\n"
            "time. A new network knows nothing, and fits any kind of image.",
        )
        self._head = Choice(
            "learn_head",
            "What it answers",
            "What the network is to answer. By the labels: what the model answers that is\n"
            "learned from; of a new network objects, where labels are numbered.",
        )
        self._head.fill(_HEADS)
        self._minutes = MinutesBox()
        self.add("Start from", self._start)
        self.add("Answers", self._head)
        self.add("Time", self._minutes)
        self.follow_model("", "")
        self._start.currentIndexChanged.connect(self.changed)

    @property
    def model(self) -> str:
        """The model to start from; empty for a new network."""
        return str(self._start.currentData() or "")

    def follow_model(self, model: str, title: str) -> None:
        """Offer the model that is chosen in the Segment tab."""
        new = bool(self._start.count()) and not self._start.currentData() and bool(model)
        by_hand = new and self._start.count() > 1  # the user chose the new network
        offered = [(title or model, model)] if model else []
        self._start.fill([*offered, ("A new network", "")])
        if not by_hand and model:
            self._start.setCurrentIndex(0)

    def request(self, title: str) -> LearnRequest:
        """Return what is asked for."""
        return LearnRequest(
            start_from=self.model or None,
            head=self._head.currentData(),
            minutes=self._minutes.value(),
            name=title,
            title=title,
        )
