"""Objects of a movie: followed further than they overlap, over gaps, and through divisions."""

from __future__ import annotations

import numpy as np
import pytest

from napari_slicewise.errors import RequestError
from napari_slicewise.instances import tracking
from napari_slicewise.instances.options import ImageGrid, ObjectOptions
from napari_slicewise.instances.stack_numbers import StackNumbers
from napari_slicewise.instances.tracking import find_spots

MOVIE = ImageGrid("t", 8)


def frame(*discs, shape=(60, 120), radius=5):
    """Discs at rows and columns, numbered in the order of their first pixels."""
    y, x = np.indices(shape)
    labels = np.zeros(shape, np.uint32)
    for number, (row, column) in enumerate(sorted(discs), start=1):
        labels[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = number
    return labels


def followed(frames, track=True, outer=(), **options):
    options = ObjectOptions(track=track, **options).settled(MOVIE)
    slices = {(*outer, t): labels for t, labels in enumerate(frames)}
    stack = StackNumbers(slices, options)
    for index in np.random.default_rng(0).permutation(len(frames)):
        stack.add((*outer, int(index)), slices[*outer, int(index)])
    tables, parents = stack.numbers()
    return [tables[index][slices[index]] for index in sorted(slices)], parents


@pytest.fixture(autouse=True)
def _library():
    pytest.importorskip("laptrack")


def test_cells_that_move_by_most_of_their_width_keep_their_numbers():
    """Of a step of eight pixels, ten wide discs share next to nothing."""
    frames = [frame((15, 10 + 8 * t), (45, 100 - 8 * t)) for t in range(8)]
    found, parents = followed(frames)
    for t, labels in enumerate(found):
        assert (labels[15, 10 + 8 * t], labels[45, 100 - 8 * t]) == (1, 2)
    assert parents == {}
    by_overlap, _ = followed(frames, track=False)
    assert max(labels.max() for labels in by_overlap) > 2


def test_a_cell_that_divides_has_two_daughters_with_numbers_of_their_own():
    frames = [frame((30, 30), (30, 90)) for _ in range(3)]
    frames += [frame((30, 24 - 2 * t), (30, 36 + 2 * t), (30, 90)) for t in range(3)]
    found, parents = followed(frames)
    mother, daughters = found[0][30, 30], [found[-1][30, 20], found[-1][30, 40]]
    assert len({mother, *daughters}) == 3
    assert parents == dict.fromkeys(map(int, daughters), int(mother))
    assert {int(labels[30, 90]) for labels in found} == {int(found[0][30, 90])}
    assert not any((labels == mother).any() for labels in found[3:])


@pytest.mark.parametrize(("gap", "same"), [(0, False), (1, True), (2, True)])
def test_a_cell_that_is_missing_in_a_frame_keeps_its_number(gap, same):
    frames = [frame((15, 20 + 3 * t), *([(45, 20 + 3 * t)] if t != 3 else [])) for t in range(7)]
    found, _ = followed(frames, gap=gap)
    assert (found[2][45, 26] == found[4][45, 32]) == same
    assert len({int(labels[15, 20 + 3 * t]) for t, labels in enumerate(found)}) == 1


def test_each_movie_of_several_is_followed_by_itself():
    one = [frame((15, 20 + 6 * t)) for t in range(4)]
    options = ObjectOptions(track=True).settled(MOVIE)
    slices = {(p, t): labels for p in range(2) for t, labels in enumerate(one)}
    stack = StackNumbers(slices, options)
    for index, labels in slices.items():
        stack.add(index, labels)
    tables, _ = stack.numbers()
    assert [int(tables[0, t][1]) for t in range(4)] == [1] * 4
    assert [int(tables[1, t][1]) for t in range(4)] == [2] * 4


@pytest.mark.parametrize("frames", [[frame()], [frame(), frame()], [frame((9, 9)), frame()]])
def test_empty_frames_and_single_ones_are_no_trouble(frames):
    found, parents = followed(frames)
    assert parents == {}
    assert [int(labels.max()) for labels in found] == [int(labels.max()) for labels in frames]


def test_cells_of_few_frames_are_left_out_with_their_daughters():
    frames = [frame((30, 30)), frame((30, 30), (9, 90)), frame((30, 30)), frame((30, 30))]
    found, _ = followed(frames, least_slices=2)
    assert [np.unique(labels).tolist() for labels in found] == [[0, 1]] * 4


def test_spots_are_centres_and_areas():
    labels = np.zeros((9, 9), np.uint32)
    labels[1:4, 2:7], labels[8, 8] = 1, 2
    assert find_spots(labels).tolist() == [[2.0, 4.0, 15.0], [8.0, 8.0, 1.0]]
    assert find_spots(np.zeros((4, 4), np.uint32)).shape == (0, 3)


@pytest.mark.parametrize(
    ("options", "grid"),
    [({}, ImageGrid("z", 9)), ({"link": False}, MOVIE), ({}, ImageGrid("c", 3))],
)
def test_only_linked_objects_of_movies_are_tracked(options, grid):
    with pytest.raises(RequestError, match="movie"):
        ObjectOptions(track=True, **options).settled(grid)


def test_without_the_library_the_user_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(tracking, "find_spec", lambda _name: None)
    with pytest.raises(RequestError, match=r"napari-slicewise\[tracking\]"):
        ObjectOptions(track=True).settled(MOVIE)
