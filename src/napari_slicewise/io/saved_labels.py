"""Who wants to know that labels were saved: the journal of their edits, for instance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from psygnal import Signal

__all__ = ["SAVED", "SavedLabels"]


class SavedLabels:
    """Tells which array was written to which file, on the thread that wrote it."""

    written = Signal(object, Path)

    def tell(self, data: Any, path: Path) -> None:
        """Say that an array has been written."""
        self.written.emit(data, path)


SAVED = SavedLabels()
