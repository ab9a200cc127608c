"""Objects keep their numbers while a slider takes them away and brings them back."""

from __future__ import annotations

import numpy as np
from support.edit_sessions import SHAPE, blank, stroke

from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.tuned_slice import TunedSlice


def squares(*corners, side=4):
    """Objects numbered in the order of their corners."""
    values = np.zeros(SHAPE[1:], np.uint32)
    for number, (row, column) in enumerate(corners, 1):
        values[row : row + side, column : column + side] = number
    return values


LEFT, RIGHT, BELOW = (2, 2), (2, 12), (12, 2)


def test_an_object_that_vanishes_has_its_number_when_it_comes_back():
    session = blank()
    session.merge((0,), squares(LEFT, RIGHT))
    tuned = TunedSlice(session, (0,))
    tuned.write(squares(RIGHT))
    assert np.unique(session.labels.data[0]).tolist() == [0, 2]
    tuned.write(squares(RIGHT, LEFT))
    np.testing.assert_array_equal(session.labels.data[0], squares(LEFT, RIGHT))


def test_an_object_that_was_first_seen_in_between_has_one_number_too():
    session = blank()
    session.merge((0,), squares(LEFT))
    tuned = TunedSlice(session, (0,))
    tuned.write(squares(LEFT, BELOW))
    number = int(session.labels.data[0][13, 3])
    assert number not in (0, 1)
    tuned.write(squares(LEFT))
    tuned.write(squares(BELOW, LEFT))
    assert int(session.labels.data[0][13, 3]) == number
    assert session.next_free == number + 1


def test_the_same_setting_gives_the_same_numbers_wherever_the_slider_was():
    session = blank()
    session.merge((0,), squares(LEFT, RIGHT))
    tuned = TunedSlice(session, (0,))
    whole = np.zeros(SHAPE[1:], np.uint32)
    whole[2:6, 2:16] = 1
    tuned.write(squares(LEFT, RIGHT))
    before = session.labels.data[0].copy()
    tuned.write(whole)
    tuned.write(squares(RIGHT, LEFT))
    np.testing.assert_array_equal(session.labels.data[0], before)


def test_strokes_and_locks_hold_while_a_slider_is_dragged():
    session = blank()
    session.merge((0,), squares(LEFT, RIGHT))
    stroke(session, 0, slice(15, 18), slice(15, 18), 40)
    session.set_locks(Locks(objects={1}))
    tuned = TunedSlice(session, (0,))
    for values in (squares(RIGHT), squares(BELOW), squares()):
        tuned.write(values)
        assert (session.labels.data[0, 15:18, 15:18] == 40).all()
        assert (session.labels.data[0, 2:6, 2:6] == 1).all()
    assert not session.labels.data[0, 2:6, 12:16].any()
