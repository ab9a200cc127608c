"""Slices to annotate next: least sure, least like the seen ones, and not all alike."""

from __future__ import annotations

import numpy as np

from napari_slicewise.app.learn_proposals import (
    candidates,
    image_features,
    propose,
    uncertainty,
)


def test_a_probability_of_a_half_is_the_least_sure():
    sure = np.zeros((20, 20), np.float32)
    unsure = sure.copy()
    unsure[:10, :10] = 0.5
    assert uncertainty(sure) < 0.01
    assert uncertainty(unsure) > 0.99


def test_a_few_unsure_pixels_count_less_than_many():
    few, many = np.zeros((100, 100)), np.zeros((100, 100))
    few[0, :50] = 0.5
    many[:10] = 0.5
    assert 0.05 < uncertainty(few) < uncertainty(many)


def test_candidates_are_spread_over_the_slices_that_are_not_annotated():
    chosen = candidates([(z,) for z in range(100)], [(0,), (99,)], most=5)
    assert chosen == ((1,), (25,), (49,), (74,), (98,))
    assert candidates([(0,), (1,)], [(0,), (1,)]) == ()


def test_the_least_sure_slice_comes_first_where_all_look_alike():
    features = {(z,): np.zeros(6) for z in range(4)}
    found = propose({(0,): 0.1, (1,): 0.9, (2,): 0.5, (3,): 0.2}, features, [np.zeros(6)])
    assert [proposal.index for proposal in found] == [(1,), (2,), (3,)]
    assert found[0].words == "the model is unsure"


def test_a_slice_unlike_the_seen_ones_comes_first_where_all_are_equally_sure():
    rng = np.random.default_rng(0)
    images = {(z,): rng.integers(0, 50, (1, 32, 32)) for z in range(4)}
    images[(2,)] = images[(2,)] + 200
    features = {index: image_features(image) for index, image in images.items()}
    found = propose(dict.fromkeys(images, 0.5), features, [features[(0,)]])
    assert found[0].index == (2,)
    assert "unlike the others" in found[0].words


def test_two_that_are_alike_are_not_proposed_one_after_the_other():
    features = {(0,): np.zeros(3), (1,): np.full(3, 5.0), (2,): np.full(3, 5.01)}
    found = propose({(0,): 0.6, (1,): 0.9, (2,): 0.89}, features, count=2)
    assert {proposal.index for proposal in found} == {(0,), (1,)}


def test_a_constant_image_and_one_with_nans_have_features_too():
    assert np.isfinite(image_features(np.zeros((2, 8, 8), np.uint8))).all()
    assert np.isfinite(image_features(np.full((1, 8, 8), np.nan))).all()
