"""The bar above the tabs: what can be restored, and what is wrong with keeping."""

from __future__ import annotations

from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_slicewise.app.keeping_notes import describe_notes
from napari_slicewise.editing.journal_folder import TRASH_DAYS
from napari_slicewise.widgets.keep_layers import Keeping
from napari_slicewise.widgets.keep_offers import Offers
from napari_slicewise.widgets.links import Links
from napari_slicewise.widgets.run_row import is_dark

__all__ = ["KeepBar"]

_BUTTONS = {
    "restore": ("Restore", "Add a labels layer with these corrections."),
    "show": ("Show", "Say which layer, which image and when."),
    "discard": ("Discard", f"Move them to the trash, where they stay for {TRASH_DAYS} days."),
}
_NOTE_BUTTONS = {
    "show_notes": ("Show", "Say what they are, why they cannot be restored and where they lie."),
    "folder": ("Open folder", "Show the files in the system's own window."),
    "dismiss": ("Not now", "Say no more of it until the next start; the files stay."),
}


class KeepBar(QFrame):
    """Hidden unless there is something to say.

    Parameters
    ----------
    keeping
        Of the viewer.
    """

    def __init__(self, keeping: Keeping) -> None:
        super().__init__()
        self.setObjectName("keep_bar")
        self._keeping = keeping
        self._links = Links()
        self.offers = Offers(keeping, self)
        self._trouble = self._label("keep_trouble", "Why edits are not kept or saved.")
        self._words = self._label("keep_words", "Corrections of an earlier session.")
        self._more = self._label("keep_more", "Which layer, which image and when.")
        self._buttons = self._row_of(_BUTTONS, "unsaved corrections")
        self._notes = self._label("keep_notes", "Journals that this version cannot restore.")
        self._note_more = self._label("keep_notes_more", "What they are, and where they lie.")
        self._note_buttons = self._row_of(_NOTE_BUTTONS, "journals that cannot be restored")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(4)
        for part in (self._trouble, self._words, self._more, self._buttons):
            layout.addWidget(part)
        for part in (self._notes, self._note_more, self._note_buttons):
            layout.addWidget(part)
        self._more.hide()
        self._note_more.hide()
        self.offers.changed.connect(self._update)
        keeping.changed.connect(self._update)
        self._links.at_end(self.offers.close)
        viewer = keeping.viewer
        if viewer is not None:
            self._links.connect(viewer.events.theme, self._follow_theme)
        self._release = self._links.end_with(self)
        self._follow_theme()
        self._update()

    def close_down(self) -> None:
        """Look for nothing more; what is kept is kept."""
        if self._links.open:
            self.destroyed.disconnect(self._release)
            self._keeping.changed.disconnect(self._update)
            self._links.release()

    def press(self, name: str) -> None:
        """Do what a button says, with the latest journal or with those that are only noted."""
        if name in _NOTE_BUTTONS:
            self._press_note(name)
        elif self.offers.offers:
            offer = self.offers.offers[0]
            if name == "restore":
                self.offers.restore(offer)
            elif name == "show":
                self._more.setVisible(self._more.isHidden())
            elif self._sure(offer.words):
                self.offers.discard(offer)

    def _press_note(self, name: str) -> None:
        notes = self.offers.notes
        if name == "show_notes":
            self._note_more.setVisible(self._note_more.isHidden())
        elif name == "folder" and notes:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(notes[0].path.parent)))
        else:
            self.offers.dismiss_notes()

    def _sure(self, words: str) -> bool:
        """Ask once whether corrections are to be put away."""
        question = f"{words}\n\nDiscard them? They stay in the trash for {TRASH_DAYS} days."
        answer = QMessageBox.question(self, "Discard corrections", question)
        return bool(answer == QMessageBox.StandardButton.Yes)

    def _update(self) -> None:
        offers, notes, troubles = self.offers.offers, self.offers.notes, self._keeping.troubles
        self._trouble.setText("\n".join(troubles))
        self._trouble.setVisible(bool(troubles))
        if offers:
            others = len(offers) - 1
            self._words.setText(offers[0].words + (f", and {others} more" if others else ""))
            self._more.setText(offers[0].more)
        else:
            self._more.hide()
        for part in (self._words, self._buttons):
            part.setVisible(bool(offers))
        self._notes.setText(describe_notes(notes))
        self._note_more.setText("\n\n".join(note.more for note in notes))
        if not notes:
            self._note_more.hide()
        for part in (self._notes, self._note_buttons):
            part.setVisible(bool(notes))
        self.setVisible(bool(offers or notes or troubles))

    def _label(self, name: str, tooltip: str) -> QLabel:
        label = QLabel()
        label.setObjectName(name)
        label.setToolTip(tooltip)
        label.setWordWrap(True)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        return label

    def _row_of(self, buttons: dict[str, tuple[str, str]], what: str) -> QWidget:
        box = QWidget()
        box.setObjectName("keep_buttons")
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for name, (title, tooltip) in buttons.items():
            button = QPushButton(title)
            button.setObjectName(f"keep_{name}")
            button.setAccessibleName(f"{title} {what}")
            button.setToolTip(tooltip)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(lambda _checked=False, name=name: self.press(name))
            row.addWidget(button)
        row.addStretch(1)
        return box

    def _follow_theme(self, *_: object) -> None:
        viewer = self._keeping.viewer
        dark = viewer is None or is_dark(viewer.theme)
        ground, edge, red = (
            ("#4a4321", "#8c7a2b", "#ff9a8c") if dark else ("#fff5cc", "#d9b84a", "#a01818")
        )
        self.setStyleSheet(
            f"#keep_bar {{ background: {ground}; border: 1px solid {edge}; border-radius: 4px; }}"
            " QLabel, #keep_buttons { background: transparent; }"
            f" #keep_trouble {{ color: {red}; }} QPushButton {{ padding: 3px 8px; }}"
        )
