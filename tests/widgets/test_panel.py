"""The panel as a user meets it: what it asks, and what its runs do."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from qtpy.QtWidgets import (
    QLabel,
)

from napari_slicewise.widgets import runs


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
    assert desk.find("status").text() == "Done: 6 slices, 1 object in 0.6 s on CPU"


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
    objects = request.objects
    assert (request.model, objects.threshold, request.output) == ("grey", 0.25, "classes")
    assert (request.device, objects.split, objects.smallest) == ("cpu", False, 40)
    assert labels.data.dtype == np.uint8
    assert labels.name.endswith(" classes")
    assert "object" not in desk.find("status").text()


def test_this_slice_after_this_slice_fills_one_layer(desk, stack):
    desk.viewer.add_image(stack)
    desk.find("slices").setCurrentText("This slice")
    for step in (1, 4, 5):
        desk.viewer.dims.set_current_step(0, step)
        labels = desk.run()
    assert len(desk.viewer.layers) == 2
    assert [bool(slice_.any()) for slice_ in labels.data] == [False, True, False, False, True, True]


def test_after_a_run_the_labels_are_selected_and_the_image_stays_chosen(desk, stack):
    for name in ("first", "second", "third"):
        desk.viewer.add_image(stack, name=name)
    desk.viewer.layers.selection.active = desk.viewer.layers["second"]
    labels = desk.run()
    assert desk.viewer.layers.selection.active is labels
    assert desk.find("image_layer").currentText() == "second"


def test_the_bar_is_busy_until_the_first_slice_is_there(desk, stack):
    desk.viewer.add_image(stack)
    desk.controller.free = False
    desk.press("segment_button")
    assert desk.find("progress").maximum() == 0
    assert not desk.find("segment_button").isEnabled()
    desk.controller.allow(1)
    desk.wait(lambda: desk.find("progress").value() == 1)
    assert desk.find("progress").maximum() == 6
    desk.controller.allow(5)
    desk.wait_for_end()


def test_strokes_keep_the_layer_of_a_run_that_brings_nothing(desk, stack):
    desk.viewer.add_image(stack)
    desk.controller.free = False
    desk.press("segment_button")
    labels = desk.viewer.layers[-1]
    labels.paint((4, 3, 3), 50)
    desk.press("stop_button")
    desk.wait_for_end()
    assert labels in desk.viewer.layers
    assert (labels.data == 50).any()


def test_other_data_in_the_labels_ends_the_run_and_no_undo_damages_it(desk, stack):
    desk.viewer.add_image(stack)
    desk.controller.free = False
    desk.press("segment_button")
    labels = desk.viewer.layers[-1]
    labels.paint((4, 3, 3), 50)
    labels.data = np.full((6, 12, 16), 7, np.uint32)
    desk.controller.allow(1)
    desk.wait_for_end()
    assert "replaced" in desk.find("problem", QLabel).text()
    labels.undo()
    assert (labels.data == 7).all()
    desk.controller.free = True
    assert desk.run() is not labels


def test_other_data_in_the_image_is_told_and_choices_that_still_exist_stay(desk):
    desk.viewer.add_labels(np.zeros((2, 6, 12, 16), int))  # keeps the sliders as they are
    image = desk.viewer.add_image(np.zeros((2, 6, 12, 16), np.uint8))
    desk.find("channel_axis").setCurrentIndex(1)
    desk.find("channel").setCurrentText("1")
    image.data = np.zeros((2, 4, 12, 16), np.uint16)
    assert desk.find("image_facts", QLabel).text() == "2×4×12×16 · 16 bit"
    assert desk.find("channel").currentText() == "1"
    assert desk.run().data.shape[-3:] == (4, 12, 16)


def test_the_death_of_an_idle_worker_is_a_quiet_line(desk, stack):
    desk.viewer.add_image(stack)
    desk.controller.status_changed.emit("The inference process ended. Press Segment.")
    desk.wait(lambda: "ended" in desk.find("status").text())
    assert desk.find("problem").isHidden()
    assert desk.run().data.any()


def test_a_problem_of_another_image_is_forgotten(desk, stack):
    desk.panel.form.segment()
    assert desk.find("problem", QLabel).text()
    desk.viewer.add_image(stack)
    assert not desk.find("problem", QLabel).text()


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


@pytest.mark.parametrize("how", ["removed", "other data"])
def test_a_run_whose_image_is_gone_ends_with_a_report_and_keeps_its_slices(desk, stack, how):
    image = desk.viewer.add_image(stack)
    desk.controller.free = False
    desk.press("segment_button")
    labels = desk.viewer.layers[-1]
    desk.controller.allow(2)
    desk.wait(lambda: desk.find("progress").value() == 2)
    if how == "removed":
        desk.viewer.layers.remove(image)
    else:
        image.data = stack[::-1].copy()
    desk.wait_for_end()
    assert how in desk.find("problem", QLabel).text()
    assert sum(bool(slice_.any()) for slice_ in labels.data) == 2
    note = labels.metadata["slicewise"]
    assert (note["outcome"], len(note["slices"])) == ("cancelled", 2)
    assert how in note["message"]
    if how == "other data":
        desk.controller.free = True
        assert desk.run() is not labels
        image.data = stack  # after its end a run does not care


def test_the_first_slice_is_drawn_at_once_and_waits_for_no_timer(desk, stack, monkeypatch):
    monkeypatch.setattr(runs, "REFRESH_MS", 1_000_000)
    desk.viewer.add_image(stack)
    desk.controller.free = False
    desk.press("segment_button")
    labels = desk.viewer.layers[-1]
    desk.controller.allow(1)
    desk.wait(lambda: labels._data_view.any())  # what the canvas draws
    assert desk.find("progress").value() <= 1
    desk.controller.allow(5)
    desk.wait_for_end()


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
    assert True not in readers  # on another thread, to know the image again, it may be
