"""A training on the disk: found again after any end, and nobody else's meanwhile."""

from __future__ import annotations

import numpy as np
import pytest
from support.lessons import annotation, quick_request

from napari_slicewise.errors import OutputError
from napari_slicewise.training.kept_training import KeptTraining, unfinished_trainings


def write(kept, *, finished=False, state=True):
    kept.write_note(quick_request(), finished=finished, words="2 slices", seconds=1.5)
    if state:
        kept.state.write_bytes(b"state")


def test_what_was_asked_for_and_the_slices_come_back_as_they_were(tmp_path):
    kept = KeptTraining.fresh(tmp_path)
    asked = quick_request(held_out=("discs 1",), class_names=("a", "b"), start_from="nuclei")
    kept.write_note(asked, finished=False)
    known = np.zeros((64, 64), bool)
    known[3, 5:9] = True
    for one in (annotation(1), annotation(2, known=known)):
        kept.keep(one)
    assert kept.request() == asked
    first, second = kept.annotations()
    assert (first.name, first.group, first.known) == ("discs 1", "discs", None)
    np.testing.assert_array_equal(first.image, annotation(1).image)
    np.testing.assert_array_equal(second.labels, annotation(2).labels)
    np.testing.assert_array_equal(second.known, known)


def test_a_slice_kept_again_takes_the_place_of_the_older_one(tmp_path):
    kept = KeptTraining.fresh(tmp_path)
    kept.keep(annotation(1, "a"))
    kept.keep(annotation(2, "a"))
    (found,) = kept.annotations()
    np.testing.assert_array_equal(found.labels, annotation(2).labels)


def test_a_damaged_slice_is_left_out(tmp_path):
    kept = KeptTraining.fresh(tmp_path)
    kept.keep(annotation(1))
    kept.keep(annotation(2))
    next((kept.folder / "slices").glob("*.npz")).write_bytes(b"PK\x03\x04 not a zip")
    assert len(kept.annotations()) == 1


def test_only_what_has_a_state_and_is_not_finished_can_go_on(tmp_path):
    for finished, state in ((True, True), (False, False)):
        write(KeptTraining.fresh(tmp_path), finished=finished, state=state)
    assert not unfinished_trainings(tmp_path)
    kept = KeptTraining.fresh(tmp_path)
    write(kept)
    assert unfinished_trainings(tmp_path) == [kept]
    assert not unfinished_trainings(tmp_path / "not there")


def test_a_training_that_somebody_is_at_is_not_offered_and_not_taken(tmp_path):
    kept = KeptTraining.fresh(tmp_path)
    write(kept)
    lock = kept.hold()
    assert kept.held
    assert not unfinished_trainings(tmp_path)
    with pytest.raises(OutputError, match="Another napari"):
        KeptTraining(kept.folder).hold()
    lock.release()
    assert unfinished_trainings(tmp_path) == [kept]


def test_a_note_that_cannot_be_read_makes_no_offer(tmp_path):
    kept = KeptTraining.fresh(tmp_path)
    write(kept)
    (kept.folder / "training.json").write_text('{"finished": fal')
    assert not unfinished_trainings(tmp_path)
    with pytest.raises(OutputError, match="cannot be read"):
        kept.request()


def test_old_trainings_go_but_none_that_somebody_is_at(tmp_path):
    oldest = KeptTraining(tmp_path / "20200101-000000-aaaaaa")
    old = [KeptTraining(tmp_path / f"2020010{n}-000000-aaaaaa") for n in range(2, 8)]
    for kept in (oldest, *old):
        write(kept)
    lock = oldest.hold()
    fresh = KeptTraining.fresh(tmp_path)
    write(fresh)
    left = {path.name for path in tmp_path.iterdir()}
    lock.release()
    assert left == {oldest.folder.name, *(k.folder.name for k in old[-3:]), fresh.folder.name}
