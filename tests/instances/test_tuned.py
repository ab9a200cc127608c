"""One slice, asked for again and again: the objects are those of a single asking."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi

from napari_slicewise.instances.landscape import number_plateaus
from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.instances.split import label_objects
from napari_slicewise.instances.tuned import TunedObjects


def slice_of(seed, shape=(61, 83), levels=None):
    """Clumps of probability with ripples in them, and a landscape; of few levels, with plateaus."""
    rng = np.random.default_rng(seed)
    foreground = ndi.gaussian_filter(rng.normal(size=shape), 3)
    foreground = (foreground - foreground.min()) / (np.ptp(foreground) or 1.0)
    distance = ndi.gaussian_filter(rng.normal(size=shape), 2)
    distance /= distance.max()
    if levels is not None:
        foreground, distance = (np.round(a * levels) / levels for a in (foreground, distance))
    return foreground.astype(np.float32), distance.astype(np.float32)


OPTIONS = st.builds(
    ObjectOptions,
    threshold=st.sampled_from([0.0, 0.3, 0.45, 0.6, 1.0]),
    split=st.booleans(),
    split_strength=st.sampled_from([0.0, 0.2, 0.5, 1.0]),
    smallest=st.sampled_from([0, 1, 30]),
    largest=st.sampled_from([None, 40, 500]),
    core_threshold=st.sampled_from([None, 0.7]),
    smoothing=st.sampled_from([0.0, 1.5]),
    holes=st.sampled_from([0, 12]),
    border=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 50),
    levels=st.sampled_from([None, 4]),
    euclidean=st.booleans(),
    asked=st.lists(OPTIONS, min_size=2, max_size=5),
)
def test_each_asking_gives_what_a_single_one_gives(seed, levels, euclidean, asked):
    foreground, distance = slice_of(seed, levels=levels)
    landscape = None if euclidean else distance
    tuned = TunedObjects(foreground, landscape)
    for options in asked:
        expected = label_objects(foreground, landscape, options)
        np.testing.assert_array_equal(tuned.labels(options), expected)


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (4, 4), (64, 5), (65, 200), (130, 7)])
def test_slices_of_any_size_are_shaped(shape):
    foreground, distance = slice_of(3, shape)
    tuned = TunedObjects(foreground, distance)
    for threshold in (0.2, 0.5, 0.2):
        options = ObjectOptions(threshold=threshold, smallest=1)
        expected = label_objects(foreground, distance, options)
        np.testing.assert_array_equal(tuned.labels(options), expected)


def test_nothing_is_found_where_there_is_nothing_and_the_next_setting_finds_it():
    foreground, distance = slice_of(1)
    tuned = TunedObjects(foreground, distance)
    none = ObjectOptions(threshold=1.0, smallest=5)
    assert not tuned.labels(none).any()
    some = replace(none, threshold=0.4)
    np.testing.assert_array_equal(tuned.labels(some), label_objects(foreground, distance, some))


def test_pixels_that_touch_by_a_corner_are_one_plateau_and_rows_do_not_wrap():
    picture = np.zeros((4, 5), bool)
    picture[0, 4] = picture[1, 0] = True  # neighbours in memory only
    picture[2, 2] = picture[3, 3] = True
    positions = np.flatnonzero(picture)
    numbers, count = number_plateaus(positions, 5)
    assert count == 3
    assert numbers.tolist() == [1, 2, 3, 3]
