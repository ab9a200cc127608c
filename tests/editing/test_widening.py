"""Labels whose type is too small become of a larger one, with all that is known of them."""

from __future__ import annotations

import numpy as np
import pytest
from support.edit_sessions import SHAPE, blank, stroke

from napari_slicewise.editing.errors import EditError, WideningError
from napari_slicewise.editing.widening import widened_labels
from napari_slicewise.io import label_store
from napari_slicewise.io.source import ArraySource


@pytest.mark.parametrize("store", ["memory", "disk"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_all_numbers_are_kept(monkeypatch, store, dtype):
    if store == "disk":
        monkeypatch.setattr(label_store, "memory_budget", lambda: 0)
    labels = np.random.default_rng(0).integers(0, 120, SHAPE).astype(dtype)
    wide = widened_labels(ArraySource(labels), np.uint32)
    assert np.dtype(wide.dtype) == np.uint32
    np.testing.assert_array_equal(np.asarray(wide[...]), labels)


def test_negative_labels_are_refused():
    labels = np.full(SHAPE, -1, np.int16)
    with pytest.raises(EditError, match="do not fit"):
        widened_labels(ArraySource(labels), np.uint32)


def test_a_number_that_does_not_fit_is_refused_and_fits_after_a_widening_with_its_undo():
    session = blank(np.uint8)
    stroke(session, 0, slice(0, 3), slice(0, 3), 255)
    with pytest.raises(WideningError):
        stroke(session, 1, slice(0, 3), slice(0, 3), 256)
    assert not session.labels.data[1].any()
    session.use(ArraySource(widened_labels(session.labels, np.uint32)))
    stroke(session, 1, slice(0, 3), slice(0, 3), 70_000)
    assert (session.labels.data[1, :3, :3] == 70_000).all()
    session.undo()
    session.undo()  # a step from before the widening
    assert not session.labels.data.any()
    session.redo()
    session.redo()
    assert set(np.unique(session.labels.data).tolist()) == {0, 255, 70_000}
