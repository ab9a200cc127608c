"""How sure the network is of an object: the mean of what it said of the object's pixels."""

from __future__ import annotations

import numpy as np
import pytest

from napari_slicewise.inference.request import SliceResult
from napari_slicewise.instances.confidence import object_confidence


def test_the_confidence_is_the_mean_probability_of_an_objects_pixels():
    labels = np.zeros((6, 8), np.uint32)
    labels[1:3, 1:3], labels[4, 4:8] = 1, 3  # no object has the number 2
    foreground = np.full(labels.shape, 0.4, np.float32)
    foreground[1:3, 1], foreground[1:3, 2], foreground[4, 4:8] = 0.5, 1.0, 0.625
    means = object_confidence(labels, foreground)
    assert means.dtype == np.float32
    assert means.tolist() == [0.0, 0.75, 0.0, 0.625]


def test_pixels_without_a_number_count_as_nothing():
    labels = np.ones((1, 4), np.uint32)
    foreground = np.array([[np.nan, 1.0, 1.0, 1.0]])  # a hole that was filled
    assert object_confidence(labels, foreground)[1] == 0.75


@pytest.mark.parametrize("shape", [(1, 1), (5, 7)])
def test_a_slice_without_objects_has_no_confidence(shape):
    assert object_confidence(np.zeros(shape, np.uint32), np.ones(shape)).tolist() == [0.0]


def test_the_confidence_follows_the_numbers_of_the_stack_and_goes_with_what_is_left_out():
    values = np.array([[0, 1, 2, 3]], np.uint32)
    local = SliceResult((4,), values, 0.1, confidence={1: 0.5, 2: 0.75, 3: 1.0})
    numbered = local.numbered(np.array([0, 9, 0, 4], np.uint32), {7: 4})
    assert numbered.values.tolist() == [[0, 9, 0, 4]]
    assert numbered.confidence == {9: 0.5, 4: 1.0}
    assert numbered.renamed == {7: 4}
    assert (numbered.index, numbered.seconds) == ((4,), 0.1)
