"""Runs into labels that are there: around the human's work, with the same numbers as before."""

from __future__ import annotations

import numpy as np
from qtpy.QtWidgets import QLabel

from napari_slicewise.editing.locks import Locks
from napari_slicewise.widgets.edit_layer import edit_layer_of


def boxes(*corners):
    """An answer with objects of 4 x 4 pixels at the same corners of every slice."""

    def answer(_index, source):
        values = np.zeros(source.slice_shape, np.uint32)
        for number, (row, column) in enumerate(corners, 1):
            values[row : row + 4, column : column + 4] = number
        return values

    return answer


def touch(desk, threshold):
    desk.find("threshold").setValue(threshold)


def test_another_threshold_goes_into_the_same_layer(desk, stack):
    desk.viewer.add_image(stack)
    labels = desk.run()
    touch(desk, 0.7)
    desk.controller.answer = boxes((2, 2), (7, 10))
    assert desk.run() is labels
    assert len(desk.viewer.layers) == 2
    assert (labels.data[:, 2:6, 2:6] == 1).all()
    assert (labels.data[:, 7:11, 10:14] == 2).all()


def test_a_rerun_keeps_strokes_locks_and_numbers(desk, stack):
    desk.viewer.add_image(stack)
    desk.controller.answer = boxes((2, 2), (7, 10))
    labels = desk.run()
    labels.brush_size = 1
    labels.paint((3, 0, 0), 50)
    labels.paint((3, 2, 2), 0)
    edit_layer_of(labels).session.set_locks(Locks(objects={2}))
    # The same objects, counted the other way round, one of them smaller.
    desk.controller.answer = boxes((7, 9), (2, 2))
    desk.run()
    assert (labels.data[3, 0, 0], labels.data[3, 2, 2]) == (50, 0)
    assert labels.data[4, 2, 2] == 1
    assert (labels.data[:, 7:11, 10:14] == 2).all()
    labels.undo()
    assert labels.data[3, 2, 2] == 1
    labels.undo()
    assert labels.data[3, 0, 0] == 0


def test_undo_after_a_rerun_shows_what_the_machine_says_now(desk, stack):
    desk.viewer.add_image(stack)
    labels = desk.run()
    labels.brush_size = 3
    labels.paint((3, 3, 3), 50)
    desk.controller.answer = boxes((8, 10))
    desk.run()
    assert (labels.data[3, 2:5, 2:5] == 50).all()
    labels.undo()
    assert not labels.data[3, 2:5, 2:5].any()
    labels.redo()
    assert (labels.data[3, 2:5, 2:5] == 50).all()


def test_a_rerun_that_is_stopped_leaves_the_rest_as_it_was_and_says_so(desk, stack):
    desk.viewer.add_image(stack)
    labels = desk.run()
    desk.controller.answer = boxes((7, 10))
    desk.controller.free = False
    desk.press("segment_button")
    desk.controller.allow(2)
    desk.wait(lambda: desk.find("progress").value() == 2)
    desk.press("stop_button")
    desk.wait_for_end()
    assert desk.find("status").text() == "Stopped: 2 of 6 slices are new, the others as before"
    assert sum(bool(plane[3, 3]) for plane in labels.data) == 4
    assert sum(bool(plane[8, 11]) for plane in labels.data) == 2
    assert len(labels.metadata["slicewise"]["slices_of_this_run"]) == 2
    assert len(labels.metadata["slicewise"]["slices"]) == 6


def test_a_rerun_that_brings_nothing_leaves_the_description_of_the_older_one(desk, stack):
    desk.viewer.add_image(stack)
    labels = desk.run()
    desk.controller.fail_after = 0
    desk.run()
    assert labels.metadata["slicewise"]["outcome"] == "completed"
    assert labels.data.any()


def test_the_user_can_ask_for_a_new_layer_once(desk, stack):
    desk.viewer.add_image(stack, name="cells")
    first = desk.run()
    into = desk.find("into")
    assert into.currentText() == "Labels “cells labels”"
    into.setCurrentText("A new layer")
    into.activated.emit(into.currentIndex())
    second = desk.run()
    assert second is not first
    assert into.currentText() == f"Labels “{second.name}”"
    assert desk.run() is second


def test_classes_and_objects_do_not_mix(desk, stack):
    desk.viewer.add_image(stack)
    labels = desk.run()
    desk.find("output").setCurrentText("Class mask")
    assert desk.find("into").currentText() == "A new layer"
    assert desk.run() is not labels


def test_a_layer_that_was_removed_or_got_other_labels_is_never_written(desk, stack):
    desk.viewer.add_image(stack)
    removed = desk.run()
    desk.viewer.layers.remove(removed)
    other = desk.run()
    assert other is not removed
    other.data = np.full(other.data.shape, 7, np.uint32)
    assert desk.run() is not other
    assert (other.data == 7).all()


def test_a_copy_of_the_layer_is_an_ordinary_layer(desk, stack):
    from napari.layers import Labels

    desk.viewer.add_image(stack)
    labels = desk.run()
    copy = Labels.create(*labels.as_layer_data_tuple())
    copy.data = copy.data.copy()
    desk.viewer.add_layer(copy)
    desk.controller.answer = boxes((7, 10))
    desk.press("segment_button")
    desk.wait_for_end()
    assert (copy.data[:, 2:6, 2:6] == 1).all()
    assert not labels.data[:, 2:6, 2:6].any()


def test_the_same_labels_in_a_smaller_type_go_on_and_widen_when_they_must(desk, stack):
    desk.viewer.add_image(stack)
    labels = desk.run()
    labels.data = labels.data.astype(np.uint8)
    labels.brush_size = 1
    labels.paint((0, 0, 0), 255)
    desk.controller.answer = boxes((7, 10))
    assert desk.run() is labels
    assert labels.data.dtype == np.uint32
    assert labels.data[0, 0, 0] == 255
    assert (labels.data[:, 7:11, 10:14] == 256).all()


def test_single_slices_continue_the_objects_beside_them(desk, stack):
    desk.viewer.add_image(stack)
    desk.find("slices").setCurrentText("This slice")
    for z, answer in ((1, boxes((2, 2), (7, 10))), (2, boxes((7, 9), (2, 3))), (4, boxes((2, 2)))):
        desk.viewer.dims.set_current_step(0, z)
        desk.controller.answer = answer
        labels = desk.run()
    assert (labels.data[2, 3, 4], labels.data[2, 8, 11]) == (1, 2)
    assert labels.data[4, 3, 3] not in (0, 1, 2)  # not a neighbour
    desk.viewer.dims.set_current_step(0, 3)
    desk.run()
    assert set(labels.data[1:5, 3, 4].tolist()) == {1}


def test_a_neighbour_does_not_make_one_of_two_objects_of_a_slice(desk, stack):
    desk.viewer.add_image(stack)
    desk.find("slices").setCurrentText("This slice")

    def one_large(_index, source):
        values = np.zeros(source.slice_shape, np.uint32)
        values[2:6, 2:12] = 1
        return values

    for z, answer in ((1, boxes((2, 2), (2, 8))), (2, one_large), (3, boxes((2, 2), (2, 8)))):
        desk.viewer.dims.set_current_step(0, z)
        desk.controller.answer = answer
        labels = desk.run()
    assert labels.data[1, 3, 3] != labels.data[1, 3, 9]
    assert labels.data[3, 3, 3] != labels.data[3, 3, 9]


def choose_a_new_layer(desk):
    into = desk.find("into")
    into.setCurrentText("A new layer")
    into.activated.emit(into.currentIndex())  # as a user's choice does


def test_running_again_into_a_new_layer_hides_the_old_one(desk, stack):
    desk.viewer.add_image(stack, name="cells")
    first = desk.run()
    first.data[0] = 9
    choose_a_new_layer(desk)
    second = desk.run()
    assert first is not second
    assert (first.data[0] == 9).all()
    assert (first.visible, second.visible) == (False, True)


def test_further_layers_say_what_differs(desk, stack):
    desk.viewer.add_image(stack, name="cells")
    names = []
    for threshold in (0.4, 0.25, 0.25):
        desk.find("threshold").setValue(threshold)
        choose_a_new_layer(desk)
        names.append(desk.run().name)
    assert names == ["cells labels", "cells labels at 0.25", "cells labels at 0.25 [1]"]


def test_a_run_that_brings_nothing_leaves_no_layer_and_shows_the_older_one(desk, stack):
    desk.viewer.add_image(stack)
    older = desk.run()
    desk.find("threshold").setValue(0.25)
    choose_a_new_layer(desk)
    desk.controller.fail_after = 0
    desk.run()
    assert desk.viewer.layers[-1] is older
    assert older.visible
    assert desk.find("progress").maximum() == 1
    assert "died" in desk.find("problem", QLabel).text()
