"""The whole loop in a real window: segment, correct by mouse, learn, use what was learned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from napari._app_model import get_app_model
from qtpy.QtWidgets import QComboBox
from support.canvas_hands import CanvasHands
from support.scripted_panel import Desk

from napari_slicewise.app.segment import SegmentController
from napari_slicewise.widgets.learn_setup import LearnSetup

SLICES, FIRST, SECOND, LATER = 32, 12, 20, 16
STROKE = ((20, 20), (20, 60))  # rows and columns, in a corner without nuclei


@pytest.fixture
def window(make_napari_viewer, qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("SLICEWISE_LEARNING", str(tmp_path / "learning"))
    monkeypatch.setenv("SLICEWISE_MODELS", str(tmp_path / "models"))
    asked = LearnSetup.request
    small = {"batch": 2, "patch": 64}  # steps that a busy machine does in a moment
    monkeypatch.setattr(LearnSetup, "request", lambda *args: replace(asked(*args), **small))
    viewer = make_napari_viewer(show=True)
    desk = Desk(viewer, SegmentController(), qtbot)
    get_app_model().commands.execute_command("napari-slicewise.nuclei3d")
    desk.hands = CanvasHands(viewer, qtbot)
    return desk


def wait(desk, condition):
    desk.qtbot.waitUntil(condition, timeout=240_000)


def segment(desk):
    desk.press("segment_button")
    wait(desk, lambda: not desk.find("stop_button").isEnabled())
    return desk.viewer.layers[-1]


def paint_by_mouse(desk, labels, z, number):
    desk.viewer.dims.set_current_step(0, z)
    desk.viewer.layers.selection.active = labels
    labels.mode, labels.selected_label, labels.brush_size = "paint", number, 6
    desk.hands.drag(labels, *((z, *point) for point in STROKE))
    assert (labels.data[z] == number).any()


def begin_to_learn(desk):
    """Press Learn, and wait until the curve moves and the slice on show has been predicted."""
    desk.panel.show_tab("Learn")
    words, curves = desk.find("learn_words"), desk.find("learn_curves")
    wait(desk, lambda: "1 whole slice, 1 corrected" in words.text())
    desk.find("learn_minutes").setValue(5.0)
    desk.press("learn_button")
    wait(desk, lambda: len(curves.losses) >= 3)
    assert all(np.isfinite(loss) for _, loss in curves.losses)
    wait(desk, lambda: any("preview" in layer.name for layer in desk.viewer.layers))


def stop_and_segment(desk):
    """Press Stop, and let the new model predict the stack; returns what the run noted."""
    desk.press("learn_stop")
    wait(desk, lambda: desk.find("learn_segment").isEnabled())
    assert desk.find("learn_status").text().startswith("Stopped after")
    assert not any("preview" in layer.name for layer in desk.viewer.layers)
    wait(desk, lambda: desk.find("learn_continue").isEnabled())
    desk.press("learn_segment")
    wait(desk, lambda: desk.find("stop_button").isEnabled())
    wait(desk, lambda: not desk.find("stop_button").isEnabled())
    return desk.viewer.layers[-1].metadata["slicewise"]


@pytest.mark.timeout(900)  # a real network, on a machine that may be busy
def test_segment_correct_learn_and_segment_again_with_what_was_learned(window):
    desk = window
    labels = segment(desk)
    for z, number in ((FIRST, 5001), (SECOND, 5002)):
        paint_by_mouse(desk, labels, z, number)
    desk.panel.show_tab("Correct")
    desk.find("slice_done").click()  # the second one is right as it is
    begin_to_learn(desk)

    paint_by_mouse(desk, labels, LATER, 5003)
    painted = {number: labels.data == number for number in (5001, 5002, 5003)}
    done, name = labels.data[SECOND].copy(), f"{labels.name} {LATER}"
    training = desk.panel.learn.training  # the sampler's record travels with each step
    wait(desk, lambda: training.report.patches_from.get(name, 0) > 0)

    note = stop_and_segment(desk)
    model = desk.find("model", QComboBox).currentData()
    assert note["outcome"] == "completed"
    assert model.endswith("nuclei learned.safetensors")
    assert note["parameters"]["model"] == model
    assert len(note["slices_of_this_run"]) == SLICES
    for number, where in painted.items():
        assert (labels.data[where] == number).all()
    np.testing.assert_array_equal(labels.data[SECOND], done)
