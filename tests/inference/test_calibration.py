"""What decides on int8: tiles of the image, how far two networks agree, and whether it pays."""

from __future__ import annotations

import numpy as np
import pytest

from napari_slicewise.inference.calibration import (
    ImageTiles,
    busiest_cells,
    cell_shape,
    compare,
    pays_off,
)
from napari_slicewise.models.spec import ModelSpec

ONE = ModelSpec("one")
DISTANCE = ModelSpec("distance", out_channels=2, output="foreground_distance")
CLASSES = ModelSpec("classes", out_channels=3, output="classes")


def discs():
    """Two heads of nine discs of radius 10: foreground 0.9 inside, and the distance."""
    y, x = np.mgrid[:120, :120]
    middle = np.hypot(y % 40 - 20, x % 40 - 20)
    inside = middle < 10
    return np.stack([np.where(inside, 0.9, 0.1), np.where(inside, 1 - middle / 10, 0.0)]).astype(
        np.float32
    )


def test_pixels_that_cross_the_threshold_are_counted_at_each_threshold():
    exact = np.full((1, 10, 100), 0.2, np.float32)
    exact[0, :5] = 0.8
    quick = exact.copy()
    quick[0, 0, :3] = 0.4  # 3 of 1000 cross all thresholds from 0.41 to 0.80
    agreement = compare([exact], [quick], ONE)
    assert agreement.share(0.5, "labels") == pytest.approx(0.003)
    assert agreement.share(0.3, "labels") == 0
    assert "0.30 %" in agreement.fault(0.5, "labels")
    assert agreement.fault(0.3, "labels") == ""


def test_classes_are_compared_by_the_strongest():
    exact = np.zeros((3, 10, 100), np.float32)
    exact[0, :5], exact[1, 5:] = 1.0, 1.0
    quick = exact.copy()
    quick[1, 9, :10], quick[2, 9, :10] = 0.4, 0.6  # 10 of 1000: still no background
    agreement = compare([exact], [quick], CLASSES)
    assert agreement.share(0.5, "labels") == 0
    assert agreement.share(0.5, "classes") == pytest.approx(0.01)
    assert agreement.fault(0.5, "labels") == ""
    assert "differ" in agreement.fault(0.5, "classes")


def test_objects_that_are_joined_otherwise_fail_though_no_pixel_changes_class():
    exact = discs()
    exact[:, 15:25, 20:100] = np.array([0.9, 0.2])[:, None, None]  # bridges of low distance
    exact[:, :40, :120] = np.maximum(exact[:, :40, :120], discs()[:, :40, :120])
    joined = exact.copy()
    joined[1, 15:25, 20:100] = 1.0
    agreement = compare([exact], [joined], DISTANCE)
    assert agreement.share(0.5, "labels") == 0
    assert agreement.unmatched > 1
    assert "objects differ" in agreement.fault(0.5, "labels")
    assert agreement.fault(0.5, "classes") == ""


def test_the_same_answers_pass():
    agreement = compare([discs()], [discs()], DISTANCE)
    assert (agreement.objects, agreement.unmatched) == (18, 0)
    assert agreement.fault(0.5, "labels") == ""


def test_tiles_without_objects_prove_nothing():
    empty = np.full((1, 100, 100), 0.1, np.float32)
    assert "no objects" in compare([empty], [empty], ONE).fault(0.5, "labels")


def test_the_busiest_cells_are_taken_first():
    slice_ = np.zeros((1, 512, 512), np.uint16)
    slice_[:, 256:, :256] = np.random.default_rng(0).integers(0, 1000, (256, 256))
    slice_[:, :256, 256:] = np.random.default_rng(1).integers(0, 100, (256, 256))
    first, second = busiest_cells(slice_, (256, 256), 2)
    np.testing.assert_array_equal(first, slice_[:, 256:, :256])
    np.testing.assert_array_equal(second, slice_[:, :256, 256:])


@pytest.mark.parametrize(
    ("shape", "spec", "cell"),
    [
        ((2000, 300), ONE, (256, 144)),
        ((20, 300), ONE, None),
        ((2000, 2000), ModelSpec("v", padding="valid", stride=16, remainder=12, margin=92), None),
    ],
)
def test_cells_are_inputs_that_the_network_takes(shape, spec, cell):
    found = cell_shape(shape, spec)
    if spec.padding == "valid":
        assert all((side - 12) % 16 == 0 and side > 200 for side in found)
    else:
        assert found == cell


def test_a_third_of_the_tiles_is_held_out_and_all_of_them_name_the_set():
    cells = [np.full((1, 64, 64), n, np.float32) for n in range(24)]
    tiles = ImageTiles()
    tiles.fill(cells)
    assert (len(tiles.calibration), len(tiles.held_out)) == (16, 8)
    assert not tiles.enough  # 8 tiles of 64 x 64 are 32,768 pixels
    again = ImageTiles()
    again.fill([*cells[:-1], cells[-1] + 1])
    assert tiles.digest != again.digest


def test_it_pays_where_many_slices_are_left_and_not_where_few_are():
    pace, tiles = 0.24e-6, (16 * 256**2, 8 * 256**2)  # 16 filters, 63 ms for 512 x 512
    assert not pays_off(pace, 20 * 512**2, *tiles)
    assert pays_off(pace, 1000 * 512**2, *tiles)
    slow = 15 * pace  # 64 filters
    assert not pays_off(slow, 20 * 512**2, *tiles)
    assert pays_off(slow, 200 * 512**2, *tiles)
