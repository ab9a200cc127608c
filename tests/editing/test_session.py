"""The machine writes around what a human painted, and takes none of the human's numbers."""

from __future__ import annotations

import numpy as np
import zarr

from napari_slicewise.editing.session import EditSession, merge_around_edits
from napari_slicewise.io.source import ArraySource


def test_a_changed_pixel_stays_and_an_unchanged_one_is_renewed():
    baseline = np.array([[1, 1, 2, 0]], np.uint32)
    current = np.array([[1, 0, 7, 0]], np.uint32)  # one erased, one painted over
    machine = np.array([[3, 3, 3, 3]], np.int64)
    merged = merge_around_edits(current, baseline, machine)
    assert merged.dtype == np.uint32
    assert merged.tolist() == [[3, 0, 7, 3]]


def test_a_stroke_painted_before_the_result_came_survives_it():
    labels = np.zeros((2, 4, 4), np.uint32)
    session = EditSession(ArraySource(labels))
    labels[1, 0, :2] = 9
    session.merge((1,), np.full((4, 4), 1, np.uint32))
    assert labels[1, 0].tolist() == [9, 9, 1, 1]
    assert not labels[0].any()


def test_a_machine_object_with_a_painted_number_gets_a_new_one_in_all_slices():
    labels = np.zeros((3, 1, 4), np.uint32)
    session = EditSession(ArraySource(labels))
    labels[0, 0, 0] = 1
    session.merge((0,), np.array([[0, 1, 2, 0]], np.uint32))
    session.merge((1,), np.array([[0, 1, 2, 0]], np.uint32))
    assert labels[0, 0].tolist() == [1, 3, 2, 0]
    assert labels[1, 0].tolist() == [0, 3, 2, 0]
    assert session.next_free == 4


def test_classes_keep_their_numbers():
    labels = np.zeros((1, 3), np.uint8)
    labels[0, 0] = 1
    session = EditSession(ArraySource(labels), renumber=False)
    session.merge((), np.array([[1, 1, 0]], np.uint8))
    assert labels.tolist() == [[1, 1, 0]]


def test_zarr_and_rolled_planes_are_written_in_place():
    store = zarr.create_array({}, shape=(3, 4, 5), dtype="uint32", chunks=(1, 4, 5), fill_value=0)
    session = EditSession(ArraySource(store, plane=(2, 0)))  # rows = last axis, columns = first
    machine = np.arange(15, dtype=np.uint32).reshape(5, 3)
    session.merge((2,), machine)
    np.testing.assert_array_equal(store[:, 2, :], machine.T)


def test_painting_with_a_number_of_the_machine_continues_that_object():
    labels = np.zeros((2, 1, 4), np.uint32)
    session = EditSession(ArraySource(labels))
    session.merge((0,), np.array([[0, 1, 2, 0]], np.uint32))
    labels[1, 0, 0] = 2
    session.reserve(2)
    session.merge((1,), np.array([[0, 1, 2, 0]], np.uint32))
    assert labels[1, 0].tolist() == [2, 1, 2, 0]


def test_a_number_painted_on_a_finished_slice_is_not_used_by_the_machine_later():
    labels = np.zeros((2, 1, 4), np.uint32)
    session = EditSession(ArraySource(labels))
    session.merge((0,), np.array([[0, 1, 0, 0]], np.uint32))
    labels[0, 0, 3] = 2
    session.reserve(2)
    session.merge((1,), np.array([[0, 1, 2, 0]], np.uint32))
    assert labels[1, 0].tolist() == [0, 1, 3, 0]


def test_merge_returns_the_machines_slice_as_it_was_numbered():
    labels = np.zeros((1, 1, 3), np.uint32)
    labels[0, 0, :2] = 1
    session = EditSession(ArraySource(labels))
    numbered = session.merge((0,), np.array([[1, 1, 2]], np.uint32))
    assert numbered.tolist() == [[3, 3, 2]]
    assert labels[0].tolist() == [[1, 1, 2]]


def linked_session(labels: np.ndarray) -> EditSession:
    """Two slices written with three objects; the machine owns 1, 2 and 3."""
    session = EditSession(ArraySource(labels))
    session.merge((0,), np.array([[0, 1, 2, 0]], np.uint32))
    session.merge((1,), np.array([[0, 1, 3, 0]], np.uint32))
    return session


def test_rename_makes_one_object_of_two_in_the_slices_that_were_written():
    labels = np.zeros((4, 1, 4), np.uint32)
    session = linked_session(labels)
    assert session.rename({3: 2}) == [(1,)]
    assert labels[:2, 0].tolist() == [[0, 1, 2, 0], [0, 1, 2, 0]]
    session.merge((2,), np.array([[0, 1, 2, 0]], np.uint32))
    assert labels[2, 0].tolist() == [0, 1, 2, 0]


def test_rename_takes_strokes_along_that_continue_the_object():
    labels = np.zeros((4, 1, 4), np.uint32)
    session = linked_session(labels)
    labels[3, 0, :2] = 3  # on a slice that the machine has not done yet
    session.reserve(3)
    labels[1, 0, 3] = 3
    assert session.rename({3: 2}) == [(1,), (3,)]
    assert labels[1, 0].tolist() == [0, 1, 2, 2]
    assert labels[3, 0].tolist() == [2, 2, 0, 0]


def test_rename_leaves_the_numbers_of_the_human_alone():
    labels = np.zeros((3, 1, 5), np.uint32)
    session = EditSession(ArraySource(labels))
    labels[0, 0, 0] = 2
    session.merge((0,), np.array([[0, 1, 2, 3, 0]], np.uint32))  # its 2 is written as 4
    assert labels[0, 0].tolist() == [2, 1, 4, 3, 0]
    assert session.rename({2: 1}) == [(0,)]
    assert labels[0, 0].tolist() == [2, 1, 1, 3, 0]


def test_rename_to_a_number_of_the_humans_takes_the_one_that_the_object_got_instead():
    labels = np.zeros((3, 1, 4), np.uint32)
    session = EditSession(ArraySource(labels))
    session.merge((0,), np.array([[0, 1, 2, 0]], np.uint32))
    labels[0, 0, 3] = 5
    session.reserve(5)
    assert session.rename({2: 5}) == [(0,)]
    assert labels[0, 0].tolist() == [0, 1, 6, 5]
    session.merge((1,), np.array([[5, 5, 0, 0]], np.uint32))
    assert labels[1, 0].tolist() == [6, 6, 0, 0]
    assert session.next_free == 7


def test_rename_swaps_and_looks_only_where_it_is_told():
    labels = np.zeros((3, 1, 4), np.uint32)
    session = linked_session(labels)
    assert session.rename({1: 2, 2: 1}, indices=[(0,)]) == [(0,)]
    assert labels[:2, 0].tolist() == [[0, 2, 1, 0], [0, 1, 3, 0]]
    assert session.rename({1: 1}) == []
    assert session.rename({77: 1}) == []
