"""A journal goes only when a file is seen to hold what it holds."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QLabel
from support.kept_layers import end, files, keep, keeping_of

from napari_slicewise.widgets import keep_layers


@pytest.mark.parametrize("ending", ["tif", "ome.zarr"])
def test_a_verified_save_ends_the_need_for_the_journal(start, stack, journals, tmp_path, ending):
    desk = start(stack)
    layer = desk.viewer.add_labels(np.zeros(stack.shape, np.uint16), scale=(1, 0.5, 0.5))
    keeper = keep(desk, layer)
    layer.paint((1, 3, 9), 7)
    path = tmp_path / f"corrected.{ending}"
    layer.save(str(path), plugin="napari-slicewise")
    desk.wait(lambda: keeper.state.file == path)
    assert keeper.state.unsaved == 0
    layer.paint((2, 3, 9), 8)
    assert keeper.state.unsaved == 1
    layer.undo()
    layer.save(str(path), plugin="napari-slicewise")
    desk.wait(lambda: keeper.state.unsaved == 0)
    end(desk)
    desk.wait(lambda: not files(journals))


def test_a_file_that_does_not_hold_the_edits_saves_nothing(start, stack, journals, tmp_path):
    desk = start(stack)
    layer = desk.viewer.add_labels(np.zeros(stack.shape, np.uint16))
    keeper = keep(desk, layer)
    layer.paint((1, 3, 9), 7)
    path = tmp_path / "old.tif"
    tifffile.imwrite(path, np.zeros(stack.shape, np.uint16))
    keeper.check(path)
    desk.wait(lambda: bool(keeper.state.trouble))
    assert keeper.state.unsaved == 1
    end(desk)
    desk.wait(lambda: not list(journals.glob("*.lock")))
    assert len(files(journals)) == 1


def test_corrections_are_saved_by_themselves_to_the_chosen_file(
    start, stack, tmp_path, monkeypatch
):
    monkeypatch.setattr(keep_layers, "AUTOSAVE_S", 0.2)
    desk = start(stack)
    layer = desk.viewer.add_labels(np.zeros(stack.shape, np.uint16), name="mine")
    keeper = keep(desk, layer)
    path = tmp_path / "mine.ome.tif"
    keeping_of(desk).save_to(layer, path)
    desk.wait(lambda: keeper.state.file == path)
    layer.paint((1, 3, 9), 7)
    desk.wait(lambda: keeper.state.unsaved == 0)
    np.testing.assert_array_equal(tifffile.imread(path), layer.data)
    desk.viewer.layers.selection.active = layer
    desk.find("keep_line").parent().tell()
    assert "All edits saved" in desk.find("keep_line", QLabel).text()


def test_a_folder_that_is_gone_is_said_and_stays_said(start, stack, tmp_path, qtbot):
    desk = start(stack)
    layer = desk.viewer.add_labels(np.zeros(stack.shape, np.uint16), name="mine")
    keeper = keep(desk, layer)
    layer.paint((1, 3, 9), 7)
    keeping_of(desk).save_to(layer, tmp_path / "gone" / "mine.tif")
    desk.wait(lambda: bool(keeper.state.trouble))
    desk.wait(lambda: not desk.find("keep_bar").isHidden())
    layer.paint((2, 3, 9), 7)
    qtbot.wait(300)
    assert "not saved" in desk.find("keep_trouble", QLabel).text()
    assert layer.data[2, 3, 9] == 7
    keeping_of(desk).save_to(layer, tmp_path / "mine.tif")
    desk.wait(lambda: desk.find("keep_bar").isHidden())
