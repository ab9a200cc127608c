"""What a human did stays, through runs, and the machine's objects keep their numbers."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from napari_slicewise.editing.compact import CompactSlices
from napari_slicewise.editing.edits import Edit
from napari_slicewise.editing.errors import EditError, WideningError, widened
from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.restoring import locked_part
from napari_slicewise.editing.session import EditSession
from napari_slicewise.io.source import ArraySource


def row(*values: int) -> np.ndarray:
    return np.array([values], np.uint32)


def session_of(columns: int, slices: int = 3, dtype: type = np.uint32) -> EditSession:
    return EditSession(ArraySource(np.zeros((slices, 1, columns), dtype)))


def run(session: EditSession, *slices: np.ndarray) -> list[list[int]]:
    """Run over the first slices; returns what the labels hold there afterwards."""
    session.begin_run()
    for z, values in enumerate(slices):
        session.merge((z,), values)
    return [session.labels.data[z, 0].tolist() for z in range(len(slices))]


def stroke(z: int, columns: slice, session: EditSession, number: int) -> Edit:
    box = (slice(z, z + 1), slice(0, 1), columns)
    return Edit.of_box(box, None, session.labels.data[box], number)


def test_an_object_erased_by_hand_does_not_come_back_on_the_third_run():
    session = session_of(6)
    assert run(session, row(0, 1, 1, 0, 2, 2)) == [[0, 1, 1, 0, 2, 2]]
    session.labels.data[0, 0, 1:3] = 0  # a stroke that nobody reported
    assert run(session, row(0, 0, 0, 0, 1, 1)) == [[0, 0, 0, 0, 2, 2]]
    assert run(session, row(0, 1, 1, 0, 2, 2)) == [[0, 0, 0, 0, 2, 2]]
    assert session.edited((0,)).tolist() == [[False, True, True, False, False, False]]


def test_objects_of_a_new_run_keep_the_numbers_of_those_they_lie_on():
    session = session_of(8, 2)
    run(session, row(1, 1, 1, 0, 2, 2, 2, 0), row(1, 1, 1, 0, 2, 2, 2, 0))
    got = run(session, row(2, 2, 0, 0, 1, 1, 1, 3), row(2, 2, 2, 2, 0, 1, 1, 0))
    assert got == [[1, 1, 0, 0, 2, 2, 2, 3], [1, 1, 1, 1, 0, 2, 2, 0]]


def test_of_two_new_pieces_of_an_old_object_the_larger_keeps_its_number():
    session = session_of(8, 1)
    run(session, row(1, 1, 1, 1, 1, 1, 1, 1))
    assert run(session, row(1, 1, 0, 2, 2, 2, 2, 2)) == [[2, 2, 0, 1, 1, 1, 1, 1]]


def test_a_new_object_that_meets_its_old_self_on_a_later_slice_takes_its_number():
    session = session_of(4, 3)
    run(session, row(5, 5, 0, 0), row(0, 0, 7, 7), row(0, 0, 7, 7))
    # The first slice shows nothing of object 7; only the second tells who object 1 is.
    got = run(session, row(0, 0, 1, 1), row(0, 0, 1, 1), row(0, 0, 1, 1))
    assert got == [[0, 0, 7, 7]] * 3


def test_an_object_that_was_not_there_before_gets_a_number_that_nobody_had():
    session = session_of(6, 1)
    run(session, row(1, 1, 0, 0, 0, 0))
    session.apply(stroke(0, slice(5, 6), session, 2))
    assert run(session, row(0, 0, 0, 1, 1, 0)) == [[0, 0, 0, 3, 3, 2]]


def test_a_locked_object_keeps_number_and_shape_and_gets_no_rim():
    session = session_of(8, 1)
    run(session, row(0, 1, 1, 1, 0, 2, 2, 0))
    session.set_locks(Locks(objects={1}))
    # The object found again one pixel larger, and another one that grows into its place.
    assert run(session, row(1, 1, 1, 1, 1, 0, 2, 2)) == [[0, 1, 1, 1, 0, 0, 2, 2]]
    assert run(session, row(0, 0, 0, 1, 1, 1, 1, 1)) == [[0, 1, 1, 1, 2, 2, 2, 2]]
    session.set_locks(Locks())
    assert run(session, row(0, 0, 0, 0, 0, 0, 1, 1))[0][:4] == [0, 0, 0, 0]


def test_a_slice_that_is_done_stays_as_it_is_until_it_is_unlocked():
    session = session_of(3, 2)
    run(session, row(1, 1, 0), row(1, 1, 0))
    session.set_locks(Locks(done={(0,)}))
    assert run(session, row(0, 4, 4), row(0, 4, 4)) == [[1, 1, 0], [0, 1, 1]]
    session.set_locks(Locks())
    assert run(session, row(0, 4, 4), row(0, 4, 4)) == [[0, 1, 1], [0, 1, 1]]


def test_undo_after_a_run_shows_the_new_labels_and_redo_the_stroke():
    session = session_of(4, 1)
    run(session, row(1, 1, 0, 0))
    session.apply(stroke(0, slice(0, 4), session, 9))
    assert run(session, row(0, 1, 1, 0)) == [[9, 9, 9, 9]]
    session.undo()
    assert session.labels.data[0, 0].tolist() == [0, 1, 1, 0]
    assert not session.edited((0,)).any()
    session.redo()
    assert session.labels.data[0, 0].tolist() == [9, 9, 9, 9]
    assert session.edited((0,)).all()
    assert session.redo() is None


def test_undo_gives_a_stroke_under_a_stroke_back():
    session = session_of(3, 1)
    session.apply(stroke(0, slice(0, 2), session, 8))
    session.apply(stroke(0, slice(1, 3), session, 9))
    run(session, row(1, 1, 1))
    session.undo()
    assert session.labels.data[0, 0].tolist() == [8, 8, 1]
    session.undo()
    assert session.labels.data[0, 0].tolist() == [1, 1, 1]
    assert session.undo() is None


def test_the_machines_version_comes_back_for_a_box_an_object_or_a_slice():
    session = session_of(6, 1)
    run(session, row(1, 1, 0, 2, 2, 0))
    for columns in (slice(0, 1), slice(3, 5)):
        session.apply(stroke(0, columns, session, 0))
    edit = session.restore([(0,)], number=2)
    assert edit.words == "restored 1 slice"
    session.apply(edit)
    assert session.labels.data[0, 0].tolist() == [0, 1, 0, 2, 2, 0]
    assert session.edited((0,)).sum() == 1
    session.undo()
    assert session.labels.data[0, 0].tolist() == [0, 1, 0, 0, 0, 0]
    assert session.edited((0,)).sum() == 3
    with pytest.raises(EditError, match="Nothing was changed"):
        session.restore([(0,)], box=(slice(0, 1), slice(1, 3)))
    session.set_locks(Locks(slices={(0,)}))
    with pytest.raises(EditError, match="locked"):
        session.restore([(0,)])


def test_a_number_beyond_the_type_asks_for_wider_labels_and_writes_nothing():
    session = session_of(2, 2, np.uint8)
    session.labels.data[1, 0, 0] = 255
    session.merge((1,), row(0, 0))
    with pytest.raises(WideningError) as caught:
        session.merge((0,), row(0, 255))  # 255 is the human's, so it would be 256
    assert caught.value.needed == np.uint32
    assert not session.labels.data[0].any()
    wide = widened(session.labels.data)
    session.use(ArraySource(wide))
    session.merge((0,), row(0, 255))
    assert wide[:, 0].tolist() == [[0, 256], [255, 0]]


def test_an_edit_beyond_the_type_is_refused():
    session = session_of(2, 1, np.uint8)
    with pytest.raises(WideningError):
        session.apply(stroke(0, slice(0, 2), session, 256))
    assert not session.labels.data.any()


def test_strokes_of_the_history_follow_an_object_that_gets_another_number():
    session = session_of(3, 1)
    session.merge((0,), row(1, 2, 0))
    session.apply(stroke(0, slice(2, 3), session, 2))
    session.apply(stroke(0, slice(1, 2), session, 0))
    session.rename({2: 1})
    assert session.labels.data[0, 0].tolist() == [1, 0, 1]
    session.undo()
    assert session.labels.data[0, 0].tolist() == [1, 1, 1]
    session.undo()
    assert session.labels.data[0, 0].tolist() == [1, 1, 0]


def test_a_machine_number_is_never_given_to_two_objects():
    session = session_of(3, 2)
    session.labels.data[0, 0, 0] = 1
    session.merge((0,), row(0, 1, 2))  # its 1 becomes 3
    session.merge((1,), row(0, 1, 3))  # so its 3 cannot be 3
    assert session.labels.data[1, 0].tolist() == [0, 3, 4]


def test_it_all_holds_on_zarr_with_a_rolled_plane():
    store = zarr.create_array({}, shape=(4, 3, 5), dtype="uint32", chunks=(1, 3, 5), fill_value=0)
    session = EditSession(ArraySource(store, plane=(2, 0)))  # 5 rows, 4 columns, 3 slices
    session.merge((1,), np.tile(np.array([1, 1, 2, 2], np.uint32), (5, 1)))
    points = np.array([0, 1, 2]), np.array([1, 1, 1]), np.array([0, 0, 4])
    before = store[:]
    edit = Edit.of_points(points, before[points], np.array([7, 8, 9]))
    session.apply(edit)
    assert [int(store[p]) for p in zip(*points, strict=True)] == [7, 8, 9]
    assert edit.slices(session.labels) == {(1,)}
    assert sorted(zip(*np.nonzero(session.edited((1,))), strict=True)) == [(0, 0), (0, 1), (4, 2)]
    session.begin_run()
    session.merge((1,), np.zeros((5, 4), np.uint32))
    assert np.count_nonzero(store[:]) == 3
    session.undo()
    assert not store[:].any()


def test_compact_slices_outgrow_the_memory_and_stay_small():
    stored = CompactSlices((64, 64), np.uint32, in_memory=1 << 10)
    values = np.random.default_rng(0).integers(0, 9, (64, 64)).astype(np.uint32)
    for step in range(400):
        stored.put((step % 7,), values + step)
    for z in range(7):
        step = max(s for s in range(400) if s % 7 == z)
        np.testing.assert_array_equal(stored.get((z,)), values + step)
    assert stored._end < 3 << 20
    assert not stored.get((99,)).any()
    stored.close()


def test_a_viewer_that_undoes_and_redoes_on_its_own_is_followed_and_corrected():
    session = session_of(4, 1)
    labels = session.labels.data
    run(session, row(1, 1, 0, 0))
    session.apply(stroke(0, slice(0, 4), session, 9))
    run(session, row(0, 1, 1, 0))
    labels[0, 0] = [1, 1, 0, 0]  # the viewer takes the stroke back, to labels that are stale
    session.undo()
    assert labels[0, 0].tolist() == [0, 1, 1, 0]
    labels[0, 0] = 9  # and does it again
    session.redo()
    assert session.edited((0,)).all()
    labels[0, 0] = [0, 1, 1, 0]
    session.undo()
    assert labels[0, 0].tolist() == [0, 1, 1, 0]
    assert not session.edited((0,)).any()


def test_what_a_brush_took_from_locked_objects_and_slices_is_given_back():
    session = session_of(6, 2)
    labels = session.labels.data
    run(session, row(1, 1, 0, 2, 2, 0), row(1, 1, 0, 2, 2, 0))
    locks = Locks(objects={1}, slices={(1,)})
    box = (slice(0, 2), slice(0, 1), slice(1, 4))
    drawn = Edit.of_box(box, None, labels[box], 7)
    drawn.apply(labels)
    back = locked_part(drawn, session.labels, locks)
    assert back is not None
    back.apply(labels)
    assert labels[:, 0].tolist() == [[1, 1, 7, 7, 2, 0], [1, 1, 0, 2, 2, 0]]
    grown = stroke(0, slice(5, 6), session, 1)
    grown.apply(labels)
    back = locked_part(grown, session.labels, locks)
    assert back is not None
    back.apply(labels)
    assert labels[0, 0, 5] == 0
    assert locked_part(stroke(0, slice(5, 6), session, 3), session.labels, locks) is None
