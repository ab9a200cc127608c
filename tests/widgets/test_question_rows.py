"""What a file leaves open is asked in the panel, shown at once, and remembered."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest
from qtpy.QtWidgets import QLabel

from napari_slicewise.errors import ConsentNeededError, ModelError
from napari_slicewise.models.answers import Inquiry
from napari_slicewise.models.consent import is_trusted
from napari_slicewise.models.questions import Question
from napari_slicewise.models.spec import ModelSpec

SCALING = Question(
    "scaling",
    "How were the pixels scaled?",
    (("divide_by_255", "Divided by 255"), ("percentile", "Between percentiles")),
    "divide_by_255",
)
LOGIT = Question(
    "logit",
    "What does the network give?",
    (("none", "The probability of the foreground"), ("sigmoid", "Its logit")),
    "sigmoid",
)
SPEC = ModelSpec("mine", "Mine", normalization="divide_by_255")


@pytest.fixture(autouse=True)
def _own_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def asked(desk, tmp_path):
    """A panel whose model is a file that leaves two things open."""
    desk.path = tmp_path / "mine.pt"
    desk.path.write_bytes(b"weights")
    desk.controller.activations = square
    desk.viewer.add_image(np.zeros((6, 12, 16), np.uint8))
    desk.panel.form.add_model_file(desk.path)
    inspected(desk, Inquiry((SCALING, LOGIT)))
    return desk


def square(_index, source):
    found = np.zeros((1, *source.slice_shape), np.float32)
    found[0, 2:8, 2:8] = 0.9
    return found


def inspected(desk, inquiry, answer=SPEC):
    """Have the worker say what the file is, and what it leaves open."""
    if inquiry is not None:
        desk.controller.model_inquired.emit(str(desk.path), inquiry)
    desk.controller.model_inspected.emit(str(desk.path), answer)
    known = desk.panel.form._models
    desk.wait(lambda: (known.spec or known.error) is answer)


def heading(desk):
    return desk.find("questions_button").text()


def test_nothing_is_asked_of_a_bundled_model(desk):
    assert desk.find("model_questions").isHidden()


def test_what_is_open_is_asked_with_the_best_guess_chosen(asked):
    assert not asked.find("model_questions").isHidden()
    assert "2 open" in heading(asked)
    assert asked.find("question_scaling").currentText() == "Divided by 255"
    assert asked.find("question_logit").currentText() == "Its logit"
    assert asked.find("text_logit", QLabel).text() == "What does the network give?"
    assert asked.find("segment_button").isEnabled()  # the guess will do


def test_open_questions_are_unfolded_and_answered_ones_are_folded_away(asked):
    questions = asked.find("model_questions")
    assert questions.isExpanded()
    asked.find("question_logit").setCurrentIndex(0)
    given = {"scaling": "percentile", "logit": "none"}
    inspected(asked, Inquiry((SCALING, LOGIT), given), ModelSpec("mine"))
    assert questions.isExpanded()  # nothing moves under the user's hand
    asked.find("model").setCurrentIndex(0)
    asked.find("model").setCurrentIndex(asked.find("model").findData(str(asked.path)))
    assert not questions.isExpanded()


def test_many_open_questions_leave_the_button_to_start_in_sight(asked):
    many = tuple(
        Question(f"open_{number}", "What?", SCALING.choices, "percentile") for number in range(4)
    )
    inspected(asked, Inquiry(many), ModelSpec("mine"))
    assert "4 open" in heading(asked)
    assert not asked.find("model_questions").isExpanded()


def test_a_menu_that_is_still_open_when_the_questions_change_answers_nothing(asked):
    questions, menu = asked.find("model_questions"), asked.find("question_logit")
    questions.ask(Inquiry((SCALING,)))
    menu.setCurrentIndex(0)  # its question is gone, and Qt destroys it a moment later
    assert questions.answers == {}
    assert asked.controller.answers == [None]


def test_an_answer_is_sent_with_the_file_and_guesses_are_not(asked):
    asked.find("question_logit").setCurrentIndex(0)
    assert asked.controller.inspected[-1] == str(asked.path)
    assert asked.controller.answers[-1] == {"logit": "none"}
    assert "1 open" in heading(asked)


def test_an_answer_shows_at_once_on_the_slice_on_show(asked):
    assert asked.controller.peeks == []
    asked.find("question_logit").setCurrentIndex(0)
    inspected(asked, Inquiry((SCALING, LOGIT), {"logit": "none"}), ModelSpec("mine"))
    asked.wait(lambda: "preview" in asked.viewer.layers[-1].name)
    z = asked.viewer.dims.current_step[0]
    preview = asked.viewer.layers[-1]
    asked.wait(lambda: (preview.data[z] > 0).sum() == 36)
    assert asked.controller.peeks[-1].answers == (("logit", "none"),)
    asked.find("question_scaling").setCurrentIndex(1)
    both = {"logit": "none", "scaling": "percentile"}
    inspected(asked, Inquiry((SCALING, LOGIT), both), ModelSpec("mine"))
    asked.wait(lambda: dict(asked.controller.peeks[-1].answers) == both)


def test_a_run_computes_with_the_answers_that_are_shown(asked):
    asked.find("question_logit").setCurrentIndex(0)
    inspected(asked, Inquiry((SCALING, LOGIT), {"logit": "none"}), ModelSpec("mine"))
    asked.run()
    assert asked.controller.requests[-1].answers == (("logit", "none"),)


def test_after_a_run_another_answer_is_previewed_and_leaves_the_result_alone(asked):
    labels = asked.run()
    before = labels.data.copy()
    asked.find("question_logit").setCurrentIndex(0)
    inspected(asked, Inquiry((SCALING, LOGIT), {"logit": "none"}), ModelSpec("mine"))
    asked.wait(lambda: "preview" in asked.viewer.layers[-1].name)
    z = asked.viewer.dims.current_step[0]
    preview = asked.viewer.layers[-1]
    asked.wait(lambda: (preview.data[z] > 0).sum() == 36)
    np.testing.assert_array_equal(labels.data, before)


def test_remembered_answers_are_shown_as_they_were_given(asked):
    given = {"scaling": "percentile", "logit": "none"}
    inspected(asked, Inquiry((SCALING, LOGIT), given), ModelSpec("mine"))
    assert asked.find("question_scaling").currentText() == "Between percentiles"
    assert heading(asked).endswith("About this model")


def test_an_answer_that_is_overtaken_by_another_does_not_come_back(asked):
    asked.find("question_logit").setCurrentIndex(0)
    asked.find("question_logit").setCurrentIndex(1)
    inspected(asked, Inquiry((SCALING, LOGIT), {"logit": "none"}), ModelSpec("mine", "Older"))
    assert asked.find("question_logit").currentText() == "Its logit"
    inspected(asked, Inquiry((SCALING, LOGIT), {"logit": "sigmoid"}), ModelSpec("mine", "Newer"))
    assert asked.find("question_logit").currentText() == "Its logit"


def test_answers_that_make_no_model_can_be_changed_back(asked):
    asked.find("question_logit").setCurrentIndex(0)
    inspected(asked, None, ModelError("That cannot be.", "Answer otherwise."))
    assert not asked.find("model_questions").isHidden()
    assert "Answer otherwise" in asked.find("segment_button").toolTip()
    asked.find("question_logit").setCurrentIndex(1)
    inspected(asked, Inquiry((SCALING, LOGIT), {"logit": "sigmoid"}), ModelSpec("mine"))
    assert asked.find("segment_button").isEnabled()


def test_questions_belong_to_their_model(asked):
    asked.find("model").setCurrentIndex(0)
    assert asked.find("model_questions").isHidden()
    asked.find("model").setCurrentIndex(asked.find("model").findData(str(asked.path)))
    assert not asked.find("model_questions").isHidden()


def test_a_file_of_answers_that_was_passed_over_is_named(asked):
    notice = "mine.pt.slicewise.json is no file of answers about a model, and is passed over."
    inspected(asked, Inquiry((SCALING,), {}, (notice,)), ModelSpec("mine"))
    assert not asked.find("model_notice").isHidden()
    assert asked.find("model_notice").toolTip() == notice
    assert asked.find("question_logit") is None or asked.find("question_logit").isHidden()


PROGRAM = b"a program"
DIGEST = sha256(PROGRAM).hexdigest()


@pytest.fixture
def warned(desk, tmp_path):
    """A panel whose model is a file that would run code."""
    desk.path = tmp_path / "program.pt"
    desk.path.write_bytes(PROGRAM)
    desk.viewer.add_image(np.zeros((6, 12, 16), np.uint8))
    desk.panel.form.add_model_file(desk.path)
    words = f"{desk.path} is a TorchScript program. It could do anything."
    inspected(desk, None, ConsentNeededError(words, "Say yes.", DIGEST, str(desk.path)))
    return desk


def test_a_program_is_run_only_after_the_user_has_said_yes(warned):
    bar = warned.find("consent_bar")
    assert not bar.isHidden()
    words = warned.find("consent_words").said
    assert words == "program.pt is a TorchScript program. It could do anything."
    assert warned.find("consent_digest", QLabel).text().replace("\n", "") == f"SHA-256{DIGEST}"
    assert not warned.find("segment_button").isEnabled()
    assert "not allowed" in warned.find("segment_button").toolTip()
    assert warned.controller.inspected == [str(warned.path)]
    assert not is_trusted(DIGEST)
    warned.press("consent_agree")
    assert is_trusted(DIGEST)
    assert warned.controller.inspected == [str(warned.path)] * 2
    inspected(warned, Inquiry(), ModelSpec("program"))
    assert bar.isHidden()
    assert warned.find("segment_button").isEnabled()


def test_saying_no_to_a_program_goes_back_to_the_model_before(warned):
    warned.press("consent_decline")
    assert warned.find("consent_bar").isHidden()
    assert warned.find("model").currentText() == "Grey nuclei"
    assert warned.find("segment_button").isEnabled()
    assert not is_trusted(DIGEST)


def test_where_consent_cannot_be_kept_the_reason_is_said(warned, tmp_path):
    (tmp_path / "config").write_text("a file where a folder belongs")
    warned.press("consent_agree")
    assert "trusted_programs.txt cannot be read" in warned.find("segment_button").toolTip()
    assert warned.controller.inspected == [str(warned.path)]
