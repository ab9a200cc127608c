"""How easily is split, and that a slice shaped in steps is the slice shaped at once."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.segmentation import watershed

from napari_slicewise.app.tuning import ShapeJob, Tuner
from napari_slicewise.instances import landscape
from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.instances.pipeline import ShapeOptions, shape_slice


def blobs(seed, side=96):
    rng = np.random.default_rng(seed)
    yy, xx = np.indices((side, side))
    found = np.zeros((2, side, side), np.float32)
    for _ in range(14):
        y, x, radius = rng.integers(6, side - 6), rng.integers(6, side - 6), rng.integers(5, 14)
        distance = 1.0 - np.hypot(yy - y, xx - x) / radius
        found[0][distance > 0] = 0.9
        found[1] = np.maximum(found[1], distance)
    return found


def options(heads="foreground_distance", **changes):
    return ShapeOptions(heads, "labels", ObjectOptions(**({"smallest": 4} | changes)))


@pytest.mark.parametrize("heads", ["foreground_distance", "foreground"])
@pytest.mark.parametrize("seed", range(3))
def test_the_more_easily_is_split_the_more_objects_there_are(heads, seed):
    counts = [
        shape_slice(blobs(seed), options(heads, split_strength=s)).max()
        for s in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert counts == sorted(counts)
    assert counts[0] == shape_slice(blobs(seed), options(heads, split=False)).max()
    assert counts[0] < counts[2]


def test_a_tuner_gives_what_shaping_at_once_gives():
    tuner = Tuner()
    for activations in (blobs(0), blobs(1)):
        for changes in (
            {},
            {"split_strength": 0.8},
            {"smallest": 200},
            {"threshold": 0.3},
            {"split": False},
            {"border": False},
            {"largest": 300},
        ):
            asked = options(**changes)
            shaped = tuner.shape(ShapeJob(activations, asked))
            np.testing.assert_array_equal(shaped, shape_slice(activations, asked))


@pytest.mark.parametrize("share", [0.0, 10.0])  # always the whole slice; always packed
@pytest.mark.parametrize("seed", range(4))
def test_regions_side_by_side_are_flooded_as_in_their_slice(monkeypatch, seed, share):
    monkeypatch.setattr(landscape, "_WORTH_PACKING", share)
    from scipy import ndimage as ndi

    height = landscape.smoothed(blobs(seed)[1].clip(0))
    height += np.random.default_rng(seed).random(height.shape).astype(np.float32) * 1e-4  # no ties
    regions, count = ndi.label(height > 0.05)
    summits = (height == landscape.highest_around(height)) & (regions > 0)
    seeds, _ = ndi.label(summits, np.ones((3, 3)))
    chosen = np.arange(count + 1) % 2 == 1
    inside = chosen[regions]
    expected = watershed(-height, np.where(inside, seeds, 0), mask=inside)
    np.testing.assert_array_equal(landscape.flood(height, seeds, regions, chosen), expected)


def test_the_filters_are_those_of_scipy():
    from scipy import ndimage as ndi

    image = np.random.default_rng(0).random((31, 20)).astype(np.float32)
    expected = ndi.gaussian_filter(image, 1.0, truncate=3.0)
    np.testing.assert_allclose(landscape.smoothed(image), expected, atol=1e-6)
    np.testing.assert_array_equal(landscape.highest_around(image), ndi.maximum_filter(image, 3))


def test_the_landscape_of_one_row_is_smoothed_too():
    assert landscape.smoothed(np.ones((1, 2), np.float32)).shape == (1, 2)
