"""The labels layer of a run: numbers, metadata, and what is drawn when."""

from __future__ import annotations

import json

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_slicewise.inference.request import Request, RunReport, SliceResult
from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.io import label_store
from napari_slicewise.io.source import ArraySource
from napari_slicewise.widgets.result_layer import ResultLayer

INDICES = tuple((z,) for z in range(4))


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture(params=["memory", "disk"], autouse=True)
def _store(request, monkeypatch):
    if request.param == "disk":
        monkeypatch.setattr(label_store, "memory_budget", lambda: 0)


@pytest.fixture
def image(viewer):
    return viewer.add_image(np.zeros((4, 12, 12), np.uint8), name="cells")


def two_objects(*_):
    values = np.zeros((12, 12), np.uint32)
    values[1:4, 1:4], values[6:9, 6:9] = 1, 2
    return values


def start(viewer, image, request):
    result = ResultLayer(viewer, image, ArraySource(image.data), request)
    result.begin()
    return result


def test_the_layer_is_there_at_once_and_blank(viewer, image):
    result = start(viewer, image, Request("m", INDICES))
    assert result.labels in viewer.layers
    assert result.labels.name == "cells labels"
    assert result.labels.data.dtype == np.uint32
    assert not np.asarray(result.labels.data).any()


def test_classes_are_bytes_and_keep_their_numbers(viewer, image):
    result = start(viewer, image, Request("m", INDICES, output="classes"))
    result.labels.data[0, 0, 0] = 1
    result.write(SliceResult((0,), two_objects().astype(np.uint8), 0.1))
    assert result.labels.data.dtype == np.uint8
    assert set(np.unique(result.labels.data)) == {0, 1, 2}


def test_a_free_number_is_selected_until_the_user_chooses(viewer, image):
    result = start(viewer, image, Request("m", INDICES))
    result.write(SliceResult((0,), two_objects(), 0.1))
    result.refresh_if_due()
    assert result.labels.selected_label == 3
    result.labels.selected_label = 2
    result.write(SliceResult((1,), two_objects() * 4, 0.1))
    result.refresh_if_due()
    assert result.labels.selected_label == 2


def test_painting_ends_the_changing_of_the_selected_number(viewer, image):
    result = start(viewer, image, Request("m", INDICES))
    result.write(SliceResult((0,), two_objects(), 0.1))
    result.refresh_if_due()
    result.labels.paint((0, 10, 2), result.labels.selected_label)
    result.write(SliceResult((1,), two_objects() * 4, 0.1))
    result.refresh_if_due()
    assert result.labels.selected_label == 3


def test_a_number_painted_first_belongs_to_the_human_in_all_slices(viewer, image):
    result = start(viewer, image, Request("m", INDICES))
    result.labels.paint((3, 10, 2), 2)
    result.write(SliceResult((0,), two_objects(), 0.1))
    result.write(SliceResult((3,), two_objects(), 0.1))
    assert set(np.unique(result.labels.data[0])) == {0, 1, 3}
    assert set(np.unique(result.labels.data[3])) == {0, 1, 2, 3}


def test_a_stroke_under_way_keeps_its_number(viewer, image):
    result = start(viewer, image, Request("m", INDICES))
    with result.labels.block_history():  # between press and release of the button
        result.labels.paint((3, 10, 2), 1)
        result.write(SliceResult((0,), two_objects(), 0.1))
        result.refresh_if_due()
    assert result.labels.selected_label == 1
    assert set(np.unique(result.labels.data[0])) == {0, 2, 3}


def test_a_layer_takes_further_runs_on_the_same_slices_of_the_same_kind(viewer, image):
    source = ArraySource(image.data)
    result = start(viewer, image, Request("m", ((1,),)))
    result.write(SliceResult((1,), two_objects(), 0.1))
    assert result.takes(image, source, "labels")
    assert not result.takes(image, source, "classes")
    assert not result.takes(image, ArraySource(image.data, (0, 2)), "labels")
    image.scale = (2, 1, 1)
    assert not result.takes(image, source, "labels")


def test_a_layer_that_goes_on_gives_new_objects_new_numbers(viewer, image):
    result = start(viewer, image, Request("m", ((1,),)))
    result.write(SliceResult((1,), two_objects(), 0.1))
    result.labels.paint((1, 10, 2), 7)
    result.begin(Request("m", ((3,),)))
    result.write(SliceResult((3,), two_objects(), 0.1))
    assert set(np.unique(result.labels.data[1])) == {0, 1, 2, 7}
    assert set(np.unique(result.labels.data[3])) == {0, 8, 9}


def test_the_run_is_described_in_plain_json_beside_what_was_there(viewer, image):
    result = start(viewer, image, Request("m", INDICES, objects=ObjectOptions(threshold=0.3)))
    result.labels.metadata["mine"] = 1
    result.write(SliceResult((2,), two_objects(), 0.1))
    result.close(RunReport("cancelled", 1, 0.5, details={"model": "m", "device": "CPU"}))
    note = json.loads(json.dumps(result.labels.metadata))["slicewise"]
    assert result.labels.metadata["mine"] == 1
    assert note["outcome"] == "cancelled"
    assert note["slices"] == [[2]]
    assert note["device"] == "CPU"
    assert note["image"] == "cells"
    assert note["parameters"]["objects"]["threshold"] == 0.3
    assert note["seconds_per_slice"] == 0.5


def test_only_the_slice_on_show_is_drawn_again(viewer, image):
    result = start(viewer, image, Request("m", INDICES))
    viewer.dims.set_current_step(0, 1)
    drawn = []
    result.labels.events.set_data.connect(drawn.append)
    result.write(SliceResult((3,), two_objects(), 0.1))
    result.refresh_if_due()
    assert not drawn
    result.write(SliceResult((1,), two_objects(), 0.1))
    result.refresh_if_due()
    result.refresh_if_due()
    assert len(drawn) == 1
