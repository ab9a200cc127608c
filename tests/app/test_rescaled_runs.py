"""Pixel sizes and inputs reach the worker process: labels come back on the image's own grid."""

from __future__ import annotations

import numpy as np
import pytest
from support.listening import Listener, everything, stack
from support.random_models import write_random_model

from napari_slicewise import segment
from napari_slicewise.inference.request import Request
from napari_slicewise.io.source import ArraySource

PIXEL_UM = (0.25, 0.31)


@pytest.fixture(scope="module")
def two_path(tmp_path_factory):
    """A model of two channels, trained at 0.5 um a pixel."""
    path = tmp_path_factory.mktemp("models") / "two.safetensors"
    return write_random_model(path, in_channels=2, pixel_um=0.5)


def test_several_layers_are_rescaled_and_labelled_on_their_own_grid(controller, two_path):
    one, other = stack(2, 61, 83), stack(2, 61, 83)[:, ::-1].astype(np.uint8)
    parts = (ArraySource(other), ArraySource(one))
    source = ArraySource(one, pixel_um=PIXEL_UM, parts=parts)
    heard = Listener(controller)
    request = everything(two_path, source, output="probability", precision="float32")
    controller.start(request, source)
    report = heard.report()
    assert (report.outcome, report.message) == ("completed", "")
    assert report.details["rescaled"] == "rescaled 0.25 x 0.31 -> 0.5 um"
    assert any("rescaled 0.25 x 0.31 -> 0.5 um" in text for text in heard.statuses)
    together = np.stack([other.astype(np.uint16), one], axis=1)
    expected = segment(together, two_path, channel_axis=1, pixel_um=PIXEL_UM, output="probability")
    for result in heard.results:
        assert result.values.shape == (61, 83)
        np.testing.assert_allclose(result.values, expected[result.index], atol=0.01)


def test_a_peek_lies_on_the_images_grid_and_the_run_after_it_remembers(controller, two_path):
    source = ArraySource(stack(2, 2, 61, 83), channel_axis=0, pixel_um=PIXEL_UM)
    heard = Listener(controller)
    peeks = []
    controller.peeked.connect(heard._keep(peeks), check_nargs=False)
    assert controller.peek(Request(str(two_path), ((1,),), output="activations"), source)
    heard.wait(lambda: peeks)
    assert peeks[0][1].values.shape == (1, 61, 83)
    controller.start(everything(two_path, source), source)
    assert heard.report().details["slices_remembered"] == 1
    controller.start(everything(two_path, source, rescale=False), source)
    assert heard.report(2).details["slices_remembered"] == 0
    assert heard.report(2).details["rescaled"] is None
