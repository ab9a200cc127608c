"""Objects of too few slices are left out when a run is complete."""

from __future__ import annotations

import numpy as np
import pytest

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


def only_in(slices, corner=(2, 2)):
    """An answer with one object through all slices, and one in some slices only."""

    def answer(index, source):
        values = boxes((7, 10))(index, source)
        if index[-1] in slices:
            values[corner[0] : corner[0] + 4, corner[1] : corner[1] + 4] = 2
        return values

    return answer


def z_stack(desk, stack):
    return desk.viewer.add_image(stack, scale=(2, 0.5, 0.5), units=("um",) * 3)


def test_the_usual_least_depth_is_2_in_a_z_stack_and_1_elsewhere(desk, stack):
    z_stack(desk, stack)
    assert desk.find("least_depth").value() == 2
    desk.viewer.add_image(stack, axis_labels=("t", "y", "x"))
    assert desk.find("least_depth").value() == 1
    desk.viewer.add_image(stack, axis_labels=("z", "y", "x"))
    assert desk.find("least_depth").value() == 2
    desk.find("least_depth").setValue(3)
    desk.viewer.add_image(stack)
    assert desk.find("least_depth").value() == 3


def test_objects_of_too_few_slices_are_left_out_when_the_run_is_complete(desk, stack):
    z_stack(desk, stack)
    desk.controller.answer = only_in({3})
    labels = desk.run()
    assert not labels.data[:, 3, 3].any()
    assert (labels.data[:, 8, 11] == 1).all()
    assert desk.find("status").text().startswith("Done: 6 slices, 0 objects")  # 1 by the script
    assert not edit_layer_of(labels).session.edited((3,)).any()


@pytest.mark.parametrize("slices", [{0}, {5}, {2, 3}])
def test_objects_at_the_end_of_the_stack_and_deep_ones_stay(desk, stack, slices):
    z_stack(desk, stack)
    desk.controller.answer = only_in(slices)
    labels = desk.run()
    assert [z for z in range(6) if labels.data[z, 3, 3]] == sorted(slices)


def test_a_shallow_object_that_was_painted_on_or_locked_stays(desk, stack):
    z_stack(desk, stack)
    desk.controller.answer = only_in({3})
    desk.find("least_depth").setValue(1)
    labels = desk.run()
    number = int(labels.data[3, 3, 3])
    edit_layer_of(labels).session.set_locks(Locks(objects={number}))
    desk.find("least_depth").setValue(2)
    desk.run()
    assert labels.data[3, 3, 3] == number
    edit_layer_of(labels).session.set_locks(Locks())
    labels.brush_size = 1
    labels.paint((4, 0, 0), number)  # goes on in another slice
    desk.run()
    assert labels.data[3, 3, 3] == number
    labels.undo()
    desk.run()
    assert not labels.data[:, 3, 3].any()


def test_a_run_over_a_few_slices_leaves_nothing_out(desk, stack):
    z_stack(desk, stack)
    desk.controller.answer = only_in({3})
    desk.find("slices").setCurrentText("This slice")
    desk.viewer.dims.set_current_step(0, 3)
    assert desk.run().data[3, 3, 3]


def test_what_was_left_out_is_counted_in_the_correct_tab_and_comes_back_in_one_step(desk, stack):
    z_stack(desk, stack)
    desk.controller.answer = only_in({3})
    layer = desk.run()
    assert not layer.data[:, 2:6, 2:6].any()
    desk.panel.show_tab("Correct")
    row, button = desk.find("left_out"), desk.find("bring_back")
    assert row.text() == "1 object in too few slices left out"
    button.click()
    desk.wait(lambda: bool(layer.data[3, 2:6, 2:6].all()))
    assert not layer.data[2, 2:6, 2:6].any()
    layer.undo()
    assert not layer.data[:, 2:6, 2:6].any()
