"""Arrays cross a block of shared memory unchanged, and the block is gone afterwards."""

from __future__ import annotations

import os
from multiprocessing.shared_memory import SharedMemory

import numpy as np
import pytest

from napari_slicewise.inference import memory
from napari_slicewise.inference.memory import SharedSlots


def test_arrays_of_any_type_arrive_as_they_were():
    ours = SharedSlots.create(2, 1000)
    theirs = SharedSlots.attach(ours.name, 1000)
    for slot, dtype in ((0, "uint16"), (1, ">f4"), (1, "bool")):
        sent = np.arange(60).reshape(3, 4, 5).astype(dtype)[:, ::2]
        received = theirs.take(ours.put(slot, sent))
        assert received.dtype == sent.dtype
        np.testing.assert_array_equal(received, sent)
    theirs.close()
    ours.close()


def test_the_owner_removes_the_block_and_the_other_side_does_not():
    ours = SharedSlots.create(1, 100)
    name = ours.name
    theirs = SharedSlots.attach(name, 100)
    theirs.close()
    SharedMemory(name=name).close()  # still there
    ours.close()
    ours.close()
    with pytest.raises(FileNotFoundError):
        SharedMemory(name=name)


def test_without_room_arrays_travel_in_the_message(monkeypatch):
    monkeypatch.setattr(memory, "_has_room", lambda _size: False)
    ours = SharedSlots.create(1, 100)
    assert ours.name is None
    theirs = SharedSlots.attach(ours.name, 100)
    np.testing.assert_array_equal(theirs.take(ours.put(0, np.eye(3))), np.eye(3))


def test_an_array_larger_than_its_slot_is_refused():
    ours = SharedSlots.create(2, 10)
    with pytest.raises(ValueError, match="do not fit"):
        ours.put(0, np.zeros(11, np.uint8))
    ours.close()
    with pytest.raises(ValueError, match="closed"):
        ours.put(0, np.zeros(1, np.uint8))


def test_a_block_without_a_name_serves_both_sides_and_leaves_nothing():
    ours = SharedSlots.create(1, 100)
    name = ours.name
    theirs = SharedSlots.attach(name, 100)
    theirs.remove_name()
    if os.name == "posix":
        with pytest.raises(FileNotFoundError):
            SharedMemory(name=name)
    np.testing.assert_array_equal(theirs.take(ours.put(0, np.eye(3))), np.eye(3))
    ours.close()
    theirs.close()
    theirs.remove_name()
