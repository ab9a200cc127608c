"""The picker of models: what it says of them, what it remembers, what it shows."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QBuffer, Qt
from qtpy.QtGui import QColor, QImage
from qtpy.QtWidgets import QComboBox, QLabel, QTextBrowser

from napari_slicewise.errors import ModelError, WorkerError
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.widgets import model_chooser
from napari_slicewise.widgets.model_chooser import ModelChooser
from napari_slicewise.widgets.model_recent import recent_models, remember_model

MINE = ModelSpec(
    "mine",
    "Mitochondria",
    description="Mitochondria in electron microscopy.",
    licence="CC0-1.0",
    pixel_um=0.5,
    source="A colleague",
)


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(bytes(1_900_000))
    return path


def choose(desk, path, answer=MINE):
    """Choose a file, and have the worker say what it is."""
    desk.panel.form.add_model_file(path)
    desk.controller.model_inspected.emit(str(path), answer)
    models = desk.panel.form._models
    desk.wait(lambda: (models.spec or models.error) is answer)


def entries(combo):
    return [combo.itemText(i) for i in range(combo.count()) if combo.itemText(i)]


def picture(width, height, colour="red"):
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(QColor(colour))
    buffer = QBuffer()
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(buffer.data())


def test_under_the_model_stands_what_it_is_for_and_its_facts(desk, stack, weights):
    desk.viewer.add_image(stack)
    choose(desk, weights)
    assert desk.find("model").currentText() == "Mitochondria"
    assert desk.find("model_purpose", QLabel).text() == "Mitochondria in electron microscopy."
    assert desk.find("model_facts", QLabel).text() == "1 channel · 0.5 µm/px · CC0-1.0 · 1.9 MB"
    assert "Source: A colleague" in desk.find("model").toolTip()
    assert "Source: A colleague" in desk.find("model_facts").toolTip()


def test_nothing_is_said_of_a_model_that_is_no_model(desk, stack, weights):
    desk.viewer.add_image(stack)
    choose(desk, weights, ModelError("mine.safetensors is empty.", "Copy it again."))
    assert desk.find("model_note", QLabel).text() == "No usable model"
    assert "Copy it again" in desk.find("model_note").toolTip()
    assert desk.find("model_facts").isHidden()
    assert not desk.find("model_details").isEnabled()


def test_the_whole_card_opens_and_can_be_copied_from(start, weights):
    desk = start(show=True)
    choose(desk, weights)
    desk.find("model_details").click()
    card = desk.find("model_card")
    assert card.isVisible()
    text = desk.find("model_card_text", QTextBrowser).toPlainText()
    for part in ("Mitochondria", "A colleague", "CC0-1.0", "made at 0.5 µm", str(weights)):
        assert part in text
    assert card.width() <= 360
    card.close()


def test_markup_of_a_stranger_is_shown_as_text(desk, weights):
    hostile = "<img src='file:///etc/hostname'><b>bold</b>"
    choose(desk, weights, ModelSpec("x", hostile, description=hostile, licence=hostile))
    desk.find("model_details").click()
    browser = desk.find("model_card_text", QTextBrowser)
    assert "‹b›bold‹/b›" in browser.toPlainText()
    assert "<img" not in browser.toHtml()
    assert not Qt.mightBeRichText(desk.find("model").toolTip())
    desk.find("model_card").close()


def test_a_model_with_a_picture_shows_it_small(desk, weights, monkeypatch):
    monkeypatch.setattr(model_chooser, "thumbnail", lambda _path: picture(96, 60))
    choose(desk, weights)
    shown = desk.find("model_thumbnail", QLabel)
    assert not shown.isHidden()
    size = shown.pixmap().deviceIndependentSize()
    assert (size.width(), size.height()) == (48, 30)
    assert shown.pixmap().toImage().pixelColor(20, 10) == QColor("red")


@pytest.mark.parametrize("data", [None, b"", b"no picture at all"])
def test_a_model_without_a_picture_takes_no_room_for_one(desk, weights, monkeypatch, data):
    monkeypatch.setattr(model_chooser, "thumbnail", lambda _path: data)
    choose(desk, weights)
    assert desk.find("model_thumbnail").isHidden()


def test_files_used_before_are_listed_between_bundled_models_and_choose_file(tmp_path, qtbot):
    for name in ("first.pt", "second.pt"):
        (tmp_path / name).write_bytes(b"weights")
        remember_model(str(tmp_path / name), name.removesuffix(".pt").title())
    chooser = ModelChooser()
    qtbot.addWidget(chooser)
    combo = chooser.findChild(QComboBox, "model")
    assert entries(combo)[-3:] == ["Second", "First", "Choose file…"]
    assert chooser.model == combo.itemData(0)  # a bundled one


def test_a_file_that_is_gone_is_shown_so_and_cannot_be_chosen(tmp_path, qtbot):
    path = tmp_path / "gone.pt"
    remember_model(str(path), "Nuclei of mine")
    chooser = ModelChooser()
    qtbot.addWidget(chooser)
    combo = chooser.findChild(QComboBox, "model")
    position = combo.findText("Nuclei of mine (gone)")
    assert not combo.model().item(position).isEnabled()
    path.write_bytes(b"it is back")
    chooser.add_file(str(path))
    assert chooser.model == str(path)
    assert combo.model().item(combo.currentIndex()).isEnabled()


def test_of_many_files_the_eight_latest_are_remembered(tmp_path):
    for number in range(10):
        remember_model(str(tmp_path / f"{number}.pt"), f"Model {number}")
    remember_model(str(tmp_path / "5.pt"), "Model 5")
    assert [recent.title for recent in recent_models()] == [
        f"Model {number}" for number in (5, 9, 8, 7, 6, 4, 3, 2)
    ]
    assert not any(recent.there for recent in recent_models())


def test_a_file_is_remembered_once_it_proved_to_be_a_model(desk, tmp_path, weights):
    bad = tmp_path / "bad.pt"
    bad.write_bytes(b"no weights")
    choose(desk, bad, ModelError("bad.pt holds no weights."))
    assert recent_models() == ()
    choose(desk, weights)
    assert [recent.title for recent in recent_models()] == ["Mitochondria"]


def test_a_file_that_is_chosen_again_is_read_again(desk, weights):
    choose(desk, weights)
    desk.panel.form.add_model_file(weights)
    assert desk.controller.inspected == [str(weights)] * 2
    assert desk.find("model_note", QLabel).text() == "Reading the file…"


def test_a_file_that_was_refused_is_read_again_when_chosen_again(desk, weights):
    choose(desk, weights, ModelError("It is incomplete."))
    desk.find("model").setCurrentIndex(0)
    desk.panel.form.add_model_file(weights)
    assert desk.controller.inspected == [str(weights)] * 2


def test_channels_that_do_not_fit_are_said_under_the_image_with_what_to_choose(desk):
    desk.viewer.add_image(np.zeros((2, 30, 40, 50)), axis_labels=("c", "z", "y", "x"))
    misfit = desk.find("misfit")
    assert misfit.isHidden()
    desk.find("channel").setCurrentText("all")
    assert not misfit.isHidden()
    assert "takes 1 channel, the image gives 2" in misfit.said
    assert "Choose one channel" in misfit.said
    assert "Choose one channel" in desk.find("segment_button").toolTip()
    assert misfit.y() < desk.find("model").mapTo(desk.panel.form, misfit.rect().topLeft()).y()
    desk.find("channel").setCurrentText("1")
    assert misfit.isHidden()
    assert desk.find("segment_button").isEnabled()


def test_without_an_image_nothing_is_said_of_channels(desk):
    image = desk.viewer.add_image(np.zeros((2, 40, 50)), axis_labels=("c", "y", "x"))
    desk.find("channel").setCurrentText("all")
    assert not desk.find("misfit").isHidden()
    desk.viewer.layers.remove(image)
    assert desk.find("misfit").isHidden()


def test_a_file_that_killed_its_reader_is_not_waited_for(desk, stack, weights):
    desk.viewer.add_image(stack)
    desk.panel.form.add_model_file(weights)
    desk.controller.worker_died.emit(WorkerError("The inference process was killed.", "Try."))
    desk.wait(lambda: "could not be read" in desk.find("segment_button").toolTip())
    assert "was killed" in desk.find("segment_button").toolTip()
    desk.find("model").setCurrentIndex(0)
    desk.controller.worker_died.emit(WorkerError("The inference process was killed."))
    assert desk.find("segment_button").isEnabled()
