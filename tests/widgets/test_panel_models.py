"""Models and channels: what is offered, what fits, what is remembered."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QLabel,
)

from napari_slicewise.errors import ModelError
from napari_slicewise.models.spec import ModelSpec


def test_channels_are_offered_only_where_there_is_a_choice(desk, stack):
    rows = desk.find("channel_axis")
    desk.viewer.add_image(np.zeros((30, 40, 50)))
    assert rows.isHidden() or rows.parent().isHidden()
    desk.viewer.add_image(np.zeros((2, 30, 40, 50)), axis_labels=("c", "z", "y", "x"))
    assert not rows.parent().isHidden()
    assert rows.currentText() == "c (2)"
    number = desk.find("channel")
    assert not number.isHidden()
    number.setCurrentText("1")
    desk.run()
    assert desk.controller.sources[-1].channel == 1
    assert desk.controller.sources[-1].leading_shape == (30,)
    assert desk.viewer.layers[-1].data.shape == (30, 40, 50)


def test_channels_that_do_not_fit_the_model_are_refused_with_a_reason(desk):
    desk.viewer.add_image(np.zeros((2, 30, 40, 50)), axis_labels=("c", "z", "y", "x"))
    desk.find("channel").setCurrentText("all")
    assert not desk.find("segment_button").isEnabled()
    assert "Choose one channel" in desk.find("segment_button").toolTip()


def test_a_colour_picture_becomes_grey_for_a_grey_model(desk):
    desk.viewer.add_image(np.zeros((40, 50, 3), np.uint8), rgb=True)
    assert "colour becomes grey" in desk.find("model_note", QLabel).text()
    assert desk.run().data.shape == (40, 50)
    desk.find("model").setCurrentText("Colour tissue")
    assert "colour as it is" in desk.find("model_note", QLabel).text()


def test_the_threshold_starts_as_the_models_own(desk):
    assert desk.find("threshold").value() == pytest.approx(0.4)
    desk.find("model").setCurrentText("Colour tissue")
    assert desk.find("threshold").value() == pytest.approx(0.6)


def test_a_model_file_is_inspected_and_remembered(desk, stack, monkeypatch, tmp_path):
    desk.viewer.add_image(stack)
    path = tmp_path / "mine.pt"
    path.write_bytes(b"weights")
    models = desk.find("model")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    models.setCurrentIndex(models.count() - 1)
    models.activated.emit(models.count() - 1)
    assert models.currentText() == "mine.pt"
    assert desk.controller.inspected == [str(path)]
    assert "being read" in desk.find("segment_button").toolTip()
    spec = ModelSpec("mine", "My own model", threshold=0.7)
    desk.controller.model_inspected.emit(str(path), spec)
    desk.wait(desk.find("segment_button").isEnabled)
    assert models.currentText() == "My own model"
    assert desk.find("threshold").value() == pytest.approx(0.7)
    desk.run()
    assert desk.controller.requests[-1].model == str(path)

    from napari_slicewise.widgets.model_chooser import ModelChooser

    chooser = ModelChooser()
    later = chooser.findChild(QComboBox, "model")
    assert "My own model" in [later.itemText(i) for i in range(later.count())]


def test_cancelling_the_file_dialog_keeps_the_model(desk, monkeypatch):
    models = desk.find("model")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    models.setCurrentIndex(models.count() - 1)
    models.activated.emit(models.count() - 1)
    assert models.currentText() == "Grey nuclei"


def test_a_file_that_is_no_model_is_refused_with_a_reason(desk, stack, tmp_path):
    desk.viewer.add_image(stack)
    path = tmp_path / "notes.pt"
    path.write_bytes(b"no weights")
    desk.panel.form.add_model_file(path)
    error = ModelError("notes.pt holds no weights.", "Choose another file.")
    desk.controller.model_inspected.emit(str(path), error)
    desk.wait(lambda: "holds no weights" in desk.find("segment_button").toolTip())
    assert not desk.find("segment_button").isEnabled()
    desk.find("model").setCurrentIndex(0)
    assert desk.find("segment_button").isEnabled()
