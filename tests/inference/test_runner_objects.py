"""Objects of a run: the same in any order of slices, and shaped as the request says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_slicewise.errors import RequestError
from napari_slicewise.inference.device import LocalDevices
from napari_slicewise.inference.request import Request
from napari_slicewise.inference.runner import Runner
from napari_slicewise.inference.stream import CancelToken
from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.io.source import ArraySource

NONE_TOO_SMALL = ObjectOptions(smallest=0)


def stack(*shape):
    rng = np.random.default_rng(1)
    return (rng.normal(size=shape).cumsum(-1) * 100 + 2000).astype(np.uint16)


def threshold_of(model, image):
    """One that makes half of the stack foreground."""
    source = ArraySource(image)
    request = Request(str(model.path), tuple(source.indices()), "probability", precision="float32")
    runner = Runner(request, source, model, LocalDevices(), CancelToken())
    return float(np.median([result.values for result in runner.results()]))


def in_turn(model, image, order, **options):
    """All slices in some order, renames applied, and every rename."""
    source = ArraySource(image)
    objects = replace(NONE_TOO_SMALL, **options)
    request = Request(str(model.path), tuple(order), objects=objects, precision="float32")
    runner = Runner(request, source, model, LocalDevices(), CancelToken())
    labels, renames = np.zeros(image.shape, np.int64), {}
    for result in runner.results():
        for old, new in result.renamed.items():
            labels[labels == old] = new
        labels[result.index] = result.values
        renames |= result.renamed
    assert runner.report().details["objects"] == len(np.unique(labels)) - 1
    return labels, renames


@pytest.mark.parametrize("least", [1, 2])
def test_slices_in_any_order_give_the_same_objects_once_they_are_renamed(random_model, least):
    image = stack(9, 48, 48)
    places = [(z,) for z in range(9)]
    options = {"threshold": threshold_of(random_model, image), "least_slices": least}
    wanted, renames = in_turn(random_model, image, places, **options)
    assert not renames
    assert wanted.max() == len(np.unique(wanted)) - 1 > 3
    renamed = 0
    for seed in range(3):
        order = [places[z] for z in np.random.default_rng(seed).permutation(9)]
        labels, renames = in_turn(random_model, image, order, **options)
        renamed += len(renames)
        pairs = set(zip(labels.ravel().tolist(), wanted.ravel().tolist(), strict=True))
        assert len(pairs) == len(np.unique(wanted)) == len(np.unique(labels))
    assert renamed


def test_objects_of_one_slice_are_left_out_on_request_and_the_others_stay(random_model):
    image = stack(9, 48, 48)
    places = [(z,) for z in range(9)]
    threshold = threshold_of(random_model, image)
    every, _ = in_turn(random_model, image, places, threshold=threshold)
    kept, _ = in_turn(random_model, image, places, threshold=threshold, least_slices=2)
    extent = {n: np.flatnonzero((every == n).any((1, 2))) for n in np.unique(every)[1:]}
    thin = [n for n, z in extent.items() if len(z) == 1 and 0 < z[0] < 8]
    assert thin
    np.testing.assert_array_equal(kept > 0, (every > 0) & ~np.isin(every, thin))


def test_the_shaping_of_objects_is_what_the_request_says(random_model):
    image = stack(1, 64, 64)
    threshold = threshold_of(random_model, image)

    def run(**options):
        return in_turn(random_model, image, [(0,)], threshold=threshold, **options)[0]

    plain, large = run(), run(largest=200)
    assert np.bincount(large[0].ravel())[1:].max() <= 200
    inner = run(border=False)
    assert not inner[0, 0].any()
    assert not inner[0, :, -1].any()
    none = run(core_threshold=1.0)
    assert plain.any()
    assert not none.any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"largest": 10},
        {"core_threshold": 1.5},
        {"smoothing": -1.0},
        {"holes": -1},
        {"least_iou": 2.0},
        {"gap": -1},
        {"least_slices": 0},
        {"anisotropy": 0.0},
    ],
)
def test_impossible_shaping_is_refused(wrong):
    with pytest.raises(RequestError):
        ObjectOptions(**wrong)
