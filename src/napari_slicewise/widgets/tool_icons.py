"""The icons of the tools, drawn in the colour of the theme: no files, sharp on any screen."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPen, QPixmap, QPolygonF

__all__ = ["tool_icon"]

SIDE = 20  # px of the drawings below
SCALE = 3  # pixels for each of them, for screens of high density


def tool_icon(name: str, colour: QColor, accent: QColor) -> QIcon:
    """Draw the icon of a tool.

    Parameters
    ----------
    name
        As in the list of tools.
    colour
        Of lines: the text's colour.
    accent
        Of what the tool adds or takes away.
    """
    icon = QIcon()
    for mode, strength in ((QIcon.Mode.Normal, 1.0), (QIcon.Mode.Disabled, 0.35)):
        pixmap = QPixmap(SIDE * SCALE, SIDE * SCALE)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.scale(SCALE, SCALE)
        painter.setOpacity(strength)
        _DRAWINGS[name](_Pencil(painter, colour, accent))
        painter.end()
        icon.addPixmap(pixmap, mode)
    return icon


class _Pencil:
    """Draws with two colours: plain lines, and the accent for what changes."""

    def __init__(self, painter: QPainter, colour: QColor, accent: QColor) -> None:
        self._painter, self._colours = painter, (colour, accent)

    def _take(self, *, accent: bool, fill: bool, dashed: bool = False, width: float = 1.5) -> None:
        colour = self._colours[accent]
        pen = QPen(colour, width)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        if dashed:
            pen.setDashPattern([1.6, 1.8])
        self._painter.setPen(pen)
        faint = QColor(colour)
        faint.setAlphaF(0.35)
        self._painter.setBrush(faint if fill else Qt.BrushStyle.NoBrush)

    def ring(
        self, x: float, y: float, r: float, *, accent: bool = False, fill: bool = False,
        dashed: bool = False,
    ) -> None:  # fmt: skip
        self._take(accent=accent, fill=fill, dashed=dashed)
        self._painter.drawEllipse(QPointF(x, y), r, r)

    def dot(self, x: float, y: float, r: float = 1.6, *, accent: bool = True) -> None:
        self._take(accent=accent, fill=False)
        self._painter.setBrush(self._colours[accent])
        self._painter.drawEllipse(QPointF(x, y), r / 2, r / 2)

    def box(
        self, x: float, y: float, w: float, h: float, *, accent: bool = False, fill: bool = False
    ) -> None:
        self._take(accent=accent, fill=fill)
        self._painter.drawRoundedRect(QRectF(x, y, w, h), 1.5, 1.5)

    def line(self, *points: tuple[float, float], accent: bool = True, width: float = 1.8) -> None:
        self._take(accent=accent, fill=False, width=width)
        self._painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in points]))

    def arc(self, x: float, y: float, r: float, start: int, span: int) -> None:
        self._take(accent=False, fill=False)
        self._painter.drawArc(QRectF(x - r, y - r, 2 * r, 2 * r), 16 * start, 16 * span)

    def word(self, text: str) -> None:
        self._take(accent=False, fill=False)
        font = self._painter.font()
        font.setPixelSize(9)
        font.setBold(True)
        self._painter.setFont(font)
        self._painter.drawText(QRectF(0, 0, SIDE, SIDE), Qt.AlignmentFlag.AlignCenter, text)


def _merge(pencil: _Pencil) -> None:
    pencil.ring(7, 10, 4.8, fill=True)
    pencil.ring(13, 10, 4.8, fill=True)
    pencil.line((8, 10), (12, 10))
    pencil.line((10, 8), (10, 12))


def _split(pencil: _Pencil) -> None:
    pencil.ring(10, 10, 6.5, fill=True)
    pencil.line((14.5, 2), (5.5, 18))


def _seeds(pencil: _Pencil) -> None:
    pencil.ring(10, 10, 7, fill=True)
    pencil.dot(7.2, 10.6, 3)
    pencil.dot(12.8, 9.4, 3)


def _delete(pencil: _Pencil) -> None:
    pencil.ring(10, 10, 6.8, dashed=True)
    pencil.line((7.2, 7.2), (12.8, 12.8))
    pencil.line((12.8, 7.2), (7.2, 12.8))


def _fill(pencil: _Pencil) -> None:
    pencil.ring(10, 10, 7)
    pencil.ring(10, 10, 3.2, accent=True, fill=True)


def _smooth(pencil: _Pencil) -> None:
    pencil.line((2.5, 13), (5, 8), (7.5, 12), (10, 7), accent=False, width=1.4)
    pencil.line((10, 7), (12, 6.2), (14, 7.4), (15.6, 9.8), (17.5, 11))


def _largest(pencil: _Pencil) -> None:
    pencil.ring(8, 11, 5.6, accent=True, fill=True)
    pencil.ring(16, 4.5, 2, dashed=True)


def _grow(pencil: _Pencil) -> None:
    pencil.ring(10, 10, 3.2, fill=True)
    for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        pencil.line((10 + 5 * x, 10 + 5 * y), (10 + 8 * x, 10 + 8 * y))
    pencil.line((16, 8.2), (18, 10), (16, 11.8))
    pencil.line((4, 8.2), (2, 10), (4, 11.8))


def _shrink(pencil: _Pencil) -> None:
    pencil.ring(10, 10, 3, accent=True, fill=True)
    pencil.ring(10, 10, 7.2, dashed=True)


def _interpolate(pencil: _Pencil) -> None:
    pencil.box(3, 2.5, 14, 3.4, fill=True)
    pencil.box(3, 14.1, 14, 3.4, fill=True)
    pencil.line((5.5, 8.6), (14.5, 8.6), width=1.5)
    pencil.line((5.5, 11.4), (14.5, 11.4), width=1.5)


def _lock(pencil: _Pencil) -> None:
    pencil.arc(10, 8, 3.4, 0, 180)
    pencil.line((6.6, 8), (6.6, 9.5), accent=False, width=1.5)
    pencil.line((13.4, 8), (13.4, 9.5), accent=False, width=1.5)
    pencil.box(4.5, 9.5, 11, 7.5, accent=True, fill=True)


def _restore(pencil: _Pencil) -> None:
    pencil.arc(10.5, 10.5, 6.2, -60, 240)
    pencil.line((2.2, 8.6), (4.6, 11.4), (7.2, 8.8))
    pencil.dot(10.5, 10.5, 2)


_DRAWINGS: dict[str, Callable[[_Pencil], None]] = {
    "merge": _merge,
    "split": _split,
    "seeds": _seeds,
    "delete": _delete,
    "fill": _fill,
    "smooth": _smooth,
    "largest": _largest,
    "grow": _grow,
    "shrink": _shrink,
    "interpolate": _interpolate,
    "relabel": lambda pencil: pencil.word("123"),
    "next": lambda pencil: pencil.word("+1"),
    "lock": _lock,
    "restore": _restore,
}
