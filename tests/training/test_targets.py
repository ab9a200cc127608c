"""What the network is to answer: known for drawn objects."""

import numpy as np
import pytest

from napari_slicewise.training.targets import (
    beside_unknown,
    between_objects,
    border_weights,
    cut_touching,
    number_from_one,
    object_distance,
    object_weights,
    pixel_weights,
    whole_objects,
)


def test_distance_is_one_in_each_objects_middle_and_low_between_touching_objects():
    labels = np.zeros((20, 40), np.int32)
    labels[5:14, 5:14] = 1
    labels[5:14, 14:23] = 4
    distance = object_distance(labels)
    assert distance[9, 9] == 1.0
    assert distance[9, 18] == 1.0
    assert distance[9, 13] == distance[9, 14] == pytest.approx(0.5 / 4.5)
    assert distance.dtype == np.float32
    assert np.array_equal(distance > 0, labels > 0)


def test_smallest_object_of_one_pixel_is_its_own_middle():
    labels = np.zeros((3, 3), np.int32)
    labels[1, 1] = 1
    assert object_distance(labels)[1, 1] == 1.0


def test_border_of_the_image_is_no_edge():
    labels = np.zeros((10, 10), np.int32)
    labels[:, :5] = 1
    distance = object_distance(labels)
    assert (distance[:, 0] == 1.0).all()
    assert distance[0, 4] == pytest.approx(0.5 / 4.5)


@pytest.mark.parametrize("value", [0, 1])
def test_empty_and_full_labels_have_constant_distance(value):
    assert (object_distance(np.full((4, 6), value, np.int32)) == value).all()


def test_small_and_dim_objects_weigh_more_than_open_background():
    labels = np.zeros((60, 60), np.int32)
    labels[5:35, 5:35] = 1
    labels[50:55, 50:55] = 2
    labels[5:35, 37:57] = 3
    image = np.where(labels == 1, 1.0, np.where(labels > 0, 0.4, 0.0)).astype(np.float32)
    areas, dimness = object_weights(image, labels)
    assert areas.tolist() == [1, 900, 25, 600]
    assert dimness[1] == 1.0
    assert dimness[3] == 1.0
    weights = pixel_weights(labels, areas, dimness)
    assert weights[45, 5] == 1.0
    assert weights[20, 20] == pytest.approx(0.8)
    assert weights[52, 52] == pytest.approx(2.5)
    assert pixel_weights(labels, areas, dimness, 4.0)[52, 52] == pytest.approx((300 / 25) ** 0.5)


def test_border_weights_are_those_of_the_paper_for_two_squares_six_pixels_apart():
    labels = np.zeros((40, 60), np.int32)
    labels[10:30, 10:25] = 1
    labels[10:30, 31:46] = 2
    weights = border_weights(labels, 10.0, 5.0)
    # In the gap of columns 25 to 30, the distances to both edges add up to 7 everywhere.
    np.testing.assert_allclose(weights[20, 25:31], 10.0 * np.exp(-(7.0**2) / 50.0), rtol=1e-6)
    assert (weights[labels > 0] == 0).all()
    # 4 pixels left of the first square: 4 to it, 25 to the other, more than 4 sigma in sum.
    assert weights[20, 6] == 0
    # Below the gap both corners count: sqrt(3**2 + 3**2) and sqrt(4**2 + 3**2).
    both = np.hypot(3, 3) + np.hypot(4, 3)
    assert weights[32, 27] == pytest.approx(10.0 * np.exp(-(both**2) / 50.0), rel=1e-5)


def test_border_weights_equal_the_equation_computed_over_whole_images():
    rng = np.random.default_rng(3)
    labels = np.zeros((50, 50), np.int32)
    for number in range(1, 9):
        y, x = rng.integers(0, 44, 2)
        labels[y : y + 5, x : x + 5] = number
    where = np.argwhere(np.ones(labels.shape, bool))
    numbers = [n for n in range(1, 9) if (labels == n).any()]
    distances = np.sort(
        [
            np.hypot(*(where[:, None] - np.argwhere(labels == n)[None]).transpose(2, 0, 1)).min(1)
            for n in numbers
        ],
        axis=0,
    )
    total = (distances[0] + distances[1]).reshape(labels.shape)
    expected = np.where(labels == 0, 10 * np.exp(-(total**2) / 50), 0)
    np.testing.assert_allclose(border_weights(labels, 10, 5), expected, atol=10 * np.exp(-8))


def test_one_object_alone_and_weight_zero_give_no_border():
    labels = np.zeros((20, 20), np.int32)
    labels[5:9, 5:9] = 1
    assert not border_weights(labels, 10, 5).any()
    labels[5:9, 11:14] = 2
    assert not border_weights(labels, 0, 5).any()


def test_object_dimmer_than_the_others_weighs_up_to_twice():
    labels = np.zeros((10, 30), np.int32)
    for number, column in enumerate((2, 12, 22), start=1):
        labels[2:7, column : column + 5] = number
    image = np.array([0.0, 1.0, 1.0, 0.2], np.float32)[labels]
    _, dimness = object_weights(image, labels)
    assert dimness.tolist() == [1.0, 1.0, 1.0, 2.0]


def test_numbers_are_packed_and_a_mask_becomes_its_regions():
    labels = np.array([[0, 700, 700], [0, 0, 0], [9, 9, 0]])
    assert number_from_one(labels).tolist() == [[0, 2, 2], [0, 0, 0], [1, 1, 0]]
    mask = np.where(labels > 0, 255, 0)
    assert number_from_one(mask).tolist() == [[0, 1, 1], [0, 0, 0], [2, 2, 0]]
    assert not number_from_one(np.zeros((2, 2), int)).any()


def test_touching_objects_are_cut_apart_and_others_stay():
    labels = np.array([[1, 1, 2, 2, 0, 3]], np.int32)
    assert cut_touching(labels).tolist() == [[1, 0, 2, 2, 0, 3]]


def test_between_objects_is_where_two_are_near():
    labels = np.zeros((9, 20), np.int32)
    labels[2:7, 2:8] = 1
    labels[2:7, 9:15] = 2
    between = between_objects(labels, 5)
    assert between[4, 7:10].all()
    assert not between[4, 3]
    assert not between[4, 16:].any()


def test_object_beside_unknown_pixels_is_not_whole():
    labels = np.zeros((12, 24), np.int32)
    labels[3:6, 3:6] = 1
    labels[3:6, 15:18] = 2
    known = np.zeros(labels.shape, bool)
    known[1:9, 1:9] = True
    known[3:6, 15:18] = True
    assert whole_objects(labels, known).tolist() == [True, True, False]
    assert whole_objects(labels, np.ones_like(known)).all()
    near = beside_unknown(known, 3)
    assert near[1, 1]
    assert not near[4, 4]
