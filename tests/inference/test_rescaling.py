"""Slices are brought to the pixel size a model was trained at, and labels back to the image's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.bright_models import TorchOnly, bright_model
from support.random_models import write_random_model

from napari_slicewise.errors import RequestError
from napari_slicewise.inference.cache import ActivationCache
from napari_slicewise.inference.loading import load_model_file
from napari_slicewise.inference.pixel_size import find_rescaling
from napari_slicewise.inference.plan import padded_shape, resolve
from napari_slicewise.inference.prepare import SlicePreparer
from napari_slicewise.inference.request import Request, shape_options
from napari_slicewise.inference.resample import resample
from napari_slicewise.inference.runner import Runner
from napari_slicewise.inference.stream import CancelToken
from napari_slicewise.instances.pipeline import shape_slice
from napari_slicewise.io.source import ArraySource
from napari_slicewise.models.spec import ModelSpec

MODEL_UM = 0.5
FIELD_UM = (101.0, 77.0)
RADIUS_UM = 8.0
CENTRES_UM = ((20.3, 19.1), (52.6, 55.4), (83.9, 30.7))


def discs(pixel_um):
    """Bright discs with soft edges; pixel ``i`` covers ``i`` to ``i + 1`` pixel sizes."""
    shape = [round(side / size) for side, size in zip(FIELD_UM, pixel_um, strict=True)]
    y, x = ((np.arange(n) + 0.5) * size for n, size in zip(shape, pixel_um, strict=True))
    image = np.zeros(shape)
    for row, column in CENTRES_UM:
        beyond = np.hypot(y[:, None] - row, x[None] - column) - RADIUS_UM
        image += np.clip(0.5 - beyond / np.mean(pixel_um), 0, 1)
    return (255 * image).astype(np.uint8)


def run(model, image, pixel_um, *, cache=None, **options):
    source = ArraySource(image, pixel_um=pixel_um)
    options = {"precision": "float32", **options}
    request = Request("bright", tuple(source.indices()), **options)
    runner = Runner(request, source, model, TorchOnly(), CancelToken(), cache=cache)
    results = [result.values for result in runner.results()]
    return results, runner.report()


def centres(labels):
    """Centre of each object in pixels, from the corner of the image, the topmost first."""
    numbers = np.unique(labels[labels > 0])
    return np.array([np.argwhere(labels == n).mean(axis=0) + 0.5 for n in numbers])


@pytest.mark.parametrize(
    "pixel_um",
    [(1.0, 1.0), (0.25, 0.25), (2.0, 2.0), (0.1, 0.1), (0.25, 1.0), (0.65, 0.65), (0.3, 0.31)],
)
@pytest.mark.parametrize("lost", [0, 3])
def test_objects_come_out_where_they_are(pixel_um, lost):
    image = discs(pixel_um)
    model = bright_model(pixel_um=MODEL_UM, lost=lost)
    (labels,), report = run(model, image, pixel_um)
    assert report.details["rescaled"]
    assert labels.shape == image.shape
    errors = centres(labels) - np.array(CENTRES_UM) / pixel_um
    assert errors.shape == (3, 2)
    assert np.abs(errors).max() < 0.5
    assert np.abs(errors.mean(axis=0)).max() < 0.25
    areas = np.bincount(labels.ravel())[1:] * np.prod(pixel_um)
    np.testing.assert_allclose(areas, np.pi * RADIUS_UM**2, rtol=0.1)


@pytest.mark.parametrize(("image", "model"), [((40, 60), (80, 30)), ((41, 57), (13, 150))])
def test_a_ramp_keeps_its_place_on_either_grid(image, model):
    def ramp(shape):
        y, x = ((np.arange(n) + 0.5) / n for n in shape)
        return (3 * y[:, None] + 2 * x[None]).astype(np.float32)[None]

    there = resample(ramp(image), model)
    inner = np.s_[:, 12:-12, 12:-12] if min(model) > 30 else np.s_[:, 5:-5, 5:-5]
    tenth_of_a_pixel = 0.1 * 2 / max(image)
    np.testing.assert_allclose(there[inner], ramp(model)[inner], atol=tenth_of_a_pixel)
    assert resample(there, image).shape == (1, *image)


def test_what_shrinks_is_smoothed_first():
    checks = np.indices((64, 64)).sum(axis=0)[None] % 2
    shrunk = resample(checks.astype(np.float32), (16, 16))
    np.testing.assert_allclose(shrunk, 0.5, atol=0.02)


def test_probabilities_stay_between_0_and_1_and_sum_up_to_1():
    rng = np.random.default_rng(0)
    first = (rng.random((1, 50, 70)) > 0.5).astype(np.float32)
    both = resample(np.concatenate([first, 1 - first]), (173, 31))
    assert both.min() >= -1e-6
    assert both.max() <= 1 + 1e-6
    np.testing.assert_allclose(both.sum(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("model_um", "pixel_um", "expected"),
    [
        (None, (0.5, 0.5), None),
        (0.5, None, None),
        (0.5, (0.5, 0.5), None),
        (0.5, (0.55, 0.4546), None),  # a tenth
        (0.5, (0.56, 0.56), (112, 224)),
        (0.5, (0.5, 0.25), (100, 100)),
        (0.5, (float("nan"), 0.5), None),
        (0.5, (4.0, 4.0), (800, 1600)),
    ],
)
def test_only_sizes_that_are_known_and_differ_are_rescaled(model_um, pixel_um, expected):
    found = find_rescaling(ModelSpec("m", pixel_um=model_um), (100, 200), pixel_um)
    assert (found and found.model_shape) == expected


@pytest.mark.parametrize("pixel_um", [(4.1, 4.1), (0.06, 0.06), (0.5, 500.0)])
def test_sizes_that_are_too_far_apart_are_refused_with_a_hint(pixel_um):
    model = bright_model(pixel_um=MODEL_UM)
    with pytest.raises(RequestError, match="too far apart") as caught:
        run(model, discs((1.0, 1.0)), pixel_um)
    assert "rescaling off" in caught.value.hint
    run(model, discs((1.0, 1.0)), pixel_um, rescale=False)


def test_a_slice_that_would_outgrow_the_memory_is_refused():
    class Small(TorchOnly):
        def free_bytes(self, device):  # noqa: ARG002 - the policy's signature
            return 10_000_000

    source = ArraySource(np.zeros((500, 500), np.uint8), pixel_um=(4.0, 4.0))
    spec = bright_model(pixel_um=MODEL_UM).spec
    with pytest.raises(RequestError, match="4000 x 4000"):
        resolve(Request("bright", ((),)), spec, source, Small())
    resolve(Request("bright", ((),), rescale=False), spec, source, Small())


def test_memory_is_planned_by_what_the_network_gets():
    source = ArraySource(np.zeros((100, 130), np.uint8), pixel_um=(1.0, 1.0))
    spec = bright_model(pixel_um=MODEL_UM).spec
    plan = resolve(Request("bright", ((),)), spec, source, TorchOnly())
    assert plan.padded == padded_shape((200, 260), spec)


@pytest.fixture(scope="module")
def random_sized(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "sized.safetensors"
    return load_model_file(write_random_model(path, pixel_um=MODEL_UM, first_filters=4))


@pytest.mark.parametrize("output", ["activations", "probability", "labels"])
def test_the_same_pixel_size_changes_no_bit(random_sized, output):
    image = (np.random.default_rng(1).normal(size=(3, 61, 83)).cumsum(-1) * 100).astype(np.int16)
    unknown, report = run(random_sized, image, None, output=output)
    assert report.details["rescaled"] is None
    for pixel_um in ((0.5, 0.5), (0.54, 0.46)):
        known, _ = run(random_sized, image, pixel_um, output=output)
        np.testing.assert_array_equal(known, unknown)
    off, _ = run(random_sized, image, (1.0, 1.0), output=output, rescale=False)
    np.testing.assert_array_equal(off, unknown)


def test_another_pixel_size_changes_what_the_network_says(random_sized):
    image = np.random.default_rng(1).normal(size=(61, 83)).cumsum(-1)
    unknown, _ = run(random_sized, image, None, output="probability")
    rescaled, _ = run(random_sized, image, (1.0, 1.0), output="probability")
    assert np.abs(rescaled[0] - unknown[0]).max() > 0.001


def test_a_rescaled_run_says_so_and_remembers_nothing_wrong():
    cache = ActivationCache(1 << 24)
    model, image = bright_model(pixel_um=MODEL_UM), discs((0.65, 0.65))
    rescaled, report = run(model, image, (0.65, 0.65), cache=cache)
    plain, other = run(model, image, (0.65, 0.65), cache=cache, rescale=False)
    again, last = run(model, image, (0.65, 0.65), cache=cache)
    assert report.details["rescaled"] == "rescaled 0.65 -> 0.5 um"
    assert other.details["rescaled"] is None
    assert other.details["slices_remembered"] == 0
    assert last.details["slices_remembered"] == 1
    np.testing.assert_array_equal(again, rescaled)
    assert plain[0].shape == rescaled[0].shape


def test_activations_for_tuning_lie_on_the_images_grid():
    model, pixel_um = bright_model(pixel_um=MODEL_UM), (0.25, 0.3)
    image = discs(pixel_um)
    (labels,), _ = run(model, image, pixel_um)
    (activations,), _ = run(model, image, pixel_um, output="activations")
    assert activations.shape == (1, *image.shape)
    shaped = shape_slice(activations, shape_options(Request("bright", ((),)), "foreground", 0.5))
    np.testing.assert_array_equal(shaped, labels)


def test_tiles_for_int8_are_what_the_network_will_get():
    model, pixel_um = bright_model(pixel_um=MODEL_UM), (1.0, 1.0)
    source = ArraySource(np.stack([discs(pixel_um)] * 4), pixel_um=pixel_um)
    request = Request("bright", tuple(source.indices()))
    plan = replace(resolve(request, model.spec, source, TorchOnly()), quantize="asked")
    SlicePreparer(plan, source, CancelToken())
    tiles = (*plan.tiles.calibration, *plan.tiles.held_out)
    assert len(tiles) >= 4
    assert {tile.shape[1:] for tile in tiles} == {(100, 76)}  # half of 202 x 154, in fours
    assert all(tile.dtype == np.float32 for tile in tiles)
    assert max(float(tile.max()) for tile in tiles) > 0.9
