"""The learning controller with a real worker: news, runs meanwhile, a kill, going on."""

from __future__ import annotations

import os
import signal
import sys
import threading

import numpy as np
import pytest
from support.lessons import bright_discs, quick_request
from support.listening import Listener, everything

from napari_slicewise.app.learn import LearnController
from napari_slicewise.app.learn_lessons import Lesson
from napari_slicewise.app.learn_proposer import Proposer
from napari_slicewise.editing.edits import Edit
from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.session import EditSession
from napari_slicewise.errors import RequestError
from napari_slicewise.io.source import ArraySource
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.training.kept_training import KeptTraining

SLICES = 4


@pytest.fixture
def lesson():
    """A stack of discs; slices 0 and 1 are done."""
    pairs = [bright_discs(seed) for seed in range(SLICES)]
    image = np.stack([image for image, _ in pairs])
    session = EditSession(ArraySource(np.zeros(image.shape, np.uint32)))
    for z, (_, labels) in enumerate(pairs):
        session.merge((z,), labels.astype(np.uint32))
    session.set_locks(Locks(done={(0,), (1,)}))
    return Lesson("1", "discs labels", "discs", ArraySource(image), session)


class Pupil:
    """A controller, and what it has said."""

    def __init__(self, segment):
        self.segment = segment
        self.controller = LearnController(segment)
        self.heard, self.came = [], threading.Condition()
        for name in ("surveyed", "began", "reported", "looked", "said", "ended", "model_kept"):
            getattr(self.controller, name).connect(self._keep(name))
        self.controller.unfinished_found.connect(self._keep("unfinished_found"))

    def _keep(self, name):
        def keep(value):
            with self.came:
                self.heard.append((name, value))
                self.came.notify_all()

        return keep

    def of(self, name):
        return [value for heard, value in list(self.heard) if heard == name]

    def wait(self, name, count=1):
        with self.came:
            found = self.came.wait_for(lambda: len(self.of(name)) >= count, timeout=90)
        assert found, f"no {name} in 90 s: {self.of('ended') or self.heard[-3:]}"
        return self.of(name)[count - 1]


@pytest.fixture
def pupil(controller, tmp_path, monkeypatch):
    monkeypatch.setenv("SLICEWISE_LEARNING", str(tmp_path / "learning"))
    monkeypatch.setenv("SLICEWISE_MODELS", str(tmp_path / "models"))
    pupil = Pupil(controller)
    yield pupil
    pupil.controller.close()


def test_a_training_reports_its_steps_and_gives_a_model_that_predicts(pupil, lesson):
    pupil.controller.start(quick_request(), [lesson])
    ended = pupil.wait("ended")
    assert (ended.outcome, ended.message) == ("completed", "")
    assert [report.step for report in pupil.of("reported")] == [1, 2, 3, 4, 5, 6]
    assert pupil.controller.places["discs labels 1"].index == (1,)
    path = pupil.controller.keep(ended.draft, "Discs")
    kept = pupil.wait("model_kept")
    assert isinstance(kept.answer, ModelSpec)
    heard = Listener(pupil.segment)
    pupil.segment.start(everything(path, lesson.image), lesson.image)
    assert heard.report().outcome == "completed"
    assert len(heard.results) == SLICES


def test_nothing_marked_is_refused_with_the_reason(pupil, lesson):
    lesson.session.set_locks(Locks())
    pupil.controller.start(quick_request(), [lesson])
    ended = pupil.wait("ended")
    assert ended.outcome == "failed"
    assert ended.message.startswith("Nothing is marked yet")
    assert pupil.controller.phase == "idle"


def test_pixels_painted_during_a_training_are_drawn_from(pupil, lesson):
    pupil.controller.start(quick_request(steps=10_000), [lesson])
    pupil.wait("reported", 2)
    box = (slice(3, 4), slice(2, 30), slice(2, 30))
    lesson.session.apply(Edit.of_box(box, None, lesson.session.labels.data[box], 77))
    pupil.controller.note_change("1", [(3,)])
    pupil.controller.survey([lesson])
    with pupil.came:
        assert pupil.came.wait_for(
            lambda: pupil.of("reported")[-1].patches_from.get("discs labels 3", 0) > 0, timeout=60
        )
    pupil.controller.stop()
    pupil.wait("ended")


def test_a_run_goes_first_the_training_goes_on_after_it_and_a_second_one_is_refused(
    pupil, lesson, random_model_path
):
    heard = Listener(pupil.segment)
    pupil.controller.start(quick_request(steps=10_000), [lesson])
    pupil.wait("reported", 3)
    with pytest.raises(RequestError, match="going on"):
        pupil.controller.start(quick_request(), [lesson])
    pupil.segment.start(everything(random_model_path, lesson.image), lesson.image)
    assert heard.report().outcome == "completed"
    done = len(pupil.of("reported"))
    pupil.wait("reported", done + 3)
    pupil.controller.stop()
    assert pupil.wait("ended").outcome == "stopped"


def test_the_slice_on_show_is_predicted_while_it_learns(pupil, lesson):
    pupil.controller.start(quick_request(steps=10_000), [lesson])
    pupil.controller.look(5, lesson.image, (2,), "discs")
    looked = pupil.wait("looked")
    assert looked.ticket == 5
    assert looked.labels.shape == lesson.image.slice_shape
    pupil.controller.stop()
    pupil.wait("ended")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_killed_worker_ends_the_training_in_words_and_continue_goes_on(pupil, lesson):
    pupil.controller.start(quick_request(steps=100_000), [lesson])
    pupil.wait("reported")
    state = KeptTraining(pupil.controller.folder).state
    with pupil.came:  # reports come with each step; the worker saves by itself
        assert pupil.came.wait_for(state.is_file, timeout=60)
    os.kill(pupil.segment.worker_pid, signal.SIGKILL)
    ended = pupil.wait("ended")
    assert ended.outcome == "failed"
    assert "killed" in ended.message
    assert "Continue" in ended.hint
    pupil.controller.find_unfinished()
    found = pupil.wait("unfinished_found")
    assert found.words == "2 whole slices, 5 objects"
    before = len(pupil.of("reported"))
    pupil.controller.resume(found.kept, [lesson])
    first = pupil.wait("reported", before + 1)
    assert first.step > 1
    pupil.controller.stop()
    assert pupil.wait("ended", 2).outcome == "stopped"


def test_an_image_that_cannot_be_read_is_said(pupil, lesson):
    class Broken(ArraySource):
        def read_slice(self, _index):
            raise ZeroDivisionError("a foreign array's own fault")

    broken = Lesson("1", "a", "b", Broken(lesson.image.data), lesson.session)
    pupil.controller.start(quick_request(), [broken])
    ended = pupil.wait("ended")
    assert ended.outcome == "failed"
    assert "a foreign array's own fault" in ended.message


def test_slices_to_annotate_are_proposed_from_those_that_are_not(pupil, lesson, random_model_path):
    proposer = Proposer(pupil.segment, pupil.controller.do)
    proposer.found.connect(pupil._keep("found"))
    assert proposer.start(str(random_model_path), lesson.image, [(0,), (1,)])
    found = pupil.wait("found")
    assert {proposal.index for proposal in found} == {(2,), (3,)}
    assert not proposer.start(str(random_model_path), lesson.image, [(z,) for z in range(SLICES)])
    proposer.close()
