"""Answers about a model lie beside its file, or in the user's configuration."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest

from napari_slicewise.errors import OutputError
from napari_slicewise.models.answers import (
    Inquiry,
    answers_path,
    inquire,
    recall_answers,
    remember_answers,
)
from napari_slicewise.models.questions import Question

GIVEN = {"scaling": "divide_by_255", "output": "softmax"}


@pytest.fixture
def weights(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    path = folder / "mine.pt"
    path.write_bytes(b"weights")
    return path


@pytest.fixture(autouse=True)
def configuration(tmp_path, monkeypatch):
    """The folder in which the user's configuration lies, of this test alone."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "napari-slicewise" / "answers"


def digest(path):
    return sha256(path.read_bytes()).hexdigest()


def test_what_was_answered_is_found_again_beside_the_file(weights):
    assert recall_answers(weights, digest(weights)).answers == {}
    place = remember_answers(weights, digest(weights), GIVEN)
    assert place == weights.parent / "mine.pt.slicewise.json"
    found = recall_answers(weights, digest(weights))
    assert (found.answers, found.place, found.notices) == (GIVEN, place, ())
    assert weights.read_bytes() == b"weights"


def test_a_human_can_read_the_file_and_see_what_it_is_about(weights):
    place = remember_answers(weights, digest(weights), GIVEN)
    assert json.loads(place.read_text("utf-8")) == {
        "format": "napari-slicewise answers",
        "version": 1,
        "file": "mine.pt",
        "sha256": digest(weights),
        "answers": GIVEN,
    }
    assert len(place.read_text("utf-8").splitlines()) > 6


def test_later_answers_replace_earlier_ones_and_leave_no_other_file(weights):
    remember_answers(weights, digest(weights), GIVEN)
    remember_answers(weights, digest(weights), {"output": "sigmoid"})
    assert recall_answers(weights, digest(weights)).answers == {"output": "sigmoid"}
    assert {path.name for path in weights.parent.iterdir()} == {
        "mine.pt",
        "mine.pt.slicewise.json",
    }


def test_answers_about_other_weights_of_the_same_name_do_not_count(weights):
    remember_answers(weights, digest(weights), GIVEN)
    weights.write_bytes(b"trained longer")
    found = recall_answers(weights, digest(weights))
    assert found.answers == {}
    assert "another version of the file" in found.notices[0]
    remember_answers(weights, digest(weights), {"output": "sigmoid"})
    assert recall_answers(weights, digest(weights)).answers == {"output": "sigmoid"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no file of answers"),
        (b'{"format": "napari-slicewise answers", ', "no file of answers"),
        (b'{"settings": {"theme": "dark"}}', "no file of answers"),
        (b"[1, 2]", "no file of answers"),
        (b"[" * 60_000, "no file of answers"),
        (b"\xff\xfe\x00", "no file of answers"),
        (b" " * 70_000, "no file of answers"),
        (b'{"format": "napari-slicewise answers", "version": 2}', "another version of napari"),
        (
            b'{"format": "napari-slicewise answers", "version": 1, "sha256": "", "answers": 3}',
            "no file of answers",
        ),
        (
            b'{"format": "napari-slicewise answers", "version": 1, "sha256": "", '
            b'"answers": {"scaling": 255}}',
            "no file of answers",
        ),
    ],
)
def test_a_file_that_is_not_ours_is_named_and_never_overwritten(
    weights, configuration, content, reason
):
    answers_path(weights).write_bytes(content)
    found = recall_answers(weights, digest(weights))
    assert found.answers == {}
    assert "mine.pt.slicewise.json" in found.notices[0]
    assert reason in found.notices[0]
    place = remember_answers(weights, digest(weights), GIVEN)
    assert place.parent == configuration
    assert answers_path(weights).read_bytes() == content
    assert recall_answers(weights, digest(weights)).answers == GIVEN


def test_where_no_file_can_lie_beside_it_the_users_configuration_keeps_them(weights, configuration):
    longest = weights.with_name("m" * 252 + ".pt")  # with our ending longer than a name may be
    weights.rename(longest)
    place = remember_answers(longest, digest(longest), GIVEN)
    assert place == configuration / f"{digest(longest)}.json"
    assert recall_answers(longest, digest(longest)).answers == GIVEN


def test_a_folder_in_the_way_is_left_alone(weights, configuration):
    answers_path(weights).mkdir()
    assert remember_answers(weights, digest(weights), GIVEN).parent == configuration
    assert answers_path(weights).is_dir()
    assert recall_answers(weights, digest(weights)).answers == GIVEN


def test_once_the_folder_can_be_written_the_older_answers_do_not_hide_the_new(
    weights, configuration
):
    answers_path(weights).mkdir()
    remember_answers(weights, digest(weights), GIVEN)
    answers_path(weights).rmdir()
    place = remember_answers(weights, digest(weights), {"output": "sigmoid"})
    assert place == answers_path(weights)
    assert recall_answers(weights, digest(weights)).answers == {"output": "sigmoid"}
    assert not list(configuration.iterdir())


def test_when_nothing_can_be_written_the_error_says_so(weights, configuration):
    answers_path(weights).mkdir()
    configuration.parent.parent.mkdir(exist_ok=True)
    configuration.parent.write_text("a file where a folder belongs")
    with pytest.raises(OutputError, match="could not be written"):
        remember_answers(weights, digest(weights), GIVEN)


SCALING = Question(
    "scaling",
    "How were the pixels scaled?",
    (("divide_by_255", "Divided by 255"), ("none", "Not at all")),
    "divide_by_255",
)


def test_new_answers_are_remembered_and_earlier_ones_are_recalled(weights):
    sha = digest(weights)
    assert inquire(weights, sha, (SCALING,), {}) == Inquiry((SCALING,), {}, ())
    assert not answers_path(weights).exists()
    told = inquire(weights, sha, (SCALING,), {"scaling": "none"}, ("A notice.",))
    assert told == Inquiry((SCALING,), {"scaling": "none"}, ("A notice.",))
    assert inquire(weights, sha, (SCALING,), {}).answers == {"scaling": "none"}


def test_remembered_answers_that_no_question_takes_are_left_out(weights):
    remember_answers(weights, digest(weights), {"scaling": "by magic", "shape": "round"})
    assert inquire(weights, digest(weights), (SCALING,), {}).answers == {}


def test_a_file_that_leaves_nothing_open_is_asked_nothing(weights):
    remember_answers(weights, digest(weights), GIVEN)
    assert inquire(weights, digest(weights), (), {}) == Inquiry()


def test_answers_that_cannot_be_remembered_count_all_the_same(weights, configuration):
    answers_path(weights).mkdir()
    configuration.parent.parent.mkdir(exist_ok=True)
    configuration.parent.write_text("a file where a folder belongs")
    told = inquire(weights, digest(weights), (SCALING,), {"scaling": "none"})
    assert told.answers == {"scaling": "none"}
    assert "could not be remembered" in told.notices[0]
