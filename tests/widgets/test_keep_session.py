"""A session saved as a folder opens in another window as it was."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_slicewise.editing.locks import Locks
from napari_slicewise.widgets.edit_layer import edit_layer_of
from napari_slicewise.widgets.keep_layers import Keeping
from napari_slicewise.widgets.keep_session import open_session, save_layer_session


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "cells.tif"
    pixels = np.random.default_rng(0).integers(0, 4096, (6, 12, 16), dtype=np.uint16)
    tifffile.imwrite(
        path,
        pixels,
        imagej=True,
        resolution=(4, 4),
        metadata={"axes": "ZYX", "spacing": 2.0, "unit": "um"},
    )
    return path


def saved(desk, image, folder):
    """Segment, correct, lock, decide, save; return the layer."""
    keeping = Keeping.of(desk.viewer, desk.panel)
    desk.viewer.open(str(image), plugin="napari-slicewise")
    layer = desk.run()
    layer.brush_size = 3
    layer.paint((1, 8, 9), 7)
    layer.paint((2, 3, 3), 0)
    edits = edit_layer_of(layer)
    edits.session.set_locks(Locks(objects={7}, slices={(3,)}, done={(0,)}))
    edits.review.decided["odd:7:1"] = "accepted"
    save_layer_session(keeping, layer, folder)
    desk.wait(lambda: (folder / "session.json").exists())
    desk.wait(lambda: keeping.kept(layer)[1].state.file == folder)
    return layer


def opened(desk, folder):
    keeping = Keeping.of(desk.viewer, desk.panel)
    open_session(keeping, folder)
    desk.wait(lambda: len(desk.viewer.layers) > 1)
    return desk.viewer.layers[-1]


def assert_same(layer, again):
    one, other = edit_layer_of(layer), edit_layer_of(again)
    np.testing.assert_array_equal(again.data, layer.data)
    assert again.data.dtype == layer.data.dtype
    np.testing.assert_allclose(again.scale, layer.scale)
    assert again.units == layer.units
    assert again.name == layer.name
    assert again.metadata["slicewise"] == layer.metadata["slicewise"]
    assert other.session.locks == one.session.locks
    assert other.review.plain() == one.review.plain()
    for index in one.session.labels.indices():
        np.testing.assert_array_equal(other.session.edited(index), one.session.edited(index))
        np.testing.assert_array_equal(
            other.session.ownership.machine.get(index), one.session.ownership.machine.get(index)
        )


def test_image_labels_locks_edits_and_decisions_come_back(start, image, tmp_path):
    folder = tmp_path / "work.slicewise"
    layer = saved(start(), image, folder)
    again = opened(start(), folder)
    assert_same(layer, again)


def test_an_image_that_is_open_already_is_used(start, image, tmp_path):
    folder = tmp_path / "work.slicewise"
    layer = saved(start(), image, folder)
    desk = start()
    desk.viewer.open(str(image), plugin="napari-slicewise")
    again = opened(desk, folder)
    assert len(desk.viewer.layers) == 2
    assert edit_layer_of(again).made_from[0] is desk.viewer.layers[0]
    assert_same(layer, again)


def test_a_session_whose_image_is_gone_opens_and_says_so(start, image, tmp_path, qtbot):
    folder = tmp_path / "work.slicewise"
    layer = saved(start(), image, folder)
    image.unlink()
    desk = start()
    keeping = Keeping.of(desk.viewer, desk.panel)
    said = []
    keeping.troubled.connect(said.append)
    open_session(keeping, folder)
    desk.wait(lambda: len(desk.viewer.layers) == 1)
    assert "not there any more" in said[0]
    assert_same(layer, desk.viewer.layers[-1])


def test_what_is_no_session_is_refused_in_words(start, tmp_path):
    desk = start()
    keeping = Keeping.of(desk.viewer, desk.panel)
    said = []
    keeping.troubled.connect(said.append)
    open_session(keeping, tmp_path)
    desk.wait(lambda: bool(said))
    assert "no session" in said[0]
    assert not desk.viewer.layers
