"""A journal brings back all that was written, and says what it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.edit_sessions import (
    SHAPE,
    blank,
    image_of,
    journalled,
    machine,
    restored,
    same,
    stroke,
    work,
)

from napari_slicewise.editing.errors import JournalError, widened
from napari_slicewise.editing.journal import Journal
from napari_slicewise.editing.journal_folder import delete_journal
from napari_slicewise.editing.journal_replay import journal_info, replay, restorable
from napari_slicewise.editing.session import EditSession
from napari_slicewise.io.source import ArraySource


def test_replay_gives_labels_locks_and_whose_each_voxel_is(tmp_path: Path):
    session = blank()
    with journalled(session, tmp_path, details={"name": "cells"}) as journal:
        work(session)
        journal.state("review", {"accepted": [3]})
    (info,) = restorable(tmp_path)
    assert (info.problem, info.shape, info.dtype, info.lost) == ("", SHAPE, "uint32", 0)
    assert info.details == {"name": "cells"}
    assert info.image is not None
    assert info.image.path == "/data/0.tif"
    assert info.edits >= 6
    again = blank()
    found = replay(info.path, again, image_of())
    same(session, again)
    assert found.states == {"review": {"accepted": [3]}}
    assert found.words == "All edits are restored."


def test_a_restored_session_goes_on_as_the_first_would_have(tmp_path: Path):
    session = blank()
    with journalled(session, tmp_path) as journal:
        work(session)
    again, _ = restored(journal.path)
    for each in (session, again):
        each.begin_run()
        for z in range(4):
            each.merge((z,), machine(z + 5))
    same(session, again)


def test_a_journal_begun_over_labels_that_are_there_holds_them(tmp_path: Path):
    session = blank()
    work(session)
    with journalled(session, tmp_path) as journal:
        stroke(session, 3, slice(9, 12), slice(0, 4), 8)
    same(session, restored(journal.path)[0])


def test_edits_of_another_image_are_refused_and_write_nothing(tmp_path: Path):
    session = blank()
    with journalled(session, tmp_path) as journal:
        work(session)
    other = blank()
    with pytest.raises(JournalError, match="pixels of the two images differ"):
        replay(journal.path, other, image_of(1))
    with pytest.raises(JournalError, match="shape"):
        replay(journal.path, EditSession(ArraySource(np.zeros((4, 20, 25), np.uint32))), image_of())
    with pytest.raises(JournalError, match="type uint32"):
        replay(journal.path, blank(np.uint8), image_of())
    assert not other.labels.data.any()


def test_strange_files_are_listed_with_the_reason(tmp_path: Path):
    (tmp_path / "a.journal").write_bytes(b"something else")
    (tmp_path / "b.journal").write_bytes(b"")
    (tmp_path / "c.journal").write_bytes(b"SLICEWISE-JOURNAL\n\x08\x00")
    with journalled(blank(), tmp_path) as journal:
        journal.flush()
    newer = journal.path.read_bytes().replace(b'"version":1', b'"version":9')
    (tmp_path / "d.journal").write_bytes(newer)
    infos = {info.path.name: info.problem for info in restorable(tmp_path)}
    assert "no journal" in infos["a.journal"]
    assert "no journal" in infos["b.journal"]
    assert "cut off" in infos["c.journal"]
    assert infos["d.journal"]  # its sum does not fit any more


def test_a_newer_version_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("napari_slicewise.editing.journal_head.VERSION", 2)
    with journalled(blank(), tmp_path) as journal:
        journal.flush()
    with pytest.raises(JournalError, match="newer version"):
        replay(journal.path, blank(), image_of())
    assert "newer version" in journal_info(journal.path).problem


def test_two_panels_never_share_a_journal_and_a_running_one_is_not_offered(tmp_path: Path):
    with journalled(blank(), tmp_path) as one, journalled(blank(), tmp_path) as other:
        assert one.path != other.path
        one.flush()
        assert restorable(tmp_path) == []
    assert len(restorable(tmp_path)) == 2
    delete_journal(one.path)
    assert [info.path for info in restorable(tmp_path)] == [other.path]


def test_a_journal_that_grows_too_large_is_written_anew(tmp_path: Path):
    session = blank()
    with journalled(session, tmp_path, bound=20_000) as journal:
        work(session)
        for step in range(300):
            stroke(session, step % 4, slice(0, 20), slice(0, 12), 40 + step)
        journal.flush()
        assert journal.path.stat().st_size < 60_000
    same(session, restored(journal.path)[0])


def test_wider_labels_are_restored_as_such(tmp_path: Path):
    session = blank(np.uint8)
    with journalled(session, tmp_path) as journal:
        stroke(session, 0, slice(0, 3), slice(0, 3), 255)
        session.use(ArraySource(widened(session.labels.data)))
        stroke(session, 0, slice(5, 9), slice(0, 3), 300)
    assert journal_info(journal.path).dtype == "uint32"
    same(session, restored(journal.path)[0])


def test_a_journal_is_removed_after_a_clean_save_and_kept_after_later_edits(tmp_path: Path):
    for edits_after in (False, True):
        session = blank()
        journal = Journal(session, image_of(), tmp_path)
        stroke(session, 0, slice(0, 3), slice(0, 3), 5)
        journal.mark_saved()
        if edits_after:
            stroke(session, 0, slice(0, 3), slice(0, 3), 6)
        journal.close()
        assert journal.path.exists() == edits_after
        assert not journal.path.with_suffix(".lock").exists()
