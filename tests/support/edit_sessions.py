"""Edit sessions with something of everything, and their journals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from napari_slicewise.editing.edits import Edit
from napari_slicewise.editing.identity import ImageIdentity
from napari_slicewise.editing.journal import Journal
from napari_slicewise.editing.journal_replay import replay
from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.session import EditSession
from napari_slicewise.io.source import ArraySource

SHAPE = (4, 20, 24)


def image_of(seed: int = 0) -> ImageIdentity:
    pixels = np.random.default_rng(seed).integers(0, 255, SHAPE).astype(np.uint8)
    return ImageIdentity.of(ArraySource(pixels), f"/data/{seed}.tif")


def blank(dtype: Any = np.uint32) -> EditSession:
    return EditSession(ArraySource(np.zeros(SHAPE, dtype)))


def stroke(session: EditSession, z: int, rows: slice, columns: slice, number: int) -> None:
    box = (slice(z, z + 1), rows, columns)
    session.apply(Edit.of_box(box, None, session.labels.data[box], number))


def machine(seed: int) -> np.ndarray:
    values = np.zeros(SHAPE[1:], np.uint32)
    for number, (row, column) in enumerate(np.random.default_rng(seed).integers(0, 15, (4, 2)), 1):
        values[row : row + 5, column : column + 5] = number
    return values


def work(session: EditSession) -> None:
    """Something of everything."""
    for z in range(3):
        session.merge((z,), machine(z))
    stroke(session, 0, slice(2, 9), slice(3, 5), 30)
    stroke(session, 3, slice(0, 4), slice(0, 4), 31)
    session.rename({1: 2})
    session.set_locks(Locks(objects={30}, done={(2,)}))
    stroke(session, 1, slice(0, 20), slice(5, 9), 0)
    session.undo()
    stroke(session, 1, slice(0, 5), slice(5, 9), 2)
    session.begin_run()
    session.merge((0,), machine(9))
    session.undo()
    session.redo()
    session.apply(session.restore([(1,)], box=(slice(2, 4), slice(0, 24))))


@contextmanager
def journalled(session: EditSession, folder: Path, **options: Any) -> Iterator[Journal]:
    journal = Journal(session, image_of(), folder, **options)
    try:
        yield journal
    finally:
        journal.close(delete=False)


def restored(path: Path, dtype: Any = np.uint32) -> tuple[EditSession, int]:
    session = blank(dtype)
    found = replay(path, session, image_of())
    return session, found.lost


def same(one: EditSession, other: EditSession) -> None:
    np.testing.assert_array_equal(one.labels.data, other.labels.data)
    for index in one.labels.indices():
        np.testing.assert_array_equal(one.edited(index), other.edited(index))
        np.testing.assert_array_equal(
            one.ownership.machine.get(index), other.ownership.machine.get(index)
        )
    assert one.locks == other.locks
