"""Splitting: drawn discs, whose number and places are known."""

import numpy as np
import pytest

from napari_slicewise.instances.options import ImageGrid, ObjectOptions
from napari_slicewise.instances.split import label_objects

LANDSCAPES = ["network", "euclidean"]


def _draw(shape, discs):
    """Foreground, distance and truth of discs ``(y, x, radius)``."""
    yy, xx = np.indices(shape)
    foreground = np.zeros(shape, np.float32)
    distance = np.zeros(shape, np.float32)
    truth = np.zeros(shape, np.uint32)
    for number, (y, x, radius) in enumerate(discs, start=1):
        height = 1.0 - np.hypot(yy - y, xx - x) / radius
        truth[height > np.maximum(distance, 0)] = number
        distance = np.maximum(distance, height)
        foreground[height > 0] = 0.9
    return foreground, distance.astype(np.float32), truth


def _label(foreground, distance, landscape, **changes):
    options = ObjectOptions(**{"threshold": 0.5, "smallest": 1} | changes)
    return label_objects(foreground, distance if landscape == "network" else None, options)


def _iou(labels, truth, number):
    """IoU of a true object with the object at most of its pixels."""
    own = np.bincount(labels[truth == number]).argmax()
    same = (labels == own) & (truth == number)
    return same.sum() / ((labels == own) | (truth == number)).sum() if own else 0.0


@pytest.mark.parametrize("landscape", LANDSCAPES)
def test_touching_discs_become_objects_that_match_them(landscape):
    discs = [(20, 20, 10), (20, 36, 9), (36, 27, 10), (60, 60, 6), (5, 70, 3)]
    foreground, distance, truth = _draw((72, 80), discs)
    labels = _label(foreground, distance, landscape)
    assert labels.dtype == np.uint32
    assert labels.max() == len(discs)
    assert np.array_equal(labels > 0, foreground > 0.5)
    assert all(_iou(labels, truth, number) > 0.85 for number in range(1, len(discs) + 1))


@pytest.mark.parametrize("landscape", LANDSCAPES)
def test_touching_discs_stay_one_object_where_splitting_is_off(landscape):
    foreground, distance, _ = _draw((50, 60), [(20, 20, 10), (20, 36, 9)])
    assert _label(foreground, distance, landscape, split=False).max() == 1


@pytest.mark.parametrize("landscape", LANDSCAPES)
@pytest.mark.parametrize("seed", range(3))
def test_ripples_of_the_landscape_split_nothing(landscape, seed):
    foreground, distance, _ = _draw((50, 60), [(25, 30, 15)])
    ripples = np.random.default_rng(seed).normal(0, 0.03, distance.shape)
    assert _label(foreground, distance + ripples, landscape).max() == 1


@pytest.mark.parametrize("landscape", LANDSCAPES)
def test_long_object_is_not_cut_into_pieces(landscape):
    foreground = np.zeros((30, 100), np.float32)
    foreground[10:20, 5:95] = 1.0
    height = np.minimum(np.arange(10) + 0.5, 9.5 - np.arange(10)) / 5
    distance = np.zeros_like(foreground)
    distance[10:20, 5:95] = height[:, np.newaxis]
    assert _label(foreground, distance, landscape).max() == 1


@pytest.mark.parametrize("landscape", LANDSCAPES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (17, 31), (64, 64)])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_empty_and_full_images_have_no_object_and_one(landscape, shape, value):
    image = np.full(shape, value, np.float32)
    assert _label(image, image, landscape).max(initial=0) == int(value)


def test_nan_is_background():
    image = np.full((8, 8), np.nan, np.float32)
    image[2:5, 2:5] = 1.0
    labels = _label(image, image, "network")
    assert np.array_equal(labels > 0, np.nan_to_num(image) > 0)


def test_small_objects_are_left_out_and_the_others_numbered_in_reading_order():
    foreground, distance, _ = _draw((60, 60), [(40, 10, 5), (10, 40, 5), (30, 50, 2)])
    labels = _label(foreground, distance, "network", smallest=30)
    assert labels.max() == 2
    assert labels[10, 40] == 1
    assert labels[40, 10] == 2
    assert labels[30, 50] == 0


def test_threshold_itself_belongs_to_the_object():
    image = np.full((4, 4), 0.25, np.float32)
    assert _label(image, None, "network", threshold=0.25).max() == 1
    assert _label(image, None, "network", threshold=0.26).max() == 0


@pytest.mark.parametrize("landscape", LANDSCAPES)
def test_the_same_image_gives_the_same_labels(landscape):
    rng = np.random.default_rng(0)
    discs = [(*rng.integers(0, 200, 2), rng.integers(4, 12)) for _ in range(120)]
    foreground, distance, _ = _draw((200, 200), discs)
    first = _label(foreground, distance, landscape)
    assert np.array_equal(first, _label(foreground.copy(), distance.copy(), landscape))


@pytest.mark.parametrize("landscape", LANDSCAPES)
def test_many_touching_discs_are_counted_nearly_right(landscape):
    discs = [
        (y + 2 * (x // 16 % 2), x, 8.6) for y in range(12, 240, 16) for x in range(12, 240, 16)
    ]
    foreground, distance, _ = _draw((256, 256), discs)
    assert _label(foreground, distance, landscape).max() == pytest.approx(len(discs), rel=0.02)


def test_weak_regions_need_a_core_and_strong_ones_keep_their_rim():
    image = np.zeros((20, 20), np.float32)
    image[2:8, 2:8], image[4:6, 4:6] = 0.4, 0.9
    image[12:18, 12:18] = 0.6
    labels = _label(image, None, "euclidean", threshold=0.3, core_threshold=0.8)
    assert np.array_equal(labels > 0, image * (np.indices(image.shape)[0] < 10) > 0.3)


def test_holes_are_filled_up_to_their_size_and_bays_never():
    image = np.zeros((30, 30), np.float32)
    image[5:25, 5:25] = 1.0
    image[10:12, 10:12], image[16:20, 16:20] = 0.0, 0.0
    image[14, :8] = 0.0
    filled = _label(image, None, "euclidean", split=False, holes=4) > 0
    expected = image > 0
    expected[10:12, 10:12] = True
    assert np.array_equal(filled, expected)
    expected[16:20, 16:20] = True
    assert np.array_equal(_label(image, None, "euclidean", split=False, holes=16) > 0, expected)


def test_smoothing_takes_spikes_off_an_outline_and_leaves_the_body():
    image = np.zeros((40, 40), np.float32)
    image[10:30, 10:30] = 1.0
    image[20, 30:38] = 1.0
    image[0, 0] = np.nan
    labels = _label(image, None, "euclidean", smoothing=1.5)
    assert labels[10:30, 10:30].mean() > 0.97
    assert not labels[20, 33:].any()
    assert labels.max() == 1


def test_large_objects_and_those_at_the_border_are_left_out_on_request():
    foreground, distance, _ = _draw((60, 60), [(3, 30, 6), (40, 15, 10), (40, 45, 5)])
    assert _label(foreground, distance, "network").max() == 3
    inner = _label(foreground, distance, "network", border=False)
    assert inner.max() == 2
    assert inner[3, 30] == 0
    small = _label(foreground, distance, "network", border=False, largest=100)
    assert small.max() == 1
    assert small[40, 45] == 1


def test_an_area_in_um2_is_so_many_pixels():
    for pixel_um2 in (0.5 * 0.5, 1.0 * 0.25):
        options = ObjectOptions(smallest="10um2").settled(ImageGrid(pixel_um2=pixel_um2))
        assert options.areas == (40, None)
