"""Predictions are remembered in memory, then on disk, each within its bounds."""

from __future__ import annotations

import contextlib
import os

import numpy as np
import pytest

from napari_slicewise.inference.cache import ActivationCache

SHAPE = (1, 10, 10)
SIZE = 400


def activations(number, shape=SHAPE):
    return np.full(shape, number, np.float32) + np.arange(shape[-1], dtype=np.float32)


@pytest.fixture
def make_cache():
    """Caches that are closed after the test."""
    with contextlib.ExitStack() as opened:
        yield lambda *limits: opened.enter_context(contextlib.closing(ActivationCache(*limits)))


def known(cache, count, shape=SHAPE):
    """Which numbers are remembered; a value that came back changed is an error."""
    found = []
    for number in range(count):
        values = cache.get(number)
        if values is not None:
            np.testing.assert_array_equal(values, activations(number, shape))
            found.append(number)
    return found


def test_what_memory_cannot_hold_goes_to_disk_and_the_oldest_of_all_is_forgotten(
    make_cache, tmp_path
):
    cache = make_cache(2 * SIZE, 3 * SIZE, tmp_path)
    for number in range(7):
        cache.put(number, activations(number))
    assert known(cache, 7) == [2, 3, 4, 5, 6]


def test_what_is_larger_than_the_memory_goes_to_disk_at_once(make_cache, tmp_path):
    cache = make_cache(SIZE - 1, 2 * SIZE, tmp_path)
    cache.put(0, activations(0))
    assert known(cache, 1) == [0]


def test_slices_of_another_size_take_the_place_of_those_on_disk(make_cache, tmp_path):
    cache = make_cache(0, 4 * SIZE, tmp_path)
    cache.put("small", activations(0))
    cache.put(1, activations(1, (1, 20, 20)))
    assert cache.get("small") is None
    assert known(cache, 2, (1, 20, 20)) == [1]


@pytest.mark.skipif(os.name != "posix", reason="a file that is open has a name on Windows")
def test_the_file_has_no_name_so_that_it_goes_with_the_process(make_cache, tmp_path):
    cache = make_cache(0, 4 * SIZE, tmp_path)
    cache.put(0, activations(0))
    assert known(cache, 1) == [0]
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fails_costs_the_memory_of_it_and_nothing_else(make_cache, tmp_path):
    cache = make_cache(SIZE, 4 * SIZE, tmp_path / "not there")
    for number in range(3):
        cache.put(number, activations(number))
    assert known(cache, 3) == [2]
