"""Which journals are offered, and what becomes of the others."""

from __future__ import annotations

import numpy as np
import pytest
from support.edit_sessions import blank, image_of, journalled, same, stroke, work

from napari_slicewise.app.keeping_notes import describe_notes
from napari_slicewise.app.keeping_offers import Findings, find_offers, restore
from napari_slicewise.editing import journal_head


@pytest.fixture
def session():
    return blank()


def test_a_journal_is_offered_with_its_objects_and_edits(session, tmp_path):
    with journalled(session, tmp_path, details={"name": "cells"}):
        work(session)
    (offer,) = find_offers([image_of()], tmp_path).offers
    objects = np.unique(session.labels.data).size - 1
    assert f"{objects} objects" in offer.words
    assert "cells" in offer.more
    same(restore(offer.info, image_of()).session, session)


def test_nothing_is_offered_for_another_image_and_the_journal_stays(session, tmp_path):
    with journalled(session, tmp_path) as journal:
        work(session)
    assert find_offers([image_of(1)], tmp_path) == Findings()
    assert journal.path.exists()


def test_a_journal_that_is_being_written_is_not_offered(session, tmp_path):
    with journalled(session, tmp_path) as journal:
        work(session)
        assert journal.flush()
        assert find_offers([image_of()], tmp_path) == Findings()


def test_a_journal_whose_edits_are_all_in_a_file_is_put_away(session, tmp_path):
    saved = tmp_path / "saved.tif"
    saved.touch()
    with journalled(session, tmp_path) as journal:
        work(session)
        journal.mark_saved(str(saved))
    assert find_offers([image_of()], tmp_path) == Findings()
    assert [path.name for path in (tmp_path / "trash").iterdir()] == [journal.path.name]


@pytest.mark.parametrize("why", ["edited since", "file is gone"])
def test_a_journal_that_holds_more_than_the_file_is_offered(session, tmp_path, why):
    saved = tmp_path / "saved.tif"
    if why == "edited since":
        saved.touch()
    with journalled(session, tmp_path) as journal:
        work(session)
        journal.mark_saved(str(saved))
        if why == "edited since":
            stroke(session, 3, slice(10, 12), slice(10, 12), 40)
    assert len(find_offers([image_of()], tmp_path).offers) == 1


def test_a_journal_of_nothing_is_removed(session, tmp_path):
    with journalled(session, tmp_path) as journal:
        pass
    assert find_offers([image_of()], tmp_path) == Findings()
    assert not journal.path.exists()


def test_a_journal_of_another_version_is_left_alone_and_spoken_of(session, tmp_path, monkeypatch):
    monkeypatch.setattr(journal_head, "VERSION", 99)
    with journalled(session, tmp_path, details={"name": "cells", "image_name": "stack"}) as journal:
        work(session)
    before = journal.path.read_bytes()
    found = find_offers([image_of()], tmp_path)
    assert found.offers == []
    (note,) = found.notes
    assert journal.path.read_bytes() == before
    for words in ("newer version", "cells, stack", "4 × 20 × 24", "format 99", str(journal.path)):
        assert words in note.more
    assert "1 journal of " in describe_notes([note])
    assert "nothing of it is deleted" in describe_notes([note])


def test_a_journal_of_another_version_and_another_image_is_spoken_of_there(
    session, tmp_path, monkeypatch
):
    monkeypatch.setattr(journal_head, "VERSION", 99)
    with journalled(session, tmp_path):
        work(session)
    assert find_offers([image_of(1)], tmp_path) == Findings()
    assert find_offers([], tmp_path) == Findings()


@pytest.mark.parametrize("damage", ["no journal", "cut in the head", "empty"])
def test_a_journal_that_cannot_be_read_is_spoken_of_and_stays(session, tmp_path, damage):
    with journalled(session, tmp_path) as journal:
        work(session)
    data = journal.path.read_bytes()
    kept = {"no journal": b"something else", "cut in the head": data[:40], "empty": b""}[damage]
    journal.path.write_bytes(kept)
    found = find_offers([image_of()], tmp_path)
    assert found.offers == []
    (note,) = found.notes
    assert journal.path.name in note.more
    assert str(len(kept)) + " bytes" in note.more
    assert journal.path.read_bytes() == kept


def test_a_journal_cut_in_the_middle_is_offered_up_to_the_cut(session, tmp_path):
    with journalled(session, tmp_path) as journal:
        work(session)
    data = journal.path.read_bytes()
    journal.path.write_bytes(data[:-7])
    (offer,) = find_offers([image_of()], tmp_path).offers
    assert "damaged" in offer.more
    assert "could not be read" in restore(offer.info, image_of()).words


def test_what_did_not_change_is_not_read_again(session, tmp_path):
    with journalled(session, tmp_path):
        work(session)
    first = find_offers([image_of()], tmp_path).offers
    assert find_offers([image_of()], tmp_path, first).offers[0] is first[0]
