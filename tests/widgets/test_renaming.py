"""Objects that turn out to be one get one number, and what a human painted follows them."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_slicewise.inference.request import Request, SliceResult
from napari_slicewise.io import label_store
from napari_slicewise.io.source import ArraySource
from napari_slicewise.widgets.result_layer import ResultLayer

INDICES = tuple((z,) for z in range(4))


@pytest.fixture(params=["memory", "disk"], autouse=True)
def _store(request, monkeypatch):
    if request.param == "disk":
        monkeypatch.setattr(label_store, "memory_budget", lambda: 0)


@pytest.fixture
def result():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((4, 12, 12), np.uint8))
    result = ResultLayer(viewer, image, ArraySource(image.data), Request("m", INDICES))
    result.begin()
    return result


def machine(number):
    values = np.zeros((12, 12), np.uint32)
    values[2:8, 2:8] = number
    return values


def numbers(result, z):
    return set(np.unique(result.labels.data[z]).tolist()) - {0}


def write(result, z, number, renamed=None):
    result.write(SliceResult((z,), machine(number), 0.1, renamed or {}))


def test_earlier_slices_get_the_number_that_holds_now(result):
    write(result, 0, 1)
    write(result, 2, 2)
    write(result, 1, 1, {2: 1})
    assert [numbers(result, z) for z in range(3)] == [{1}, {1}, {1}]


def test_strokes_that_continue_an_object_follow_it_on_slices_still_to_come_too(result):
    write(result, 0, 1)
    write(result, 2, 2)
    result.labels.paint((2, 10, 10), 2)
    result.labels.paint((3, 10, 10), 2)
    write(result, 1, 1, {2: 1})
    assert result.labels.data[2, 10, 10] == result.labels.data[3, 10, 10] == 1


def test_undo_and_redo_put_back_no_number_that_is_gone(result):
    write(result, 0, 1)
    write(result, 2, 2)
    result.labels.paint((2, 5, 5), 9)
    result.labels.data_setitem((np.array([2]), np.array([2]), np.array([2])), 0)
    result.labels.paint((2, 10, 10), 2)
    write(result, 1, 1, {2: 1})
    for _ in range(3):
        result.labels.undo()
    np.testing.assert_array_equal(result.labels.data[2], machine(1))
    for _ in range(3):
        result.labels.redo()
    assert numbers(result, 2) == {1, 9}
    assert result.labels.data[2, 10, 10] == 1
    assert result.labels.data[2, 2, 2] == 0


def test_a_number_that_a_human_used_first_is_not_renamed(result):
    result.labels.paint((3, 10, 10), 2)
    write(result, 0, 1)
    write(result, 2, 2)
    elsewhere = numbers(result, 2)
    assert elsewhere.isdisjoint({1, 2})
    write(result, 1, 1, {2: 1})
    assert numbers(result, 2) == {1}
    assert result.labels.data[3, 10, 10] == 2
    result.labels.undo()
    result.labels.redo()
    assert result.labels.data[3, 10, 10] == 2


def test_the_brush_goes_on_with_the_object_that_was_chosen(result):
    write(result, 0, 1)
    write(result, 2, 2)
    result.labels.selected_label = 2
    write(result, 1, 1, {2: 1})
    assert result.labels.selected_label == 1


def test_a_further_run_in_the_layer_renames_its_own_objects_only(result):
    write(result, 0, 2)
    result.begin()
    write(result, 1, 1)
    write(result, 3, 2)
    assert (numbers(result, 1), numbers(result, 3)) == ({1}, {3})
    write(result, 2, 1, {2: 1})
    assert [numbers(result, z) for z in range(4)] == [{2}, {1}, {1}, {1}]
