"""Text over several lines that never widens the panel."""

from __future__ import annotations

import re

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy

__all__ = ["WrappedText"]

_LONG_WORD = re.compile(r"(\S{18})(?=\S)")
_HERE = "\u200b"  # a zero-width space: a line may be broken there


class WrappedText(QLabel):
    """A label that breaks its lines at words, and long names of files anywhere.

    Parameters
    ----------
    name
        Object name.
    tooltip
        What the text is about.
    """

    def __init__(self, name: str, tooltip: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setToolTip(tooltip)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def say(self, text: str) -> None:
        """Show a text."""
        self.setText(_LONG_WORD.sub(rf"\1{_HERE}", text))

    @property
    def said(self) -> str:
        """The text as it was given."""
        return self.text().replace(_HERE, "")
