"""The two curves of a training: how wrong it still is, and how good on what was held out."""

from __future__ import annotations

from collections.abc import Sequence

from napari.utils.theme import get_theme
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_slicewise.widgets.run_row import is_dark

__all__ = ["LearnCurves"]

HEIGHT = 112  # px
MOST_POINTS = 512
_SMOOTH = 0.9  # weight of the past: single batches differ too much to be read
_DARK = ("#6f9be8", "#f0a040")
_LIGHT = ("#2f5fb8", "#b35c00")

Points = Sequence[tuple[float, float]]  # (seconds, value)


class LearnCurves(QWidget):
    """Draws the loss, smoothed, and the scores on held-out slices, over time.

    The loss has a scale of its own, from 0 to its highest value; scores go from 0 to 1.
    The scores are points on a line and the loss is a line alone, so that colour is not
    all that tells them apart.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("learn_curves")
        self.setAccessibleName("Curves of the training")
        self.setToolTip(
            "Blue, a line: the loss, how wrong the network is on what it learns from. It falls.\n"
            "Orange, points: the score on slices that are held out, from 0 to 1. It rises."
        )
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(HEIGHT)
        self._colours = _DARK
        self._text, self._ground = QColor("white"), QColor("black")
        self.clear()

    @property
    def losses(self) -> Points:
        """The curve of the loss, as it is drawn."""
        return tuple(self._losses)

    @property
    def scores(self) -> Points:
        """The scores on what is held out."""
        return tuple(self._scores)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return no width of its own."""
        return QSize(0, HEIGHT)

    def clear(self) -> None:
        """Begin anew."""
        self._losses: list[tuple[float, float]] = []
        self._scores: list[tuple[float, float]] = []
        self._mean, self._weight = 0.0, 0.0
        self._every, self._seen = 1, 0
        self._tell()

    def add_loss(self, seconds: float, loss: float) -> None:
        """Take the loss of one step."""
        self._mean = _SMOOTH * self._mean + (1.0 - _SMOOTH) * loss
        self._weight = _SMOOTH * self._weight + (1.0 - _SMOOTH)
        self._seen += 1
        if self._seen % self._every == 0:
            self._losses.append((seconds, self._mean / self._weight))
        if len(self._losses) > MOST_POINTS:
            self._losses = self._losses[1::2]
            self._every *= 2
        self._tell()

    def add_score(self, seconds: float, score: float) -> None:
        """Take a score on what is held out, 0..1."""
        self._scores.append((seconds, score))
        self._tell()

    def follow_theme(self, name: str) -> None:
        """Take the colours of napari's theme."""
        theme = get_theme(name)
        self._colours = _DARK if is_dark(name) else _LIGHT
        self._text = QColor(theme.text.as_hex())
        self._ground = QColor(theme.foreground.as_hex())
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, ARG002 - Qt's name
        """Draw the legend, the frame and both curves."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        line = painter.fontMetrics().height()
        box = QRectF(0.5, line + 4.5, self.width() - 1, self.height() - line - 5)
        painter.fillRect(box, self._ground)
        self._draw_legend(painter, line)
        end = max([t for t, _ in (*self._losses[-1:], *self._scores[-1:])], default=0.0)
        inner = box.adjusted(4, 4, -4, -4)
        if end > 0.0:
            highest = max((value for _, value in self._losses), default=0.0)
            self._draw_line(painter, inner, self._losses, (end, highest or 1.0), 0)
            self._draw_line(painter, inner, self._scores, (end, 1.0), 1)
        painter.end()

    def _draw_legend(self, painter: QPainter, line: int) -> None:
        loss, score = self._words()
        row = QRectF(0, 0, self.width(), line + 2)
        for words, side, colour in (
            (loss, Qt.AlignmentFlag.AlignLeft, self._colours[0]),
            (score, Qt.AlignmentFlag.AlignRight, self._colours[1]),
        ):
            painter.setPen(QColor(colour))
            painter.drawText(row, side | Qt.AlignmentFlag.AlignVCenter, words)

    def _draw_line(
        self,
        painter: QPainter,
        box: QRectF,
        points: Points,
        ends: tuple[float, float],
        which: int,
    ) -> None:
        """Draw one curve; scores have a dot at each value."""
        colour = QColor(self._colours[which])
        places = [
            QPointF(
                box.left() + t / ends[0] * box.width(), box.bottom() - v / ends[1] * box.height()
            )
            for t, v in points
        ]
        if not places:
            return
        path = QPainterPath(places[0])
        for place in places[1:]:
            path.lineTo(place)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour, 1.5))
        painter.drawPath(path)
        if which:
            painter.setBrush(colour)
            for place in places:
                painter.drawEllipse(place, 3.0, 3.0)

    def _words(self) -> tuple[str, str]:
        loss = f"loss {self._losses[-1][1]:.3f}" if self._losses else "loss"
        score = f"held-out score {self._scores[-1][1]:.2f}" if self._scores else "held-out score"
        return loss, score

    def _tell(self) -> None:
        """Say it to a screen reader too, and draw."""
        self.setAccessibleDescription(", ".join(self._words()))
        self.update()
