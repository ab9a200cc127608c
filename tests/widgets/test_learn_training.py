"""A training on the screen: curves, words, Stop, faults, and the model that comes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qtpy.QtWidgets import QComboBox
from support.lessons import quick_request
from support.scripted_teacher import LearnDesk

from napari_slicewise.app.learn_proposals import Proposal
from napari_slicewise.errors import OutputError, WorkerError
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.training.kept_training import KeptTraining
from napari_slicewise.training.messages import (
    BeginLearning,
    KeepModel,
    LearningSays,
    Look,
    Looked,
    ModelKept,
)
from napari_slicewise.training.request import LearnReport
from napari_slicewise.widgets.learn_curves import MOST_POINTS, LearnCurves
from napari_slicewise.widgets.learn_outcome import score_words
from napari_slicewise.widgets.learn_row import clock


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("SLICEWISE_LEARNING", str(tmp_path / "learning"))
    monkeypatch.setenv("SLICEWISE_MODELS", str(tmp_path / "models"))


@pytest.fixture
def taught(make_napari_viewer, model_specs, qtbot):
    return LearnDesk(make_napari_viewer(), qtbot)


def report(**facts):
    return LearnReport(9, 60.0, 0.0, 0.1, **facts)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"before": 0.71, "best": 0.84}, "Better than before: 0.71 → 0.84 on held-out slice 12"),
        ({"before": 0.84, "best": 0.71}, "Worse than before: 0.84 → 0.71 on held-out slice 12"),
        ({"before": 0.8, "best": 0.801}, "As good as before: 0.80 → 0.80 on held-out slice 12"),
        ({"best": 0.6}, "0.60 on held-out slice 12"),
    ],
)
def test_the_result_is_said_beside_what_was_before(facts, words):
    assert score_words(report(**facts), "slice 12") == words


def test_without_a_held_out_slice_there_is_no_score_and_that_is_said():
    assert score_words(report(), "").startswith("Not scored")
    assert score_words(None, "") == ""


def test_seconds_are_said_as_on_a_clock():
    assert [clock(s) for s in (0, 5.4, 65, 600)] == ["0:00", "0:05", "1:05", "10:00"]


def test_a_long_curve_is_thinned_and_keeps_its_ends(qtbot):
    curves = LearnCurves()
    qtbot.addWidget(curves)
    for step in range(5000):
        curves.add_loss(float(step), 2.0 if step < 2500 else 1.0)
    assert len(curves.losses) <= MOST_POINTS
    assert curves.losses[0][1] == pytest.approx(2.0)
    assert curves.losses[-1][1] == pytest.approx(1.0, abs=0.01)
    assert curves.losses[-1][0] > 4900
    assert "loss 1.00" in curves.accessibleDescription()


def test_the_curves_and_the_time_left_follow_the_steps(taught):
    taught.controller.held_out = ("cells labels 4",)
    taught.begin(1, 3, 4)
    curves = taught.find("learn_curves")
    taught.controller.step(1, before=0.71, best=None)
    taught.controller.step(2, before=0.71, best=0.84, validation=0.84)
    taught.wait(lambda: len(curves.losses) == 2)
    assert curves.scores == ((0.0, 0.71), (2.0, 0.84))
    assert taught.text("learn_status") == "Step 2, 0:58 min left"
    assert taught.text("learn_result") == "Better than before: 0.71 → 0.84 on held-out slice 4"
    assert not taught.find("learn_use").isEnabled()


def test_stop_keeps_the_model_and_learn_can_be_pressed_again(taught):
    taught.begin(1)
    taught.controller.step(3)
    taught.press("learn_stop")
    taught.wait(lambda: taught.find("learn_use").isEnabled())
    assert taught.text("learn_status") == "Stopped after 3 steps, 0:03 min"
    assert taught.find("learn_button").isEnabled()
    assert not taught.find("learn_stop").isEnabled()


def test_a_loss_that_is_no_number_leaves_the_curve_as_it_is(taught):
    taught.begin(1)
    taught.controller.step(1)
    taught.controller.step(2, loss=float("nan"), ending="diverged")
    taught.controller.end("failed", "The training diverged.", "Learn again.")
    taught.wait(lambda: taught.text("learn_problem") == "The training diverged. Learn again.")
    assert len(taught.find("learn_curves").losses) == 1
    assert taught.find("learn_use").isEnabled()


def test_a_worker_that_dies_ends_the_training_and_points_to_continue(taught):
    taught.begin(1)
    taught.controller.worker_died.emit(WorkerError("The inference process was killed."))
    taught.wait(lambda: "Continue" in taught.text("learn_problem"))
    assert taught.text("learn_problem").startswith("The inference process was killed.")
    assert taught.find("learn_button").isEnabled()
    assert not taught.find("learn_use").isEnabled()


def test_what_the_worker_says_beside_the_steps_is_shown(taught):
    taught.begin(1)
    taught.controller.heard.emit(LearningSays("The disk is full."))
    taught.wait(lambda: taught.text("learn_problem") == "The disk is full.")
    assert taught.find("learn_stop").isEnabled()


def test_layers_may_be_deleted_while_it_learns(taught):
    taught.begin(1)
    for layer in (taught.labels, taught.image):
        taught.viewer.layers.remove(layer)
    taught.wait(lambda: not taught.find("scribble_object").isEnabled())
    taught.controller.step(4)
    taught.wait(lambda: taught.text("learn_status").startswith("Step 4"))
    taught.press("learn_stop")
    taught.wait(
        lambda: (
            taught.text("learn_status") == "Open an image to begin."
            or taught.text("learn_status").startswith("Stopped")
        )
    )


def test_the_preview_lies_on_the_slice_on_show_and_goes_with_the_training(taught):
    taught.viewer.dims.set_current_step(0, 2)
    taught.begin(1)
    taught.wait(lambda: taught.controller.of(Look))
    look = taught.controller.of(Look)[-1]
    np.testing.assert_array_equal(look.image[0], taught.image.data[2])
    assert look.group == "cells"
    found = np.zeros((24, 32), np.uint16)
    found[4:9, 4:9] = 1
    taught.controller.heard.emit(Looked(look.ticket, found))
    taught.wait(lambda: "cells preview" in taught.viewer.layers)
    preview = taught.viewer.layers["cells preview"]
    np.testing.assert_array_equal(preview.data[2], found)
    assert not preview.data[[0, 1, 3, 4, 5]].any()
    assert preview.contour > 0
    assert taught.viewer.layers.selection.active is not preview
    taught.viewer.dims.set_current_step(0, 4)
    taught.wait(lambda: len(taught.controller.of(Look)) >= 2)
    taught.controller.heard.emit(Looked(look.ticket, found))  # too late: another slice is on show
    taught.controller.step(2)
    taught.wait(lambda: taught.text("learn_status").startswith("Step 2"))
    assert not preview.data[4].any()
    taught.press("learn_stop")
    taught.wait(lambda: "cells preview" not in taught.viewer.layers)


def test_without_the_tick_nothing_is_previewed(taught):
    taught.find("learn_preview").setChecked(False)
    taught.begin(1)
    taught.wait(lambda: taught.controller.of(Look))
    assert all(look.image is None for look in taught.controller.of(Look))


def keep_answer(taught, answer=None):
    taught.wait(lambda: taught.controller.of(KeepModel))
    wanted = taught.controller.of(KeepModel)[-1]
    answer = answer or ModelSpec(Path(wanted.path).stem, wanted.title)
    taught.controller.heard.emit(ModelKept(wanted.path, answer))
    return wanted


def test_use_this_model_saves_it_under_the_name_and_puts_it_into_the_picker(taught, tmp_path):
    taught.begin(1)
    taught.controller.end("completed")
    taught.wait(lambda: taught.find("learn_use").isEnabled())
    assert taught.text("learn_name") == "grey learned"
    taught.find("learn_name").setText("My nuclei")
    taught.press("learn_use")
    wanted = keep_answer(taught)
    assert wanted.path == str(tmp_path / "models" / "My nuclei.safetensors")
    picker = taught.find("model", QComboBox)
    taught.wait(lambda: picker.currentData() == wanted.path)
    assert taught.controller.inspected == [wanted.path]


def test_segment_predicts_the_stack_and_leaves_what_is_done(taught):
    taught.paint(1, slice(15, 20), slice(20, 28), 50)
    taught.begin(1)
    taught.controller.end("completed")
    taught.wait(lambda: taught.find("learn_segment").isEnabled())
    taught.press("learn_segment")
    wanted = keep_answer(taught)
    taught.wait(lambda: taught.find("model", QComboBox).currentData() == wanted.path)
    runs = len(taught.controller.requests)
    taught.controller.model_inspected.emit(wanted.path, ModelSpec("new", "New"))
    taught.wait(lambda: len(taught.controller.requests) == runs + 1)
    taught.wait_for_end()
    request = taught.controller.requests[-1]
    assert request.model == wanted.path
    assert len(request.indices) == 6
    assert (taught.labels.data[1, 15:20, 20:28] == 50).all()
    assert [layer.name for layer in taught.viewer.layers] == ["cells", taught.labels.name]


def test_a_model_that_cannot_be_saved_is_said(taught):
    taught.begin(1)
    taught.controller.end("completed")
    taught.wait(lambda: taught.find("learn_use").isEnabled())
    taught.press("learn_use")
    keep_answer(taught, OutputError("The disk is full.", "Make room."))
    taught.wait(lambda: taught.text("learn_problem") == "The disk is full. Make room.")


def test_a_name_that_is_taken_is_refused_before_anything_is_written(taught, tmp_path):
    taught.begin(1)
    taught.controller.end("completed")
    taught.wait(lambda: taught.find("learn_use").isEnabled())
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.safetensors").write_bytes(b"")
    taught.find("learn_name").setText("mine")
    taught.press("learn_use")
    assert "already" in taught.text("learn_problem")
    assert not taught.controller.of(KeepModel)


def test_a_click_on_a_proposed_slice_goes_there(taught):
    taught.learn.guide.look("grey", taught.image, taught.learn._on_show()[1], ())
    taught.learn.guide._on_found([Proposal((4,), 0.9, "the model is unsure")])
    button = taught.find("learn_next_0")
    assert button.text() == "4"
    assert button.toolTip() == "Go to slice 4: the model is unsure."
    button.click()
    assert taught.viewer.dims.current_step[0] == 4


def test_a_training_that_was_cut_off_is_offered_at_the_next_start(
    make_napari_viewer, model_specs, qtbot, tmp_path
):
    kept = KeptTraining.fresh(tmp_path / "learning")
    kept.write_note(quick_request(minutes=2.0), finished=False, words="3 slices", seconds=65.0)
    kept.state.write_bytes(b"state")
    desk = LearnDesk(make_napari_viewer(), qtbot)
    desk.wait(lambda: desk.find("learn_continue").isEnabled())
    assert "1:05 of 2:00 min:\n3 slices" in desk.find("learn_continue").toolTip()
    desk.mark_done(2)
    desk.press("learn_continue")
    desk.wait(lambda: desk.controller.of(BeginLearning))
    (begun,) = desk.controller.of(BeginLearning)
    assert begun.resume
    assert begun.folder == str(kept.folder)
    assert [a.name for a in begun.annotations] == ["cells labels 2"]
    desk.wait(lambda: not desk.find("learn_button").isEnabled())


def test_closing_the_panel_during_a_training_leaves_nothing_running(taught):
    taught.begin(1)
    taught.controller.step(1)
    taught.viewer.window.remove_dock_widget(taught.panel.parent())
    assert taught.controller.closed
