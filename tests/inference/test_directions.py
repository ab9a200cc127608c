"""Stacks seen along three axes: the mean of what the network says, where one side is not enough."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from napari_slicewise.api import segment
from napari_slicewise.errors import RequestError
from napari_slicewise.inference.device import LocalDevices
from napari_slicewise.inference.loading import LoadedModel
from napari_slicewise.inference.request import Request
from napari_slicewise.inference.runner import Runner
from napari_slicewise.inference.stream import CancelToken
from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.io import label_store
from napari_slicewise.io.source import ArraySource
from napari_slicewise.models.spec import ModelSpec

SHAPE = (32, 48, 64)


class BoxNetwork(torch.nn.Module):
    """Sure of what fills most of five by five pixels; remembers what it was shown."""

    shapes: ClassVar[list[tuple[int, ...]]] = []  # of all copies

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 1, 5, padding=2)
        torch.nn.init.constant_(self.conv.weight, 40 / 25)
        torch.nn.init.constant_(self.conv.bias, -20)

    def forward(self, x):
        self.shapes.append(tuple(x.shape[2:]))
        return self.conv(x)


class Torch(LocalDevices):
    """No other engine, whose conversion takes seconds."""

    def engine(self, device, precision):  # noqa: ARG002 - the policy's signature
        return "torch"


@pytest.fixture(params=["memory", "disk"], autouse=True)
def _place(request, monkeypatch):
    if request.param == "disk":
        monkeypatch.setattr(label_store, "memory_budget", lambda: 0)


@pytest.fixture
def model():
    BoxNetwork.shapes.clear()
    spec = ModelSpec("box", normalization="divide_by_255", margin=16)
    return LoadedModel(spec, "box", Path("box"), BoxNetwork().eval())


def drawn():
    """A ball, and flat sheets that look like cells in the slices they lie in; the truth."""
    z, y, x = np.indices(SHAPE)
    ball = (z - 15) ** 2 + (y - 24) ** 2 + (x - 20) ** 2 <= 10**2
    sheets = np.zeros(SHAPE, bool)
    for depth, row in ((8, 10), (20, 30), (26, 8)):
        sheets[depth : depth + 2, row : row + 13, 45:58] = True
    return ((ball | sheets) * 255).astype(np.uint8), ball


def run(model, image, directions, token=None, **options):
    source = ArraySource(image)
    request = Request(
        "box", tuple(source.indices()), directions=directions, precision="float32", **options
    )
    runner = Runner(request, source, model, Torch(), token or CancelToken())
    values = np.zeros(image.shape, np.float32)
    for result in runner.results():
        values[result.index] = result.values
    return values, runner.report()


def one_side(model, image, axis):
    """What the network says of a volume along an axis, by itself."""
    planes = torch.from_numpy(np.moveaxis(image, axis, 0).astype(np.float32) / 255)[:, None]
    with torch.inference_mode():
        found = model.network(planes)[:, 0].sigmoid().numpy()
    return np.moveaxis(found, 0, axis)


@pytest.mark.parametrize("directions", ["z", "zy", "zx", "zyx"])
def test_the_probability_is_the_mean_of_what_is_seen_from_each_side(model, directions):
    image, _ = drawn()
    expected = np.mean([one_side(model, image, "zyx".index(axis)) for axis in directions], axis=0)
    found, report = run(model, image, directions, output="probability")
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert report.details["directions"] == directions
    assert report.outcome == "completed"


def test_what_only_looks_like_a_cell_from_one_side_is_not_taken_for_one(model):
    image, ball = drawn()

    def score(directions):
        labels, report = run(model, image, directions)
        found = labels > 0
        iou = (found & ball).sum() / (found | ball).sum()
        return iou, report.details["objects"]

    alone, three = score("z"), score("zyx")
    assert alone[1] == 4
    assert three[1] == 1
    assert alone[0] < 0.85 < 0.95 < three[0]


def test_each_stack_of_a_series_is_seen_by_itself(model):
    image, _ = drawn()
    series = np.stack([image, image[::-1, ::-1]])
    found, _ = run(model, series, "zyx", output="probability")
    for stack, one in zip(series, found, strict=True):
        np.testing.assert_array_equal(one, run(model, stack, "zyx", output="probability")[0])


def test_slices_that_lie_far_apart_are_brought_to_the_distance_of_pixels(model):
    image, _ = drawn()
    thin = image[::4]  # eight slices, each as thick as four pixels
    objects = ObjectOptions(anisotropy=4.0)
    found, _ = run(model, thin, "zyx", output="probability", objects=objects)
    assert set(BoxNetwork.shapes) == {(48, 64), (32, 64), (32, 48)}
    wanted, _ = run(model, image, "zyx", output="probability")
    ball = (slice(2, 6), slice(20, 28), slice(16, 24))
    assert found[ball].min() > 0.8
    assert np.abs(found - wanted[::4]).mean() < 0.05


def test_some_of_the_slices_are_as_they_are_in_the_whole_stack(model):
    image, _ = drawn()
    whole, _ = run(model, image, "zyx", output="probability")
    source = ArraySource(image)
    request = Request("box", ((20,), (9,)), "probability", directions="zyx", precision="float32")
    results = Runner(request, source, model, Torch(), CancelToken()).results()
    for result in results:
        np.testing.assert_array_equal(result.values, whole[result.index])


def test_a_run_that_is_stopped_while_it_looks_along_another_axis_ends(model):
    image, _ = drawn()
    token = CancelToken()

    class Stopping(Torch):
        batches = 0

        def before_batch(self, device, pixels):  # noqa: ARG002 - the policy's signature
            self.batches += 1
            if self.batches == 3:
                token.cancel()

    source = ArraySource(image)
    request = Request("box", tuple(source.indices()), directions="zyx", batch=1)
    runner = Runner(request, source, model, Stopping(), token)
    assert list(runner.results()) == []
    assert runner.report().outcome == "cancelled"


@pytest.mark.parametrize("shape", [(20, 20), (1, 20, 20)])
def test_a_single_slice_has_one_side_only(model, shape):
    image = np.zeros(shape, np.uint8)
    with pytest.raises(RequestError, match="Only a stack"):
        segment(image, model, directions="zyx")
    source = ArraySource(image)
    request = Request("box", tuple(source.indices()), directions="zyx")
    with pytest.raises(RequestError, match="Only a stack"):
        Runner(request, source, model, Torch(), CancelToken())


def test_directions_that_do_not_exist_are_refused(model):
    with pytest.raises(RequestError, match="zyx"):
        Request("box", ((0,),), directions="abc")


def test_classes_are_averaged_too():
    class Two(BoxNetwork):
        def forward(self, x):
            logits = super().forward(x)
            return torch.cat([-logits, logits], dim=1)

    spec = ModelSpec(
        "two", out_channels=2, output="classes", normalization="divide_by_255", margin=16
    )
    two = LoadedModel(spec, "two", Path("two"), Two().eval())
    image, _ = drawn()
    found, _ = run(two, image, "zyx", output="classes")
    one = LoadedModel(
        replace(spec, out_channels=1, output="foreground"), "one", Path("one"), BoxNetwork()
    )
    sides = [one_side(one, image, axis) for axis in range(3)]
    # A softmax of two opposite logits is a sigmoid of twice the one.
    logits = [np.log(side / (1 - side)) for side in np.clip(sides, 1e-7, 1 - 1e-7)]
    mean = np.mean([1 / (1 + np.exp(-2 * logit)) for logit in logits], axis=0)
    assert np.mean((mean > 0.5) == (found == 1)) > 0.999
