"""What is asked for, and what slices are given: impossible ones are refused in words."""

import pickle

import numpy as np
import pytest
from support.labelled_discs import annotated

from napari_slicewise.errors import ImageError, RequestError
from napari_slicewise.training.request import Annotation, LearnRequest


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("head", "circles", "no head 'circles'"),
        ("minutes", 0.0, "above 0 minutes"),
        ("minutes", float("nan"), "above 0 minutes"),
        ("steps", 0, "one step or more"),
        ("first_filters", 0, "1 to 128"),
        ("first_filters", 4096, "1 to 128"),
        ("patch", 100, "multiple of 16"),
        ("patch", 1_000_000, "too large"),
        ("batch", 0, "one patch or more"),
        ("batch", 10**9, "too large"),
        ("seed", -1, "0 or more"),
        ("learning_rate", -1.0, "between 0 and 1"),
        ("memory_mb", 1, "16 MiB"),
    ],
)
def test_impossible_requests_are_refused(option, value, words):
    with pytest.raises(RequestError, match=words):
        LearnRequest(**{option: value})


@pytest.mark.parametrize(
    ("image", "labels", "words"),
    [
        (np.zeros((4, 4)), np.zeros((4, 5), int), "4 x 4 pixels, its labels 4 x 5"),
        (np.zeros((5, 4)), np.zeros((4, 5), int), "axes in another order"),
        (np.zeros(4), np.zeros(4, int), r"\(y, x\) or \(channel, y, x\)"),
        (np.zeros((9, 2, 4, 4)), np.zeros((4, 4), int), "one by one"),
        (np.zeros((4, 4)), np.zeros((4, 4)), "whole numbers, not float64"),
        (np.zeros((4, 4), complex), np.zeros((4, 4), int), "type complex128"),
        (np.zeros((0, 4)), np.zeros((0, 4), int), "empty"),
    ],
)
def test_contradicting_slices_are_refused(image, labels, words):
    with pytest.raises(ImageError, match=words):
        Annotation("bad", image, labels)


def test_map_of_what_is_known_has_the_labels_shape():
    with pytest.raises(ImageError, match="map of what is known 2 x 2"):
        Annotation("bad", np.zeros((4, 4)), np.zeros((4, 4), int), np.ones((2, 2), bool))


def test_slices_travel_between_processes():
    one = annotated("a", known=np.ones((96, 96), bool))
    other = pickle.loads(pickle.dumps(one))
    assert other.name == "a"
    assert np.array_equal(other.labels, one.labels)
    assert one != other  # arrays have no equality; slices are known by their names
