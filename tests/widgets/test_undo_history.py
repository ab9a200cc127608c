"""Undoing a stroke that came before the machine's answer shows that answer, not a hole."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_slicewise.inference.request import Request, SliceResult
from napari_slicewise.io import label_store
from napari_slicewise.io.source import ArraySource
from napari_slicewise.widgets.result_layer import ResultLayer


@pytest.fixture(params=["memory", "disk"], autouse=True)
def _store(request, monkeypatch):
    if request.param == "disk":
        monkeypatch.setattr(label_store, "memory_budget", lambda: 0)


@pytest.fixture
def viewer():
    return ViewerModel()


def result_over(viewer, shape, plane=(-2, -1)):
    image = viewer.add_image(np.zeros(shape, np.uint8))
    indices = tuple(ArraySource(image.data, plane).indices())
    result = ResultLayer(viewer, image, ArraySource(image.data, plane), Request("m", indices))
    result.begin()
    return result


def machine(shape, box=(slice(2, 8), slice(2, 8)), number=1):
    values = np.zeros(shape, np.uint32)
    values[box] = number
    return values


def paint(layer, coordinate, number, size=3):
    layer.brush_size = size
    layer.paint(coordinate, number)


def test_a_stroke_before_the_result_survives_and_undo_shows_the_result(viewer):
    result = result_over(viewer, (4, 12, 12))
    paint(result.labels, (1, 5, 8), 99)
    stroke = result.labels.data[1] == 99
    result.write(SliceResult((1,), machine((12, 12)), 0.1))
    expected = machine((12, 12))
    assert (result.labels.data[1][stroke] == 99).all()
    np.testing.assert_array_equal(result.labels.data[1][~stroke], expected[~stroke])
    result.labels.undo()
    np.testing.assert_array_equal(result.labels.data[1], expected)
    result.labels.redo()
    assert (result.labels.data[1][stroke] == 99).all()
    result.labels.undo()
    np.testing.assert_array_equal(result.labels.data[1], expected)


def test_a_stroke_that_was_undone_before_the_result_can_be_redone_and_undone(viewer):
    result = result_over(viewer, (4, 12, 12))
    paint(result.labels, (1, 5, 5), 99)
    stroke = result.labels.data[1] == 99
    result.labels.undo()
    result.write(SliceResult((1,), machine((12, 12)), 0.1))
    result.labels.redo()
    assert (result.labels.data[1][stroke] == 99).all()
    result.labels.undo()
    np.testing.assert_array_equal(result.labels.data[1], machine((12, 12)))


def test_two_strokes_over_each_other_are_undone_one_by_one(viewer):
    result = result_over(viewer, (4, 12, 12))
    paint(result.labels, (1, 5, 5), 98)
    first = result.labels.data[1].copy()
    paint(result.labels, (1, 5, 7), 99)
    result.write(SliceResult((1,), machine((12, 12)), 0.1))
    result.labels.undo()
    expected = np.where(first == 98, 98, machine((12, 12)))
    np.testing.assert_array_equal(result.labels.data[1], expected)
    result.labels.undo()
    np.testing.assert_array_equal(result.labels.data[1], machine((12, 12)))


def test_strokes_on_other_slices_are_left_alone(viewer):
    result = result_over(viewer, (4, 12, 12))
    paint(result.labels, (2, 5, 5), 99)
    result.write(SliceResult((1,), machine((12, 12)), 0.1))
    result.labels.undo()
    assert not result.labels.data[2].any()
    np.testing.assert_array_equal(result.labels.data[1], machine((12, 12)))


def test_a_stroke_through_several_slices_is_mended_slice_by_slice(viewer):
    result = result_over(viewer, (4, 12, 12))
    result.labels.n_edit_dimensions = 3
    paint(result.labels, (1, 5, 5), 99, size=5)
    for z in range(3):
        result.write(SliceResult((z,), machine((12, 12)), 0.1))
    result.labels.undo()
    for z in range(3):
        np.testing.assert_array_equal(result.labels.data[z], machine((12, 12)))
    assert not result.labels.data[3].any()


def test_rolled_axes_are_mended_too(viewer):
    result = result_over(viewer, (10, 4, 12), plane=(0, 2))
    result.labels.data_setitem((np.array([3, 4]), np.array([1, 1]), np.array([5, 5])), 99)
    result.write(SliceResult((1,), machine((10, 12)), 0.1))
    assert result.labels.data[3, 1, 5] == 99
    result.labels.undo()
    np.testing.assert_array_equal(result.labels.data[:, 1], machine((10, 12)))


def test_the_objects_that_come_back_have_their_new_numbers(viewer):
    """The machine's object 1 becomes another number, because the human used 1."""
    result = result_over(viewer, (4, 12, 12))
    paint(result.labels, (1, 5, 8), 1)
    result.write(SliceResult((1,), machine((12, 12)), 0.1))
    result.labels.undo()
    numbers = np.unique(result.labels.data[1])
    assert len(numbers) == 2
    assert numbers[1] != 1
    np.testing.assert_array_equal(result.labels.data[1] > 0, machine((12, 12)) > 0)


def test_a_stroke_that_is_being_drawn_is_mended(viewer):
    result = result_over(viewer, (4, 12, 12))
    with result.labels.block_history():
        paint(result.labels, (1, 5, 5), 99)
        result.write(SliceResult((1,), machine((12, 12)), 0.1))
        paint(result.labels, (1, 5, 6), 99)
    result.labels.undo()
    np.testing.assert_array_equal(result.labels.data[1], machine((12, 12)))
