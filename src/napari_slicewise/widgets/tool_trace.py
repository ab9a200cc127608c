"""The line that is being drawn with a tool, on top of the canvas."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QWidget

__all__ = ["ToolTrace"]


class ToolTrace:
    """Shows a line over a window's canvas while the mouse draws it.

    Parameters
    ----------
    owner
        A widget in the window.
    """

    def __init__(self, owner: QWidget) -> None:
        self._owner = owner
        self._sheet: _Sheet | None = None

    def show(self, points: Sequence[tuple[float, float]]) -> None:
        """Show a line, in pixels of the canvas; none takes it away."""
        if not points:
            self.clear()
            return
        if self._sheet is None:
            canvas = _canvas(self._owner.window())
            if canvas is None:
                return
            self._sheet = _Sheet(canvas)
        self._sheet.draw(points)

    def clear(self) -> None:
        """Take the line away."""
        sheet, self._sheet = self._sheet, None
        if sheet is not None:
            sheet.hide()
            sheet.deleteLater()


class _Sheet(QWidget):
    """A transparent sheet that the mouse goes through."""

    def __init__(self, canvas: QWidget) -> None:
        super().__init__(canvas)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self._line = QPolygonF()
        self.setGeometry(canvas.rect())
        self.show()

    def draw(self, points: Sequence[tuple[float, float]]) -> None:
        self._line = QPolygonF([QPointF(float(x), float(y)) for x, y in points])
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, ARG002 - Qt's name
        """Draw the line, white within black, to be seen on any picture."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for colour, width in ((QColor("black"), 4.0), (QColor("white"), 2.0)):
            pen = QPen(colour, width)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            painter.drawPolyline(self._line)
        painter.end()


def _canvas(window: QWidget) -> QWidget | None:
    """Return the largest picture of a window: napari's canvas, not that of another dock."""
    pictures = [w for w in window.findChildren(QOpenGLWidget) if w.isVisible()]
    return max(pictures, key=lambda w: w.width() * w.height(), default=None)
