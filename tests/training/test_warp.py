"""Patches: where their pixels lie in the slice."""

import numpy as np
import pytest
from support.labelled_discs import STILL

from napari_slicewise.training.config import Variation
from napari_slicewise.training.warp import Warp, draw_warp, elastic_displacement


def _taken(warp, smooth, exact, centre):
    centre, window = warp.place(smooth.shape, centre)
    one, other = warp.sample([smooth], [exact], centre, window)
    return one[0], other[0], window


def test_all_eight_symmetries_are_drawn_without_interpolation():
    rng = np.random.default_rng(0)
    image = rng.random((16, 16), np.float32)
    numbers = (image * 1e6).astype(np.int64)
    seen = set()
    for _ in range(200):
        smooth, exact, window = _taken(draw_warp(16, STILL, rng), image, numbers, (8, 8))
        assert window == (0, 0, 16, 16)
        np.testing.assert_allclose((smooth * 1e6).astype(np.int64), exact, atol=2)
        seen.add(exact.tobytes())
    turned = [np.rot90(numbers, k) for k in range(4)]
    symmetries = {
        np.ascontiguousarray(t).tobytes() for t in (*turned, *(t[:, ::-1] for t in turned))
    }
    assert seen == symmetries


def test_image_and_labels_are_scaled_turned_and_bent_together():
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[:120, :120]
    labels = ((rows // 20 + columns // 20) % 2).astype(np.int64)
    variation = Variation(scales=(0.7, 1.6), rotate=0.5, elastic=0.7)
    for _ in range(20):
        warp = draw_warp(64, variation, rng)
        smooth, exact, _ = _taken(warp, labels.astype(np.float32), labels, (60, 60))
        assert ((smooth > 0.5) == (exact > 0)).mean() > 0.97


def test_scale_says_how_much_larger_objects_become():
    labels = np.zeros((100, 100), np.int64)
    labels[40:60, 40:60] = 1
    rng = np.random.default_rng(0)
    variation = Variation(scales=(2.0, 2.0), near=0.0, stretch=0.0, rotate=0.0, elastic=0.0)
    warp = draw_warp(80, variation, rng)
    _, exact, window = _taken(warp, labels.astype(np.float32), labels, (50, 50))
    assert warp.scale == pytest.approx(2.0)
    assert exact.sum() == pytest.approx(1600, rel=0.06)
    assert window[2] - window[0] == pytest.approx(40, abs=2)


def test_patch_stays_in_the_slice_where_it_can_and_mirrors_where_it_cannot():
    image = np.arange(100, dtype=np.float32).reshape(10, 10)
    warp = draw_warp(8, STILL, np.random.default_rng(0))
    for centre in ((0, 0), (9, 9), (4, 4)):
        _, _, window = _taken(warp, image, image.astype(np.int64), centre)
        assert min(window) >= 0
        assert max(window) <= 10
    positions = np.stack(np.mgrid[:14, :14]).astype(np.float32) - 6.5
    smooth, _, window = _taken(Warp(positions, 1.0), image, image.astype(np.int64), (4.5, 4.5))
    assert window == (-2, -2, 12, 12)
    np.testing.assert_allclose(smooth, np.pad(image, 2, mode="symmetric"), atol=1e-4)


def test_elastic_displacements_have_the_deviation_of_the_paper_and_are_smooth():
    rng = np.random.default_rng(0)
    fields = np.stack([elastic_displacement(64, 3, 10.0, rng) for _ in range(300)])
    corners = fields[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.std() == pytest.approx(10.0, rel=0.05)
    assert abs(fields.mean()) < 0.5
    assert np.abs(np.diff(fields, n=2, axis=-1)).max() < 0.2  # px; no kinks


def test_same_generator_gives_the_same_warp():
    one, other = (draw_warp(32, Variation(), np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one.positions, other.positions)
