"""The panel as a user meets it: what it asks, and what its runs do."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from qtpy.QtWidgets import (
    QLabel,
)


def test_without_an_image_the_button_says_what_is_missing(desk):
    assert not desk.find("segment_button").isEnabled()
    assert "Open an image" in desk.find("segment_button").toolTip()
    assert desk.find("status").text() == "Open an image to begin."
    desk.panel.form.segment()
    assert "Open an image" in desk.find("problem", QLabel).text()


def test_the_image_chooser_follows_the_viewer(desk, stack):
    images = desk.find("image_layer")
    first = desk.viewer.add_image(stack, name="first")
    assert images.currentText() == "first"
    desk.viewer.add_labels(np.zeros((4, 4), int))
    desk.viewer.add_image(stack, name="second")
    assert images.currentText() == "second"
    assert {images.itemText(i) for i in range(images.count())} == {"first", "second"}
    desk.viewer.layers.selection.active = first
    assert images.currentText() == "first"
    first.name = "renamed"
    assert images.currentText() == "renamed"
    desk.viewer.layers.remove(first)
    assert images.currentText() == "second"
    desk.viewer.layers.clear()
    assert images.count() == 0
    assert not desk.find("segment_button").isEnabled()


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # napari's own
def test_an_empty_image_cannot_be_segmented(desk):
    desk.viewer.add_image(np.zeros((0, 12, 16), np.uint8), contrast_limits=(0, 1))
    assert not desk.find("segment_button").isEnabled()
    assert "empty" in desk.find("segment_button").toolTip()


def test_a_run_over_all_slices_fills_a_layer_over_the_image(desk, stack):
    image = desk.viewer.add_image(stack, name="cells", scale=(2, 0.5, 0.5), units=("um",) * 3)
    desk.viewer.dims.set_current_step(0, 2)
    labels = desk.run()
    assert labels.name == "cells labels"
    assert (labels.data[:, 2:6, 2:6] == 1).all()
    assert (labels.data > 0).sum() == 6 * 16
    np.testing.assert_allclose(labels.scale, image.scale)
    assert labels.units == image.units
    assert labels.metadata["slicewise"]["outcome"] == "completed"
    assert desk.find("progress").value() == 6
    assert desk.find("status").text().startswith("Done: 6 slices")


def test_the_request_is_what_the_form_says(desk, stack):
    desk.viewer.add_image(stack)
    desk.viewer.dims.set_current_step(0, 2)
    desk.find("slices").setCurrentText("Range")
    desk.find("slices_from").setValue(1)
    desk.find("slices_to").setValue(4)
    desk.find("threshold").setValue(0.25)
    desk.find("output").setCurrentText("Class mask")
    desk.find("device").setCurrentIndex(1)
    desk.find("split").setChecked(False)
    desk.find("smallest").setValue(40)
    labels = desk.run()
    (request,) = desk.controller.requests
    assert request.indices == ((2,), (1,), (3,), (4,))
    assert (request.model, request.threshold, request.output) == ("grey", 0.25, "classes")
    assert (request.device, request.split, request.smallest) == ("cpu", False, 40)
    assert labels.data.dtype == np.uint8


def test_this_slice_after_this_slice_fills_one_layer(desk, stack):
    desk.viewer.add_image(stack)
    desk.find("slices").setCurrentText("This slice")
    for step in (1, 4, 5):
        desk.viewer.dims.set_current_step(0, step)
        labels = desk.run()
    assert len(desk.viewer.layers) == 2
    assert [bool(slice_.any()) for slice_ in labels.data] == [False, True, False, False, True, True]


def test_running_again_gives_a_new_layer_and_hides_the_old_one(desk, stack):
    desk.viewer.add_image(stack, name="cells")
    first = desk.run()
    first.data[0] = 9
    second = desk.run()
    assert first is not second
    assert (first.data[0] == 9).all()
    assert (first.visible, second.visible) == (False, True)


def test_stop_keeps_finished_slices_and_the_rest_can_follow(desk, stack):
    desk.viewer.add_image(stack)
    desk.controller.free = False
    desk.press("segment_button")
    labels = desk.viewer.layers[-1]
    desk.controller.allow(2)
    desk.wait(lambda: desk.find("progress").value() == 2)
    desk.press("stop_button")
    desk.press("stop_button")  # a double click
    desk.wait_for_end()
    assert desk.controller.stops == 1
    assert sum(bool(slice_.any()) for slice_ in labels.data) == 2
    assert desk.find("status").text() == "Stopped: 2 of 6 slices are kept"
    assert labels.metadata["slicewise"]["outcome"] == "cancelled"


def test_strokes_made_during_the_run_survive(desk, stack):
    desk.viewer.add_image(stack)
    desk.controller.free = False
    desk.press("segment_button")
    labels = desk.viewer.layers[-1]
    labels.brush_size = 3
    labels.paint((4, 3, 3), 50)
    desk.controller.allow(6)
    desk.wait_for_end()
    assert (labels.data[4, 2:5, 2:5] == 50).sum() == 9
    assert labels.data[4, 5, 5] == 1
    labels.undo()
    assert (labels.data[4, 2:6, 2:6] == 1).all()


def test_a_failed_run_is_told_in_words_and_the_next_one_works(desk, stack):
    desk.viewer.add_image(stack)
    desk.controller.fail_after = 3
    labels = desk.run()
    assert desk.find("problem", QLabel).text() == "The worker died. Try again."
    assert sum(bool(slice_.any()) for slice_ in labels.data) == 3
    assert desk.find("status").text() == "Failed: 3 of 6 slices are kept"
    desk.controller.fail_after = None
    labels = desk.run()
    assert all(slice_.any() for slice_ in labels.data)
    assert not desk.find("problem", QLabel).text()


def test_removing_the_labels_in_mid_run_ends_it_with_a_message(desk, stack):
    desk.viewer.add_image(stack)
    desk.controller.free = False
    desk.press("segment_button")
    desk.controller.allow(1)
    desk.wait(lambda: desk.find("progress").value() == 1)
    desk.viewer.layers.pop()
    desk.wait_for_end()
    assert "removed" in desk.find("problem", QLabel).text()
    desk.controller.free = True
    assert desk.run().data.any()


def test_removing_the_image_in_mid_run_leaves_the_run_alone(desk, stack):
    desk.viewer.add_image(stack)
    desk.controller.free = False
    desk.press("segment_button")
    desk.viewer.layers.pop(0)
    desk.controller.allow(6)
    desk.wait_for_end()
    assert all(slice_.any() for slice_ in desk.viewer.layers[-1].data)


def test_lazy_data_is_never_read_by_the_window(desk):
    import threading

    readers = set()

    def block(block_info=None):
        readers.add(threading.current_thread() is threading.main_thread())
        return np.zeros((1, 12, 16), np.uint8)

    nothing = np.empty((0, 0, 0), np.uint8)
    lazy = da.map_blocks(block, chunks=((1,) * 6, 12, 16), dtype=np.uint8, meta=nothing)
    desk.viewer.add_image(lazy, contrast_limits=(0, 1), visible=False)
    readers.clear()
    desk.run()
    assert not readers
