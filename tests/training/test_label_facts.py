"""What kind of labels these are, and whether anything can be learned from them."""

import numpy as np
import pytest
from support.labelled_discs import discs

from napari_slicewise.errors import ImageError, RequestError
from napari_slicewise.training.label_facts import choose_output, survey
from napari_slicewise.training.pieces import cut_pieces
from napari_slicewise.training.request import Annotation


def facts(labels, known=None):
    labels = np.asarray(labels)
    return survey(cut_pieces(Annotation("a", np.zeros(labels.shape), labels, known)))


def classes():
    labels = np.zeros((60, 60), int)
    for number, (y, x) in enumerate(np.ndindex(5, 5)):
        labels[12 * y : 12 * y + 8, 12 * x : 12 * x + 8] = 1 + number % 2
    return labels


@pytest.mark.parametrize(
    ("labels", "output"),
    [
        (discs(count=8)[1], "foreground_distance"),
        ((discs(count=8)[1] > 0) * 255, "foreground"),
        (classes(), "classes"),
    ],
)
def test_labels_say_what_the_network_is_to_answer(labels, output):
    assert choose_output("auto", None, facts(labels)) == output


def test_strokes_are_learned_as_foreground_and_what_was_asked_for_counts():
    labels = discs(count=8)[1]
    known = np.zeros(labels.shape, bool)
    known[::7] = True
    sparse = facts(labels, known)
    assert not sparse.complete
    assert choose_output("auto", None, sparse) == "foreground"
    assert choose_output("boundary", None, facts(labels)) == "foreground_boundary"
    assert choose_output("auto", "foreground_distance", sparse) == "foreground_distance"


def test_objects_of_which_no_edge_is_known_give_no_distances():
    labels = discs(count=8)[1]
    known = np.zeros(labels.shape, bool)
    known[::7] = True
    with pytest.raises(RequestError, match="No object is painted with all of its edge"):
        choose_output("distance", None, facts(labels, known))


def test_numbers_of_objects_are_no_classes():
    with pytest.raises(RequestError, match=r"8 different numbers.*objects, not classes"):
        choose_output("classes", None, facts(discs(count=8, side=200)[1]))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros((20, 20), int), "All labels are background"),
        (np.full((20, 20), 3), "one class only"),
    ],
)
def test_labels_of_one_kind_teach_nothing(labels, words):
    with pytest.raises(RequestError, match=words):
        facts(labels)


def test_negative_labels_are_refused():
    labels = np.zeros((20, 20), int)
    labels[3, 3] = -1
    with pytest.raises(ImageError, match=r"negative labels \(-1\)"):
        facts(labels)


def test_nothing_known_is_nothing_to_learn_from():
    labels = discs()[1]
    assert cut_pieces(Annotation("a", labels, labels, np.zeros(labels.shape, bool))) == ()


def test_large_slices_are_cut_and_pieces_cover_each_pixel_once():
    labels = np.zeros((1600, 3100), np.uint8)
    covered = np.zeros(labels.shape, int)
    for piece in cut_pieces(Annotation("a", labels, labels)):
        top, left, bottom, right = piece.window
        covered[top:bottom, left:right] += 1
        assert max(bottom - top, right - left) <= 1536
    assert (covered == 1).all()
