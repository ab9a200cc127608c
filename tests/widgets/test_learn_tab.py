"""The Learn tab: what it learns from, and why it cannot."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QComboBox, QListWidget
from support.scripted_teacher import LearnDesk

from napari_slicewise.training.messages import BeginLearning, MoreToLearn


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("SLICEWISE_LEARNING", str(tmp_path / "learning"))
    monkeypatch.setenv("SLICEWISE_MODELS", str(tmp_path / "models"))


@pytest.fixture
def taught(make_napari_viewer, model_specs, qtbot):
    return LearnDesk(make_napari_viewer(), qtbot)


def rows(desk):
    found = desk.find("learn_layers", QListWidget)
    return [found.item(i) for i in range(found.count())]


def test_without_an_image_learn_says_what_to_do_first(desk):
    desk.panel.show_tab("Learn")
    assert not desk.find("learn_button").isEnabled()
    assert desk.find("learn_button").toolTip() == "Open an image to begin."
    assert not desk.find("scribble_object").isEnabled()


def test_with_nothing_marked_learn_is_grey_and_says_why(taught):
    taught.wait_for_words("nothing yet")
    assert not taught.find("learn_button").isEnabled()
    assert taught.find("learn_button").toolTip().startswith("Nothing is marked yet")
    assert taught.text("learn_status").startswith("Nothing is marked yet")


def test_slices_marked_as_done_and_corrected_places_are_counted(taught):
    taught.mark_done(0, 3)
    taught.paint(5, slice(10, 14), slice(20, 24), 9)
    taught.wait_for_words("2 whole slices, 1 corrected, 2 objects")
    assert taught.find("learn_button").isEnabled()
    (row,) = rows(taught)
    assert row.text() == "cells labels: 2 whole slices, 1 corrected, 2 objects"


def test_a_layer_that_is_not_ticked_is_not_learned_from(taught):
    taught.mark_done(0)
    taught.wait_for_words("1 whole slice, 1 object")
    rows(taught)[0].setCheckState(Qt.CheckState.Unchecked)
    taught.wait_for_words("nothing yet")
    assert rows(taught)[0].text() == "cells labels: not used"


def test_labels_that_were_opened_count_whole_and_hidden_ones_wait_to_be_ticked(taught):
    truth = np.zeros((6, 24, 32), np.uint16)
    truth[2:4, 5:9, 5:9] = 3
    taught.viewer.add_labels(truth, name="truth", visible=False)
    taught.wait(lambda: len(rows(taught)) == 2)
    taught.wait_for_words("nothing yet")
    rows(taught)[0].setCheckState(Qt.CheckState.Checked)
    taught.wait_for_words("2 whole slices, 1 object")


def test_several_images_with_their_labels_are_learned_from_together(taught):
    taught.mark_done(0)
    taught.viewer.add_image(np.zeros((20, 20), np.uint8), name="other")
    truth = np.zeros((20, 20), np.uint8)
    truth[3:9, 3:9] = 1
    taught.viewer.add_labels(truth, name="other truth")
    taught.wait_for_words("2 whole slices, 2 objects")
    taught.press("learn_button")
    taught.wait(lambda: taught.controller.of(BeginLearning))
    (begun,) = taught.controller.of(BeginLearning)
    assert {a.group for a in begun.annotations} == {"cells", "other"}
    assert {a.image.shape for a in begun.annotations} == {(1, 24, 32), (1, 20, 20)}


def test_only_the_marked_slices_are_sent(taught):
    taught.begin(1, 4)
    (begun,) = taught.controller.of(BeginLearning)
    assert [a.name for a in begun.annotations] == ["cells labels 1", "cells labels 4"]
    np.testing.assert_array_equal(begun.annotations[1].image[0], taught.image.data[4])
    np.testing.assert_array_equal(begun.annotations[1].labels, taught.labels.data[4])
    assert begun.request.start_from == "grey"


def test_a_new_network_can_be_asked_for_and_a_number_of_minutes(taught):
    taught.mark_done(0)
    start = taught.find("learn_start", QComboBox)
    assert [start.itemText(i) for i in range(start.count())] == ["Grey nuclei", "A new network"]
    start.setCurrentIndex(1)
    taught.find("learn_minutes").setValue(0.5)
    taught.wait(lambda: taught.find("learn_button").isEnabled())
    taught.press("learn_button")
    taught.wait(lambda: taught.controller.of(BeginLearning))
    request = taught.controller.of(BeginLearning)[0].request
    assert (request.start_from, request.minutes) == (None, 0.5)


def test_the_stroke_buttons_make_a_layer_and_take_it_into_the_brush(taught):
    taught.press("scribble_object")
    strokes = taught.viewer.layers["cells scribbles"]
    assert taught.viewer.layers.selection.active is strokes
    assert (strokes.mode, strokes.selected_label) == ("paint", 2)
    assert taught.find("scribble_object").isChecked()
    taught.press("scribble_background")
    assert (strokes.mode, strokes.selected_label) == ("paint", 1)
    assert not taught.find("scribble_object").isChecked()
    strokes.mode = "pan_zoom"
    assert not taught.find("scribble_background").isChecked()
    assert [layer.name for layer in taught.viewer.layers].count("cells scribbles") == 1


def test_strokes_stay_with_their_image_when_it_gets_another_name(taught):
    taught.press("scribble_object")
    strokes = taught.viewer.layers["cells scribbles"]
    taught.image.name = "embryo"
    taught.paint(4, slice(5, 6), slice(2, 12), 2, strokes)
    taught.wait_for_words("1 scribbled")
    taught.press("scribble_background")
    assert taught.viewer.layers.selection.active is strokes
    assert len(taught.viewer.layers) == 3


def test_labels_stay_with_their_image_when_it_gets_another_name(taught):
    other = taught.viewer.add_image(np.zeros_like(taught.image.data), name="other")
    taught.image.name, other.name = "embryo", "cells"
    (teacher,) = taught.learn.sources.teachers()
    assert teacher.image is taught.image


def test_strokes_are_counted_and_sent_with_what_is_known(taught):
    taught.press("scribble_object")
    strokes = taught.viewer.layers["cells scribbles"]
    taught.paint(4, slice(5, 6), slice(2, 12), 2, strokes)
    taught.wait_for_words("1 scribbled")
    assert taught.find("learn_button").toolTip().startswith("Only objects are marked")
    taught.paint(4, slice(9, 10), slice(2, 12), 1, strokes)
    taught.wait(lambda: taught.find("learn_button").isEnabled())
    taught.press("learn_button")
    taught.wait(lambda: taught.controller.of(BeginLearning))
    (annotation,) = taught.controller.of(BeginLearning)[0].annotations
    assert annotation.known.sum() == 20
    assert (annotation.labels[5, 2:12] > 0).all()
    assert not annotation.labels[9].any()


def test_what_is_painted_during_a_training_is_sent_once_the_hand_rests(taught):
    taught.begin(0)
    taught.paint(3, slice(10, 14), slice(20, 24), 9)
    taught.wait(lambda: taught.controller.of(MoreToLearn))
    (news,) = taught.controller.of(MoreToLearn)[0].annotations
    assert news.name == "cells labels 3"
    assert news.known[12, 22]


def test_every_control_has_a_name_and_says_what_it_is_for(taught):
    for kind in (QAbstractButton, QComboBox):
        for control in taught.learn.findChildren(kind):
            if not control.objectName().startswith("qt_"):
                assert control.accessibleName() or control.text(), control.objectName()
                assert control.toolTip(), control.objectName()


def test_the_tab_fits_a_laptop(taught):
    size = taught.learn.sizeHint()
    assert size.height() <= 640
    assert taught.learn.minimumSizeHint().width() <= 280
