"""Layers that were restored or reopened take further runs, and follow the sliders."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.kept_layers import end, keep, wait_for_offer
from support.scripted_panel import Desk, ScriptedController

from napari_slicewise.editing.locks import Locks
from napari_slicewise.inference.request import Request
from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.instances.pipeline import ShapeOptions, shape_slice
from napari_slicewise.widgets import model_chooser
from napari_slicewise.widgets.edit_layer import edit_layer_of
from napari_slicewise.widgets.keep_layers import Keeping
from napari_slicewise.widgets.keep_session import open_session, save_layer_session
from napari_slicewise.widgets.result_notes import parameters_of
from napari_slicewise.widgets.result_restored import request_of


def boxes(*corners):
    def answer(_index, source):
        values = np.zeros(source.slice_shape, np.uint32)
        for number, (row, column) in enumerate(corners, 1):
            values[row : row + 4, column : column + 4] = number
        return values

    return answer


def corrected(desk):
    """Run, paint 50 on one slice, erase a pixel of object 1, lock object 2."""
    desk.controller.answer = boxes((2, 2), (7, 10))
    layer = desk.run()
    layer.brush_size = 1
    layer.paint((3, 0, 0), 50)
    layer.paint((3, 2, 2), 0)
    edit_layer_of(layer).session.set_locks(Locks(objects={2}))
    return layer


@pytest.fixture(params=["restored", "reopened"])
def again(request, start, stack, tmp_path):
    """A second window, with the labels of the first one in it."""
    one = start(stack)
    layer = corrected(one)
    if request.param == "restored":
        assert keep(one, layer).flush()
        end(one)
        two = start(stack)
        wait_for_offer(two).press("restore")
    else:
        keeping = Keeping.of(one.viewer, one.panel)
        folder = tmp_path / "work.slicewise"
        save_layer_session(keeping, layer, folder)
        one.wait(lambda: keeping.kept(layer)[1].state.file == folder)
        two = start(stack)
        open_session(Keeping.of(two.viewer, two.panel), folder)
    two.wait(lambda: len(two.viewer.layers) == 2)
    return two


def test_the_chooser_offers_them_and_a_run_holds_edits_locks_and_numbers(again):
    layer = again.viewer.layers[-1]
    assert again.find("into").currentText() == f"Labels “{layer.name}”"
    # The same objects, counted the other way round, one of them smaller.
    again.controller.answer = boxes((7, 9), (2, 2))
    assert again.run() is layer
    assert len(again.viewer.layers) == 2
    assert (layer.data[3, 0, 0], layer.data[3, 2, 2]) == (50, 0)
    assert layer.data[4, 2, 2] == 1
    assert (layer.data[:, 7:11, 10:14] == 2).all()
    assert len(layer.metadata["slicewise"]["slices"]) == 6


def test_objects_that_are_new_get_numbers_that_nobody_had(again):
    layer = again.viewer.layers[-1]
    again.controller.answer = boxes((2, 2), (7, 2))
    again.run()
    assert set(np.unique(layer.data[5]).tolist()) == {0, 1, 2, 51}


def test_a_panel_that_was_closed_finds_its_results_again(start, stack, qtbot):
    desk = start(stack)
    layer = corrected(desk)
    desk.viewer.window.remove_dock_widget(desk.panel)
    desk = Desk(desk.viewer, ScriptedController(boxes((7, 10))), qtbot)
    assert desk.find("into").currentText() == f"Labels “{layer.name}”"
    assert desk.run() is layer
    assert layer.data[3, 0, 0] == 50


def test_they_follow_the_sliders(start, stack, monkeypatch, model_specs):
    specs = (replace(model_specs[0], output="foreground"),)
    monkeypatch.setattr(model_chooser, "bundled_models", lambda: specs)

    def probability(_index, source):
        values = np.zeros((1, *source.slice_shape), np.float32)
        values[0, 2:6, 2:6], values[0, 7:11, 10:14] = 0.9, 0.5
        return values

    def answer(index, source):
        options = ObjectOptions(threshold=0.4, smallest=1)
        return shape_slice(
            probability(index, source), ShapeOptions("foreground", "labels", options)
        )

    one = start(stack)
    one.controller.answer = answer
    layer = one.run()
    layer.brush_size = 1
    layer.paint((0, 0, 0), 50)
    assert keep(one, layer).flush()
    end(one)
    two = start(stack)
    wait_for_offer(two).press("restore")
    two.wait(lambda: len(two.viewer.layers) == 2)
    two.controller.activations, two.controller.answer = probability, answer
    two.viewer.dims.set_current_step(0, 0)
    slider = two.find("threshold")
    slider.setSliderDown(True)
    slider.setValue(0.7)
    restored = two.viewer.layers[-1]
    two.wait(lambda: not restored.data[0, 8, 11])
    assert (restored.data[0, 0, 0], restored.data[0, 3, 3]) == (50, layer.data[0, 3, 3])
    assert two.controller.requests == []
    slider.setSliderDown(False)
    two.wait_for_end()
    two.wait(lambda: len(two.controller.requests) == 1)
    two.wait_for_end()


def test_a_request_comes_back_from_its_note_and_unknown_words_are_left_out():
    request = Request("m", ((0,), (1,)), objects=ObjectOptions(threshold=0.3, smallest="20 px"))
    noted = parameters_of(request)
    assert request_of(noted, request.indices, objects=True) == request
    later = {**noted, "new_option": 3, "objects": {**noted["objects"], "newer": 1}}
    assert request_of(later, request.indices, objects=True) == request
    assert request_of({"model": 7}, ((0,),), objects=False) == Request("", ((0,),), "classes")
    assert request_of({}, ((0,),), objects=True).output == "labels"


def test_a_layer_without_a_run_is_no_result(start, stack):
    desk = start(stack)
    desk.viewer.add_labels(np.zeros(stack.shape, np.uint16))
    desk.panel.show_tab("Correct")
    assert desk.find("into").currentText() == "A new layer"
