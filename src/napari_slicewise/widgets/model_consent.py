"""The bar that asks before a file's own code is run."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from napari_slicewise.widgets.wrapped_text import WrappedText

__all__ = ["ConsentBar"]


class ConsentBar(QFrame):
    """A warning with two buttons; hidden unless a file needs it. Nothing else is blocked."""

    agreed = Signal()
    declined = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("consent_bar")
        self._words = WrappedText(
            "consent_words", "Only you can know whether this file is to be trusted."
        )
        self._digest = QLabel()
        self._digest.setObjectName("consent_digest")
        self._digest.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._digest.setToolTip("To be compared with what the file's author gives.")
        agree = _button("consent_agree", "Run this file's code")
        agree.setToolTip("Load the file now, and from now on as long as it does not change.")
        agree.clicked.connect(self.agreed)
        decline = _button("consent_decline", "Cancel")
        decline.setToolTip("Run nothing, and go back to another model.")
        decline.clicked.connect(self.declined)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(agree)
        row.addWidget(decline)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(4)
        layout.addWidget(self._words)
        layout.addWidget(self._digest)
        layout.addLayout(row)
        self.hide()

    def ask(self, warning: str, sha256: str) -> None:
        """Show the warning, with the file's digest in two halves that fit the panel."""
        self._words.say(warning)
        half = len(sha256) // 2
        self._digest.setText(f"SHA-256\n{sha256[:half]}\n{sha256[half:]}")
        self.show()

    def follow_theme(self, *, dark: bool) -> None:
        """Take colours that warn on a dark or on a light ground."""
        ground, edge = ("#4a4321", "#8c7a2b") if dark else ("#fff5cc", "#d9b84a")
        self.setStyleSheet(
            f"#consent_bar {{ background: {ground}; border: 1px solid {edge};"
            " border-radius: 4px; }"
            " QLabel { background: transparent; }"
            " #consent_digest { font-family: monospace; font-size: 10px; }"
            " QPushButton { padding: 3px 8px; }"
        )


def _button(name: str, title: str) -> QPushButton:
    button = QPushButton(title)
    button.setObjectName(name)
    button.setAccessibleName(title)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
