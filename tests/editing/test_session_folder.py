"""A saved session comes back as it was."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zarr
from yaozarrs import validate_zarr_store

from napari_slicewise.editing.edits import Edit
from napari_slicewise.editing.errors import EditError
from napari_slicewise.editing.identity import ImageIdentity
from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.session import EditSession
from napari_slicewise.editing.session_folder import read_session, reopen, save_session
from napari_slicewise.errors import OutputError
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.source import ArraySource

SHAPE = (3, 12, 14)


def identity(path: str = "") -> ImageIdentity:
    return ImageIdentity.of(ArraySource(np.arange(3 * 12 * 14).reshape(SHAPE)), path or None)


def edited_session(plane: tuple[int, int] = (-2, -1), dtype: type = np.uint32) -> EditSession:
    session = EditSession(ArraySource(np.zeros(SHAPE, dtype), plane=plane))
    values = np.zeros(session.labels.slice_shape, np.uint32)
    values[:2, :2] = 1
    session.merge((0,), values)
    box = (slice(0, 1), slice(1, 2), slice(0, 5))
    session.apply(Edit.of_box(box, None, session.labels.data[box], 9))
    session.set_locks(Locks(objects={9}, slices={(1,)}, done={(2,)}))
    return session


@pytest.mark.parametrize("plane", [(-2, -1), (2, 0)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_a_session_reopens_with_equal_arrays(tmp_path: Path, plane: tuple[int, int], dtype: type):
    session = edited_session(plane, dtype)
    path = tmp_path / "cells.slicewise"
    save_session(
        path,
        session,
        identity("/data/cells.tif"),
        model="nuclei",
        parameters={"threshold": 0.4},
        states={"review": {"accepted": [1]}},
    )
    saved = read_session(path)
    assert (saved.model, saved.parameters, saved.image.path) == (
        "nuclei",
        {"threshold": 0.4},
        "/data/cells.tif",
    )
    assert saved.states == {"review": {"accepted": [1]}}
    assert identity().difference(saved.image) == ""
    again = reopen(saved)
    assert again.labels.data.dtype == dtype
    np.testing.assert_array_equal(again.labels.data, session.labels.data)
    assert again.locks == session.locks
    for index in session.labels.indices():
        np.testing.assert_array_equal(again.edited(index), session.edited(index))
        np.testing.assert_array_equal(
            again.ownership.machine.get(index), session.ownership.machine.get(index)
        )
    assert again.next_free == 10


def test_its_labels_are_an_ome_zarr_with_the_images_axes(tmp_path: Path):
    axes = (Axis("z", 3, 2.0, "um"), Axis("y", 12, 0.5, "um"), Axis("x", 14, 0.5, "um"))
    path = tmp_path / "cells.slicewise"
    session = edited_session()
    save_session(path, session, identity(), axes=axes)
    validate_zarr_store(str(path / "labels.ome.zarr"))
    stored = zarr.open_array(str(path / "labels.ome.zarr" / "0"), mode="r")
    np.testing.assert_array_equal(stored[:], session.labels.data)


def test_saving_again_replaces_and_never_an_input_or_something_else(tmp_path: Path):
    session = edited_session()
    path = tmp_path / "cells.slicewise"
    save_session(path, session, identity())
    session.undo()
    save_session(path, session, identity())
    np.testing.assert_array_equal(reopen(read_session(path)).labels.data, session.labels.data)
    assert [entry.name for entry in tmp_path.iterdir()] == ["cells.slicewise"]
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("all of it")
    with pytest.raises(OutputError, match="no session"):
        save_session(mine, session, identity())
    with pytest.raises(OutputError, match="must not replace"):
        save_session(mine, session, identity(str(mine / "thesis.txt")))
    assert (mine / "thesis.txt").read_text() == "all of it"


def test_a_failure_leaves_the_older_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    session = edited_session()
    path = tmp_path / "cells.slicewise"
    save_session(path, session, identity())
    before = session.labels.data.copy()
    session.undo()

    def full(*_args: object) -> None:
        raise OutputError("No space is left.")

    monkeypatch.setattr("napari_slicewise.editing.session_folder._write_slices", full)
    with pytest.raises(OutputError, match="No space"):
        save_session(path, session, identity())
    np.testing.assert_array_equal(reopen(read_session(path)).labels.data, before)
    assert len(list(tmp_path.iterdir())) == 1


def test_damaged_and_newer_folders_are_refused_with_the_reason(tmp_path: Path):
    with pytest.raises(EditError, match="no session"):
        read_session(tmp_path / "nowhere")
    path = tmp_path / "cells.slicewise"
    save_session(path, edited_session(), identity())
    document = path / "session.json"
    text = document.read_text()
    for change, reason in (
        ({"version": 7}, "version 7"),
        ({"format": "other"}, "no session"),
        ({"labels": 3}, "damaged"),
    ):
        document.write_text(json.dumps({**json.loads(text), **change}))
        with pytest.raises(EditError, match=reason):
            read_session(path)
    document.write_text(text[:50])
    with pytest.raises(EditError, match="damaged"):
        read_session(path)
    document.write_text(text)
    (path / "machine.ome.zarr" / "0" / "zarr.json").unlink()
    with pytest.raises(EditError, match=r"machine\.ome\.zarr is missing"):
        reopen(read_session(path))
