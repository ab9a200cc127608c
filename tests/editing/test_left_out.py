"""What a run leaves out because it is in too few slices can be brought back."""

from __future__ import annotations

import numpy as np
import pytest
from support.edit_sessions import SHAPE, blank, stroke

from napari_slicewise.editing.errors import EditError
from napari_slicewise.editing.least_depth import ObjectDepths
from napari_slicewise.editing.locks import Locks


def stack():
    """Object 1 on all four slices; 2 and 3 on the second one only."""
    values = np.zeros(SHAPE, np.uint32)
    values[:, 2:6, 2:6] = 1
    values[1, 2:6, 12:16] = 2
    values[1, 12:16, 2:6] = 3
    return values


@pytest.fixture
def session():
    """A session after a run that asked for objects in two slices or more."""
    session, depths = blank(), ObjectDepths()
    for z, plane in enumerate(stack()):
        session.merge((z,), plane)
        depths.add((z,), plane, {})
    for _ in depths.take_out(session, 2):
        pass
    assert np.unique(session.labels.data).tolist() == [0, 1]
    return session


def back(session, *numbers):
    left_out = session.ownership.left_out
    return left_out.brought_back(session.labels, session.locks, numbers or None)


def test_all_come_back_in_one_step_and_undo_takes_them_out(session):
    assert session.ownership.left_out.numbers == [2, 3]
    edit = back(session)
    assert edit.words == "brought 2 objects back"
    session.apply(edit)
    np.testing.assert_array_equal(session.labels.data, stack())
    session.undo()
    assert np.unique(session.labels.data).tolist() == [0, 1]


def test_one_comes_back_by_the_place_where_it_was(session):
    number = session.ownership.left_out.at((1,), 13, 3)
    session.apply(back(session, number))
    assert (session.labels.data[1, 12:16, 2:6] == 3).all()
    assert not session.labels.data[1, 2:6, 12:16].any()
    assert session.ownership.left_out.at((0,), 13, 3) == 0


def test_what_came_back_stays_through_the_next_run(session):
    session.apply(back(session, 2))
    session.begin_run()
    for z, plane in enumerate(np.where(stack() == 1, 1, 0).astype(np.uint32)):
        session.merge((z,), plane)
    assert (session.labels.data[1, 2:6, 12:16] == 2).all()
    assert session.ownership.left_out.numbers == []


def test_strokes_and_locked_slices_are_not_drawn_over(session):
    stroke(session, 1, slice(2, 4), slice(12, 16), 40)
    session.apply(back(session))
    assert (session.labels.data[1, 2:4, 12:16] == 40).all()
    assert (session.labels.data[1, 4:6, 12:16] == 2).all()
    session.undo()
    session.set_locks(Locks(done={(1,)}))
    with pytest.raises(EditError, match="locked"):
        back(session)
