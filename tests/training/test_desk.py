"""The worker's side of a training: step by step, stopped, kept, gone on with."""

from __future__ import annotations

import numpy as np
import pytest
from support.lessons import annotation, bright_discs, quick_request

from napari_slicewise.errors import OutputError
from napari_slicewise.models.checkpoint import load_network, read_checkpoint
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.training import desk as desk_module
from napari_slicewise.training.desk import LearningDesk
from napari_slicewise.training.kept_training import KeptTraining, unfinished_trainings
from napari_slicewise.training.messages import (
    BeginLearning,
    KeepModel,
    LearningBegan,
    LearningEnded,
    LearningSays,
    Look,
    Looked,
    ModelKept,
    MoreToLearn,
    StopLearning,
)
from napari_slicewise.training.request import LearnReport


class Talk:
    """A desk, and what it has said."""

    def __init__(self, folder):
        self.said = []
        self.desk = LearningDesk(self.said.append)
        self.kept = KeptTraining(folder / "one")

    def begin(self, *annotations, resume=False, **options):
        request, folder = quick_request(**options), str(self.kept.folder)
        self.desk.take(BeginLearning(request, annotations, folder, resume, "discs", 0.3))

    def work(self, pieces=1000):
        for _ in range(pieces):
            if self.desk.busy:
                self.desk.work()

    def of(self, kind):
        return [message for message in self.said if isinstance(message, kind)]

    @property
    def ended(self):
        (found,) = self.of(LearningEnded)
        return found


@pytest.fixture
def talk(tmp_path):
    return Talk(tmp_path)


def test_a_training_runs_to_its_end_and_leaves_a_model_that_can_be_loaded(talk):
    talk.begin(annotation(1), annotation(2))
    talk.work()
    assert [report.step for report in talk.of(LearnReport)] == [1, 2, 3, 4, 5, 6]
    assert (talk.ended.outcome, talk.ended.message) == ("completed", "")
    checkpoint = read_checkpoint(talk.kept.draft)
    load_network(checkpoint)
    assert checkpoint.spec.pixel_um == 0.3
    assert not talk.desk.busy
    assert not unfinished_trainings(talk.kept.folder.parent)


def test_what_is_held_out_is_told_and_kept_for_later(talk):
    talk.begin(*(annotation(seed) for seed in range(5)))
    talk.work(1)
    (began,) = talk.of(LearningBegan)
    assert len(began.held_out) == 1
    talk.desk.take(StopLearning())
    assert talk.kept.request().held_out == began.held_out


def test_stop_comes_after_the_step_under_way_and_the_training_goes_on_later(talk):
    talk.begin(annotation(1), annotation(2), steps=8)
    talk.work(3)
    talk.desk.take(StopLearning())
    assert talk.ended.outcome == "stopped"
    assert not talk.desk.busy
    (found,) = unfinished_trainings(talk.kept.folder.parent)
    assert found == talk.kept
    assert found.note["words"] == "discs"
    assert talk.kept.draft.is_file()
    later = Talk(talk.kept.folder.parent)
    later.begin(resume=True)
    later.work()
    assert [report.step for report in later.of(LearnReport)] == [4, 5, 6, 7, 8]
    assert later.ended.outcome == "completed"
    assert read_checkpoint(talk.kept.draft).spec.pixel_um == 0.3


def test_slices_that_come_meanwhile_are_drawn_from(talk):
    talk.begin(annotation(1), steps=60)
    talk.work(2)
    talk.desk.take(MoreToLearn((annotation(2, "painted later"),)))
    talk.work(30)
    drawn = talk.of(LearnReport)[-1].patches_from
    assert drawn["painted later"] > 0
    assert "painted later" in {one.name for one in talk.kept.annotations()}
    talk.desk.take(StopLearning())


def test_the_slice_to_look_at_is_predicted_with_its_ticket(talk, monkeypatch):
    monkeypatch.setattr(desk_module, "LOOK_S", 0.0)
    talk.begin(annotation(1), steps=3)
    talk.desk.take(Look(7, bright_discs(3)[0][None], "discs"))
    talk.work(1)
    (looked,) = talk.of(Looked)
    assert looked.ticket == 7
    assert looked.labels.shape == (64, 64)
    assert looked.labels.dtype.kind == "u"
    talk.desk.take(Look(8, None))
    talk.work()
    assert len(talk.of(Looked)) == 1


def test_a_slice_that_the_model_cannot_take_ends_the_looking_and_not_the_training(talk):
    talk.begin(annotation(1), steps=3)
    talk.desk.take(Look(1, np.zeros((4, 64, 64), np.uint16)))
    talk.work()
    assert len(talk.of(LearningSays)) == 1
    assert talk.ended.outcome == "completed"


def test_a_state_that_cannot_be_written_is_said_and_the_training_goes_on(talk, monkeypatch):
    monkeypatch.setattr(desk_module, "FIRST_SAVE_S", 0.0)
    talk.begin(annotation(1), steps=3)
    full = OutputError("The disk is full.", "Make room.")

    def fail(path):
        raise full

    monkeypatch.setattr(talk.desk._learner, "save_state", fail)
    talk.work()
    assert {says.text for says in talk.of(LearningSays)} == {"The disk is full. Make room."}
    assert talk.ended.outcome == "completed"


def test_what_cannot_be_learned_is_refused_in_words_and_holds_nothing(talk):
    talk.begin(annotation(1), start_from="no such model")
    assert talk.ended.outcome == "failed"
    assert "no such model" in talk.ended.message
    assert not talk.desk.busy
    assert not talk.kept.held


def test_a_training_that_diverges_says_so_and_keeps_the_weights_before(talk):
    talk.begin(annotation(1), steps=30, learning_rate=0.01)
    talk.work(2)
    network = talk.desk._learner._trainer.network
    next(network.parameters()).data.fill_(float("nan"))
    talk.work()
    assert talk.ended.outcome == "failed"
    assert "diverged" in talk.ended.message
    state = read_checkpoint(talk.kept.draft).state
    assert all(np.isfinite(tensor.numpy()).all() for tensor in state.values())


def test_a_fault_of_the_program_itself_is_told_and_what_was_learned_is_written(talk, capsys):
    talk.begin(annotation(1), steps=30)
    talk.work(2)

    def broken():
        raise ZeroDivisionError("a fault")
        yield

    talk.desk._steps = broken()
    talk.work()
    assert talk.ended.outcome == "failed"
    assert "a fault" in talk.ended.message
    assert talk.kept.draft.is_file()
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_model_is_kept_under_its_new_name_with_a_card_and_nothing_is_overwritten(talk, tmp_path):
    talk.begin(annotation(1))
    talk.work()
    wanted = KeepModel(talk.ended.draft, str(tmp_path / "mine.safetensors"), "Mine")
    for _ in range(2):
        talk.desk.take(wanted)
    first, second = talk.of(ModelKept)
    assert isinstance(first.answer, ModelSpec)
    assert (first.answer.name, first.answer.title) == ("mine", "Mine")
    assert read_checkpoint(tmp_path / "mine.safetensors").spec == first.answer
    assert (tmp_path / "mine.md").read_text().startswith("# mine - Mine\n")
    assert isinstance(second.answer, OutputError)
    assert read_checkpoint(tmp_path / "mine.safetensors").spec == first.answer


def test_a_draft_that_is_gone_is_said(talk, tmp_path):
    path = tmp_path / "mine.safetensors"
    talk.desk.take(KeepModel(str(tmp_path / "no.safetensors"), str(path), "Mine"))
    (kept,) = talk.of(ModelKept)
    assert "no.safetensors" in str(kept.answer)
    assert not path.exists()
