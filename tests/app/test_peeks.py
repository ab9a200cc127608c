"""Peeks at one slice beside the runs, with a real worker process."""

from __future__ import annotations

import numpy as np
import pytest
from support.listening import Listener, everything, stack

from napari_slicewise.inference.request import Request, SliceResult, shape_options
from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.instances.pipeline import shape_slice
from napari_slicewise.io.source import ArraySource


@pytest.fixture
def heard(controller):
    listener = Listener(controller)
    listener.peeks = []
    controller.peeked.connect(listener._keep(listener.peeks), check_nargs=False)
    return listener


def test_a_peek_shaped_here_is_what_a_run_gives(controller, heard, random_model_path):
    source = ArraySource(stack(3, 64, 64))
    peek = Request(str(random_model_path), ((1,),), output="activations")
    assert controller.peek(peek, source)
    heard.wait(lambda: heard.peeks)
    asked, answer = heard.peeks[0]
    assert asked is peek
    run = Request(str(random_model_path), ((1,),), objects=ObjectOptions(link=False))
    controller.start(run, source)
    report = heard.report()
    assert report.details["slices_remembered"] == 1  # the network did not run again
    shaped = shape_slice(answer.values, shape_options(run, "foreground", 0.5))
    np.testing.assert_array_equal(shaped > 0, heard.results[0].values > 0)
    assert not heard.statuses or "Loading" not in heard.statuses[0]


def test_the_latest_peek_is_answered_and_a_run_does_not_wait_for_it(
    controller, heard, random_model_path
):
    source = ArraySource(stack(6, 64, 64))
    for z in range(5):
        controller.peek(Request(str(random_model_path), ((z,),), output="activations"), source)
    heard.wait(lambda: any(asked.indices == ((4,),) for asked, _ in heard.peeks))
    controller.peek(Request(str(random_model_path), ((5,),), output="activations"), source)
    controller.start(everything(random_model_path, source), source)
    assert not controller.peek(Request(str(random_model_path), ((0,),)), source)
    assert heard.report().outcome == "completed"
    assert len(heard.results) == 6
    answered = [asked.indices for asked, answer in heard.peeks if isinstance(answer, SliceResult)]
    assert ((4,),) in answered
