"""What the network is to answer: known for drawn objects."""

import numpy as np
import pytest

from napari_slicewise.training.targets import object_distance, object_weights, pixel_weights


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


def test_small_dim_and_close_objects_weigh_more_than_open_background():
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
    assert weights[20, 35] >= 2 * weights[20, 20]


def test_object_dimmer_than_the_others_weighs_up_to_twice():
    labels = np.zeros((10, 30), np.int32)
    for number, column in enumerate((2, 12, 22), start=1):
        labels[2:7, column : column + 5] = number
    image = np.array([0.0, 1.0, 1.0, 0.2], np.float32)[labels]
    _, dimness = object_weights(image, labels)
    assert dimness.tolist() == [1.0, 1.0, 1.0, 2.0]
