"""Scores, known for drawn objects and held against the definitions."""

import itertools

import numpy as np
import pytest
from skimage.metrics import adapted_rand_error as skimage_rand_error

from napari_slicewise.errors import ImageError
from napari_slicewise.evaluation.membranes import score_membranes, thin_to_cells
from napari_slicewise.evaluation.scores import (
    adapted_rand_error,
    dice,
    foreground_iou,
    match_objects,
    overlaps,
    pixel_error,
    pool_matchings,
)


def squares(*places, side=10, shape=(60, 60)):
    labels = np.zeros(shape, np.int32)
    for number, (y, x) in enumerate(places, start=1):
        labels[y : y + side, x : x + side] = number
    return labels


TRUTH = squares((0, 0), (20, 20), (40, 40))


def test_masks_have_their_scores_by_hand():
    found = squares((0, 0), (20, 25))
    # 150 pixels in both, 300 true, 200 found.
    assert foreground_iou(found, TRUTH) == pytest.approx(150 / 350)
    assert dice(found, TRUTH) == pytest.approx(300 / 500)
    assert pixel_error(found, TRUTH) == pytest.approx(200 / 3600)
    empty = np.zeros((3, 3), int)
    assert (foreground_iou(empty, empty), dice(empty, empty)) == (1.0, 1.0)


def test_objects_have_their_scores_by_hand():
    found = squares((0, 0), (20, 22), (0, 40))  # the second overlaps with an IoU of 80 / 120
    half, strict = match_objects(found, TRUTH, (0.5, 0.75))
    assert (half.hits, half.false, half.missed) == (2, 1, 1)
    assert half.overlap == pytest.approx(1 + 80 / 120)
    assert half.average_precision == pytest.approx(0.5)
    assert half.f1 == pytest.approx(4 / 6)
    assert half.panoptic_quality == pytest.approx((1 + 80 / 120) / 3)
    assert (strict.hits, strict.false, strict.missed) == (1, 2, 2)


def test_an_iou_of_exactly_the_threshold_counts():
    found = TRUTH.copy()
    found[5:10, :10] = 0
    assert match_objects(found, TRUTH, (0.5,))[0].hits == 3


def test_below_half_each_object_has_one_partner_and_as_many_as_possible_have_one():
    truth = np.array([[1] * 6 + [2] * 6])
    found = np.array([[1, 1, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3]])
    # Object 2 overlaps with both; were it the partner of the first, the second had 3.
    matching = match_objects(found, truth, (0.3,))[0]
    assert (matching.hits, matching.false, matching.missed) == (2, 1, 0)
    assert matching.overlap == pytest.approx(4 / 9 + 3 / 6)


def test_nothing_found_and_nothing_there_is_right():
    empty = np.zeros((4, 4), int)
    assert match_objects(empty, empty)[0].average_precision == 1.0
    assert match_objects(empty, TRUTH[:4, :4])[0].average_precision == 0.0
    assert match_objects(empty, TRUTH[:4, :4])[0].panoptic_quality == 0.0


def test_numbers_may_be_any_and_overlaps_count_every_pixel():
    renumbered = np.array([0, 900, 7, -3])[TRUTH]
    assert all(m.average_precision == 1.0 for m in match_objects(renumbered, TRUTH))
    table = overlaps(renumbered, TRUTH).toarray()
    assert table.sum() == TRUTH.size
    assert sorted(table[1:, 1:].ravel().tolist()) == [0] * 6 + [100] * 3


def test_images_are_pooled_by_their_objects():
    one = match_objects(TRUTH, TRUTH, (0.5,))
    none = match_objects(np.zeros_like(TRUTH), TRUTH, (0.5,))
    (both,) = pool_matchings([one, none])
    assert (both.hits, both.missed, both.average_precision) == (3, 3, 0.5)


def by_definition(found, truth, *, singletons):
    """Adapted Rand error by counting every pair of pixels."""
    pixels = [(t, f) for t, f in zip(truth.ravel(), found.ravel(), strict=True) if t > 0]
    in_truth = in_found = both = 0
    for (t1, f1), (t2, f2) in itertools.combinations(pixels, 2):
        together = f1 == f2 and (f1 != 0 or not singletons)
        in_truth += t1 == t2
        in_found += together
        both += together and t1 == t2
    return 1 - 2 * both / (in_truth + in_found)


@pytest.mark.parametrize("singletons", [False, True])
def test_rand_error_is_that_of_all_pairs_of_pixels(singletons):
    rng = np.random.default_rng(0)
    for _ in range(5):
        truth, found = rng.integers(0, 4, (2, 9, 9))
        assert adapted_rand_error(found, truth, singletons=singletons) == pytest.approx(
            by_definition(found, truth, singletons=singletons)
        )


def test_rand_error_agrees_with_scikit_image():
    rng = np.random.default_rng(1)
    truth, found = rng.integers(0, 6, (2, 40, 40))
    assert adapted_rand_error(found, truth) == pytest.approx(skimage_rand_error(truth, found)[0])
    assert adapted_rand_error(TRUTH, TRUTH) == 0.0
    assert adapted_rand_error(TRUTH, np.zeros_like(TRUTH)) == 0.0


def test_arrays_of_other_shapes_are_refused():
    for score in (foreground_iou, dice, pixel_error, match_objects, adapted_rand_error):
        with pytest.raises(ImageError, match="shape"):
            score(TRUTH, TRUTH[:-1])


def test_membranes_of_any_width_are_the_same_and_a_gap_merges_two_cells():
    thin, thick = np.ones((2, 64, 64), bool)
    thin[31:33] = thick[29:35] = False
    assert thin_to_cells(thin).max() == thin_to_cells(thick).max() == 2
    score = score_membranes(thick, thin)
    assert score.rand_error < 0.02
    assert score.pixel_error == pytest.approx(4 / 64)
    broken = thin.copy()
    broken[:, 30:40] = True
    assert score_membranes(broken, thin).rand_error > 0.3


def test_probabilities_are_scored_at_the_best_threshold():
    truth = np.ones((64, 64), bool)
    truth[30:34] = False
    probability = np.where(truth, 0.95, 0.75)
    probability[0, 0] = 0.99  # three values: no mask
    score = score_membranes(probability, truth)
    assert score.threshold == pytest.approx(0.8)
    assert score.pixel_error == 0.0
    assert score_membranes(probability, truth, (0.5,)).rand_error > 0.3
