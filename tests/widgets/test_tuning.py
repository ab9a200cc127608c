"""Sliders that act at once: on the slice on show, then on the stack, around the human's work."""

from __future__ import annotations

import numpy as np
import pytest
from support.canvas_hands import CanvasHands
from support.scripted_panel import Desk

from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.instances.pipeline import ShapeOptions, shape_slice

SIDE = 40


def activations(_index, source):
    """Two touching discs of probability 0.9, a faint one of 0.45, and a speck; and the distance."""
    yy, xx = np.indices(source.slice_shape)
    found = np.zeros((2, *source.slice_shape), np.float32)
    for y, x, radius, height in ((12, 10, 7, 0.9), (12, 22, 7, 0.9), (30, 12, 5, 0.45)):
        distance = 1.0 - np.hypot(yy - y, xx - x) / radius
        found[0][distance > 0] = height
        found[1] = np.maximum(found[1], distance)
    found[0][30:32, 30:32] = 0.9
    return found


def shaped(threshold=0.4, smallest=16, split=True, strength=0.5):
    objects = ObjectOptions(
        threshold=threshold, split=split, split_strength=strength, smallest=smallest
    )
    options = ShapeOptions("foreground_distance", "labels", objects)

    def answer(index, source):
        return shape_slice(activations(index, source), options)

    return answer


@pytest.fixture
def tuned(make_napari_viewer, controller, model_specs, monkeypatch, qtbot):
    from dataclasses import replace

    from napari_slicewise.widgets import model_chooser

    specs = (replace(model_specs[0], output="foreground_distance", out_channels=2),)
    monkeypatch.setattr(model_chooser, "bundled_models", lambda: specs)
    controller.activations = activations
    controller.answer = shaped()
    desk = Desk(make_napari_viewer(show=True), controller, qtbot)
    desk.image = desk.viewer.add_image(np.zeros((6, SIDE, SIDE), np.uint16), name="cells")
    return desk


def count(labels, z):
    return np.unique(labels.data[z]).size - 1


def hold(desk, name, value):
    """Drag a slider to a value, and keep the button down."""
    slider = desk.find(name)
    slider.setSliderDown(True)
    slider.setValue(value)


def release(desk, name):
    desk.find(name).setSliderDown(False)


def test_the_slice_on_show_follows_the_slider_and_the_stack_follows_its_release(tuned):
    labels = tuned.run()
    assert [count(labels, z) for z in range(6)] == [3] * 6
    here = tuned.viewer.dims.current_step[0]
    hold(tuned, "threshold", 0.6)
    tuned.wait(lambda: count(labels, here) == 2)
    assert [count(labels, z) for z in range(6) if z != here] == [3] * 5
    assert len(tuned.controller.requests) == 1
    tuned.controller.answer = shaped(0.6)
    release(tuned, "threshold")
    tuned.wait(lambda: [count(labels, z) for z in range(6)] == [2] * 6)
    tuned.wait_for_end()
    assert tuned.controller.requests[1].objects.threshold == 0.6
    assert len(tuned.controller.requests[1].indices) == 6
    assert len(tuned.controller.peeks) == 1
    assert len(tuned.viewer.layers) == 2


def test_numbers_and_colours_stay_while_a_slider_is_dragged(tuned):
    labels = tuned.run()
    z = tuned.viewer.dims.current_step[0]
    before = labels.data[z].copy()
    hold(tuned, "threshold", 0.6)
    tuned.wait(lambda: count(labels, z) == 2)
    assert labels.data[z, 12, 10] == before[12, 10]
    assert labels.data[z, 12, 22] == before[12, 22]
    tuned.controller.answer = shaped(0.6)
    release(tuned, "threshold")
    tuned.wait(lambda: len(tuned.controller.requests) == 2)
    tuned.wait_for_end()


def test_split_and_smallest_size_act_at_once(tuned):
    tuned.find("least_depth").setValue(1)
    labels = tuned.run()
    z = tuned.viewer.dims.current_step[0]
    hold(tuned, "split_strength", 0)
    tuned.wait(lambda: labels.data[z, 12, 10] == labels.data[z, 12, 22])
    hold(tuned, "split_strength", 50)
    tuned.wait(lambda: labels.data[z, 12, 10] != labels.data[z, 12, 22])
    hold(tuned, "smallest", 1)
    tuned.wait(lambda: labels.data[z, 30, 30] > 0)
    tuned.controller.answer = shaped(smallest=1)
    release(tuned, "smallest")
    tuned.wait(lambda: all(labels.data[:, 30, 30]))
    tuned.wait_for_end()


def test_sizes_are_areas_where_the_pixel_size_is_known(tuned):
    tuned.image.scale, tuned.image.units = (1, 0.5, 0.5), ("um",) * 3
    assert tuned.find("smallest").value() == 4  # 16 px of 0.25 um2
    tuned.find("smallest").setValue(10)
    tuned.run()
    assert tuned.controller.requests[-1].objects.smallest == 40


def test_a_drag_keeps_strokes_and_undo_leaves_no_stale_voxels(tuned):
    labels = tuned.run()
    z = tuned.viewer.dims.current_step[0]
    labels.brush_size = 3
    hands = CanvasHands(tuned.viewer, tuned.qtbot)
    labels.selected_label, labels.mode = 50, "paint"
    hands.click(labels, (z, 30, 12))  # in the faint disc, which the slider takes away
    assert (labels.data[z] == 50).sum() > 4
    hold(tuned, "threshold", 0.6)
    tuned.wait(lambda: set(np.unique(labels.data[z]).tolist()) == {0, 1, 2, 50})
    labels.selected_label = 51
    hands.click(labels, (z, 35, 35))
    hold(tuned, "threshold", 0.61)
    tuned.qtbot.wait(100)
    tuned.controller.answer = shaped(0.61)
    release(tuned, "threshold")
    tuned.wait(lambda: len(tuned.controller.requests) == 2)
    tuned.wait_for_end()
    assert {50, 51} < set(np.unique(labels.data[z]).tolist())
    hands.undo()
    hands.undo()
    assert set(np.unique(labels.data[z]).tolist()) == {0, 1, 2}
    assert not labels.data[z, 28:33, 10:15].any()
    hands.redo()
    assert (labels.data[z, 29:32, 11:14] == 50).any()


def test_a_change_during_the_rerun_begins_it_anew(tuned):
    labels = tuned.run()
    tuned.controller.free = False
    tuned.controller.answer = shaped(0.6)
    tuned.find("threshold").setValue(0.6)
    tuned.wait(lambda: len(tuned.controller.requests) == 2)
    tuned.controller.allow(2)
    tuned.wait(lambda: sum(count(labels, z) == 2 for z in range(6)) == 2)
    tuned.controller.answer = shaped(0.3)
    tuned.controller.free = True  # the one that goes on waits for its third slice
    tuned.find("threshold").setValue(0.3)
    tuned.wait(lambda: len(tuned.controller.requests) == 3)
    tuned.wait(lambda: [count(labels, z) for z in range(6)] == [3] * 6)
    tuned.wait_for_end()
    assert tuned.controller.requests[2].objects.threshold == 0.3


def test_the_sliders_leave_a_run_of_the_user_alone(tuned):
    tuned.controller.free = False
    tuned.press("segment_button")
    tuned.controller.allow(1)
    tuned.wait(lambda: tuned.find("progress").value() == 1)
    tuned.find("threshold").setValue(0.7)
    tuned.qtbot.wait(50)
    assert tuned.controller.stops == 0
    tuned.controller.allow(5)
    tuned.wait_for_end()


def preview_of(desk):
    return next((one for one in desk.viewer.layers if one.name == "cells preview"), None)


def test_the_preview_follows_the_slider_under_the_image(tuned):
    tuned.find("preview").setChecked(True)
    tuned.wait(lambda: preview_of(tuned) is not None)
    preview = preview_of(tuned)
    here = tuned.viewer.dims.current_step[0]
    tuned.wait(lambda: count(preview, here) == 3)
    tuned.viewer.dims.set_current_step(0, 5)
    tuned.wait(lambda: count(preview, 5) == 3)
    assert [count(preview, z) for z in range(5)] == [0] * 5
    tuned.find("threshold").setValue(0.6)
    tuned.wait(lambda: count(preview, 5) == 2)
    assert tuned.controller.requests == []
    assert [peek.output for peek in tuned.controller.peeks] == ["activations"] * 2
    tuned.find("preview").setChecked(False)
    assert preview_of(tuned) is None
    tuned.qtbot.wait(600)  # nothing follows
    assert tuned.controller.requests == []


def test_steps_in_quick_succession_are_asked_for_once(tuned):
    tuned.find("preview").setChecked(True)
    tuned.wait(lambda: preview_of(tuned) is not None)
    tuned.controller.peeks.clear()
    for step in (0, 1, 2, 4, 5):
        tuned.viewer.dims.set_current_step(0, step)
    tuned.wait(lambda: count(preview_of(tuned), 5) == 3)
    assert [peek.indices for peek in tuned.controller.peeks] == [((5,),)]


def test_a_run_takes_the_preview_away_and_it_is_no_result(tuned):
    tuned.find("preview").setChecked(True)
    tuned.wait(lambda: preview_of(tuned) is not None)
    labels = tuned.run()
    assert labels.name == "cells labels"
    assert preview_of(tuned) is None
    assert len(tuned.viewer.layers) == 2


def test_a_preview_that_fails_says_why_and_is_switched_off(tuned):
    from napari_slicewise.inference.request import RunReport

    tuned.controller.activations = None

    def fail(request, _source):
        tuned.controller.peeked.emit(request, RunReport("failed", 0, 0.0, "No.", "Do this."))
        return True

    tuned.controller.peek = fail
    tuned.find("preview").setChecked(True)
    tuned.wait(lambda: not tuned.find("preview").isChecked())
    assert "No." in tuned.find("problem").text()


def test_the_objects_are_counted_and_lead_to_their_review(tuned):
    labels = tuned.run()
    line, button = tuned.find("objects_count"), tuned.find("review_button")
    expected = np.unique(labels.data).size - 1
    tuned.wait(lambda: line.text() == f"{expected} objects")
    labels.brush_size = 3
    labels.paint((1, 36, 3), 500)
    tuned.wait(lambda: line.text() == f"{expected + 1} objects")
    labels.undo()
    tuned.wait(lambda: line.text() == f"{expected} objects")
    button.click()
    tabs = tuned.find("tabs")
    assert tabs.tabText(tabs.currentIndex()) == "Correct"
    assert tuned.viewer.layers.selection.active is labels
    tuned.viewer.layers.remove(labels)
    tuned.wait(lambda: not button.isEnabled())
    assert line.text() == ""


def test_a_network_whose_answer_cannot_be_had_is_asked_once_and_the_release_still_works(tuned):
    from napari_slicewise.inference.request import RunReport

    labels = tuned.run()
    asked = []

    def fail(request, _source):
        asked.append(request)
        words = "Models with more than 4 outputs have no preview."
        tuned.controller.peeked.emit(request, RunReport("failed", 0, 0.0, words, "Press Segment."))
        return True

    tuned.controller.peek = fail
    for value in (0.6, 0.61, 0.62):
        hold(tuned, "threshold", value)
        tuned.qtbot.wait(60)
    assert len(asked) == 1
    assert "more than 4 outputs" in tuned.find("status").text()
    tuned.controller.answer = shaped(0.62)
    release(tuned, "threshold")
    tuned.wait(lambda: [count(labels, z) for z in range(6)] == [2] * 6)
    tuned.wait_for_end()


def test_an_object_that_a_slider_takes_away_has_its_number_when_it_comes_back(tuned):
    labels = tuned.run()
    z = tuned.viewer.dims.current_step[0]
    before = labels.data[z].copy()
    for value, found in ((0.6, 2), (0.4, 3), (0.7, 2), (0.4, 3)):
        hold(tuned, "threshold", value)
        tuned.wait(lambda found=found: count(labels, z) == found)
    np.testing.assert_array_equal(labels.data[z], before)
    release(tuned, "threshold")
    tuned.wait(lambda: len(tuned.controller.requests) == 2)
    tuned.wait_for_end()
