"""Objects are split where the human says, and the larger part keeps its number."""

from __future__ import annotations

import numpy as np
import pytest
from support.drawn_labels import work_on

from napari_slicewise.editing.errors import EditError
from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.tools_split import split_by_line, split_by_seeds
from napari_slicewise.editing.workpiece import Workpiece
from napari_slicewise.io.source import ArraySource


def test_a_line_splits_an_object_and_the_larger_part_keeps_the_number():
    work = work_on("......\n.1111.\n.1111.\n......\n.22...")
    edit = split_by_line(work, (0,), [(0, 3), (3, 3)])
    assert edit.words == "split object 1 by a line, 1 new object on 1 slice"
    edit.apply(work.labels.data)
    values = work.labels.data[0]
    assert (values[1:3, 1:3] == 1).all()
    assert (values[1:3, 4] == 3).all()
    assert (values[4, 1:3] == 2).all()
    assert np.count_nonzero(values) == 10  # the cut went to one of the parts


def test_no_path_over_corners_slips_through_a_diagonal_line():
    values = np.zeros((1, 12, 12), np.uint32)
    values[0, 1:11, 1:11] = 1
    work = Workpiece(ArraySource(values))
    split_by_line(work, (0,), [(0, 0), (11, 11)]).apply(values)
    assert np.unique(values).tolist() == [0, 1, 2]
    assert values[0, 2, 9] != values[0, 9, 2]


def test_a_line_that_ends_inside_cuts_nothing():
    work = work_on(".....\n.111.\n.111.\n.111.\n.....")
    with pytest.raises(EditError, match="background to background"):
        split_by_line(work, (0,), [(0, 2), (2, 2)])
    with pytest.raises(EditError, match="no object on the line"):
        split_by_line(work, (0,), [(0, 0), (0, 4)])
    locked = work_on(".....\n.111.\n.....", Locks(objects={1}))
    with pytest.raises(EditError, match="locked"):
        split_by_line(locked, (0,), [(0, 2), (2, 2)])


def test_a_line_splits_on_all_chosen_slices_with_the_same_numbers():
    plane = ".......\n.11111.\n......."
    work = work_on(f"{plane}\n\n{plane}\n\n{plane}")
    edit = split_by_line(work, (1,), [(0, 4), (2, 4)], 1, [(0,), (1,), (2,)])
    assert edit.words.endswith("on 3 slices")
    edit.apply(work.labels.data)
    values = work.labels.data[:, 1]
    assert (values == values[0]).all()
    assert values[0, [1, 2, 3]].tolist() == [1, 1, 1]
    assert values[0, 5] == 2


def two_balls(size: int = 40) -> np.ndarray:
    z, y, x = np.ogrid[:20, :20, :size]
    one = (z - 10) ** 2 + (y - 10) ** 2 + (x - 12) ** 2 <= 64
    other = (z - 10) ** 2 + (y - 10) ** 2 + (x - 25) ** 2 <= 49
    return (one | other).astype(np.uint32)


def test_seeds_split_two_touching_balls_in_3d_at_their_waist():
    values = two_balls()
    work = Workpiece(ArraySource(values))
    seeds = [((10,), (10, 12)), ((10,), (10, 25))]
    edit = split_by_seeds(work, 1, seeds)
    edit.apply(values)
    x = np.arange(40)
    assert set(x[(values == 1).any(axis=(0, 1))]) >= set(range(4, 18))
    assert set(x[(values == 2).any(axis=(0, 1))]) >= set(range(21, 33))
    assert not (values[:, :, :17] == 2).any()
    assert not (values[:, :, 21:] == 1).any()
    np.testing.assert_array_equal(values > 0, two_balls() > 0)


def test_seeds_split_in_one_slice_and_need_to_lie_in_the_object():
    values = two_balls()
    work = Workpiece(ArraySource(values))
    seeds = [((10,), (10, 12)), ((10,), (10, 25))]
    edit = split_by_seeds(work, 1, seeds, [(10,)])
    assert edit.slices(work.labels) == {(10,)}
    with pytest.raises(EditError, match="fewer than two"):
        split_by_seeds(work, 1, [seeds[0], seeds[0], ((0,), (0, 0))])
