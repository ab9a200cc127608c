"""A model in three short lines with its picture, and the whole card in a window that pops up."""

from __future__ import annotations

from html import escape

from qtpy.QtCore import QPoint, QSize, Qt
from qtpy.QtGui import QImage, QPixmap, QTextOption
from qtpy.QtWidgets import QFrame, QLabel, QTextBrowser, QToolButton, QVBoxLayout, QWidget

from napari_slicewise.app.models import ModelCard
from napari_slicewise.widgets.rows import Line

__all__ = ["CardButton", "CardLines", "Thumbnail"]

THUMBNAIL = 48  # px
POPUP_WIDTH = 344  # px
POPUP_HEIGHT = 540  # px, at most; longer cards are scrolled


class Thumbnail(QLabel):
    """A small picture of what a model does; no room is taken where there is none."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("model_thumbnail")
        self.setToolTip("An example of the model's own.")
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.setContentsMargins(0, 2, 0, 0)
        self.hide()

    def show_picture(self, data: bytes | None) -> None:
        """Show a picture from the bytes of a file, scaled down to fit."""
        image = QImage.fromData(data) if data else QImage()
        if not image.isNull():
            ratio = self.devicePixelRatioF()
            side = round(THUMBNAIL * ratio)
            image = image.scaled(
                QSize(side, side),
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
            image.setDevicePixelRatio(ratio)
        self.setPixmap(QPixmap.fromImage(image))
        self.setVisible(not image.isNull())


class CardLines(QWidget):
    """What a model is for, its facts, and what is done with the image for it."""

    def __init__(self) -> None:
        super().__init__()
        self._purpose = Line("model_purpose", "What the model is for.")
        self._facts = Line("model_facts", "Channels, pixel size, licence and size of the model.")
        self._note = Line("model_note", "What is done with the image for the model.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for line in (self._purpose, self._facts, self._note):
            line.dim()
            layout.addWidget(line)

    def show_card(self, card: ModelCard | None) -> None:
        """Show a model; None where there is none to be shown."""
        purpose, facts = ("", "") if card is None else (card.purpose, card.facts)
        more = "" if card is None else card.text
        self._purpose.say(purpose, more=more)
        self._facts.say(facts, more=more)
        self._purpose.setVisible(bool(purpose))
        self._facts.setVisible(bool(facts))

    def say(self, note: str, *, more: str = "") -> None:
        """Say what is done with the image, or why there is no model."""
        self._note.say(note, more=more)
        self._note.setVisible(bool(note))


class CardButton(QToolButton):
    """Opens the whole card; a click beside it closes it again."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("model_details")
        self.setAccessibleName("Details of the model")
        self.setText("…")
        self.setToolTip("All that is known of the model: source, licence, scores, file.")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setEnabled(False)
        self._card: ModelCard | None = None
        self._popup = _Popup(self)
        self.clicked.connect(self.open_card)

    def show_card(self, card: ModelCard | None) -> None:
        """Take the card that a click will show."""
        self._card = card
        self.setEnabled(card is not None)

    def open_card(self) -> None:
        """Show the whole card under the button, within the screen."""
        if self._card is None:
            return
        self._popup.show_card(self._card)
        corner = self.mapToGlobal(QPoint(self.width(), self.height() + 2))
        room = self.screen().availableGeometry()
        x = max(room.left(), min(corner.x(), room.right()) - self._popup.width())
        y = max(room.top(), min(corner.y(), room.bottom() - self._popup.height()))
        self._popup.move(x, y)
        self._popup.show()


class _Popup(QFrame):
    """A model's whole card, to be read and copied from."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("model_card")
        self.setStyleSheet("#model_card { border: 1px solid palette(mid); }")
        self._text = QTextBrowser()
        self._text.setObjectName("model_card_text")
        self._text.setAccessibleName("Details of the model")
        self._text.setFrameShape(QFrame.Shape.NoFrame)
        self._text.setOpenLinks(False)
        self._text.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self._text)

    def show_card(self, card: ModelCard) -> None:
        """Write the card, and become as high as it is."""
        rows = "".join(
            f"<p style='margin: 0 0 6px 0'><b>{escape(name)}</b><br>{escape(value)}</p>"
            for name, value in card.rows
        )
        title = f"<p style='margin: 0 0 8px 0; font-size: large'><b>{escape(card.title)}</b></p>"
        self._text.setHtml(title + rows)
        self._text.document().setTextWidth(POPUP_WIDTH - 30)
        height = round(self._text.document().size().height()) + 16
        self.setFixedSize(POPUP_WIDTH, min(height, POPUP_HEIGHT))
