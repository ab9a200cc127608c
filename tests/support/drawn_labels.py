"""Labels drawn as text, and a tool's edit checked against them."""

from __future__ import annotations

import numpy as np

from napari_slicewise.editing.edits import Edit
from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.workpiece import Workpiece
from napari_slicewise.io.source import ArraySource


def picture(text: str) -> np.ndarray:
    """Digits are objects, a dot is background; a blank line begins the next slice."""
    slices = [block.split() for block in text.strip().split("\n\n")]
    return np.array(
        [[[0 if c == "." else int(c, 36) for c in line] for line in plane] for plane in slices],
        np.uint32,
    )


def work_on(text: str, locks: Locks | None = None) -> Workpiece:
    return Workpiece(ArraySource(picture(text)), locks or Locks())


def check(work: Workpiece, edit: Edit, expected: str) -> None:
    """Apply, compare, and take it back."""
    before = work.labels.data.copy()
    edit.apply(work.labels.data)
    np.testing.assert_array_equal(work.labels.data, picture(expected))
    edit.revert(work.labels.data)
    np.testing.assert_array_equal(work.labels.data, before)
    edit.inverse().inverse().apply(work.labels.data)
    np.testing.assert_array_equal(work.labels.data, picture(expected))
