"""What an edit session tells whoever keeps a record of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.editing.edits import Patch
from napari_slicewise.editing.locks import Locks
from napari_slicewise.io.source import SliceIndex

__all__ = ["Change", "SessionListener"]

Change = tuple[Patch, NDArray[np.bool_]]
"""A patch, and for each of its voxels whether it is the human's from now on."""


class SessionListener(Protocol):
    """Hears of every change after it was made, on the thread that made it."""

    def edited(self, changes: Sequence[Change], words: str, kind: str) -> None:
        """Take an edit; ``kind`` is ``edit``, ``undo`` or ``redo``."""

    def rewritten(self, indices: Sequence[SliceIndex]) -> None:
        """Take slices that were written whole: by a run, or because objects were renamed."""

    def replaced(self) -> None:
        """Take another array with the same labels, of a wider type."""

    def locked(self, locks: Locks) -> None:
        """Take the locks after a change."""
