"""What a file leaves open is asked with the best guess first, and answers change what they say."""

import pytest
import torch
from models.foreign_networks import BrainUNet, CourseUNet, PlainUNet, PyTorchUNet

from napari_slicewise.errors import ModelError
from napari_slicewise.models.answers import remember_answers
from napari_slicewise.models.checkpoint import read_checkpoint, write_checkpoint
from napari_slicewise.models.questions import Question, chosen, fitting_answers
from napari_slicewise.models.unet import UNet
from napari_slicewise.models.unet_compact import UNetCompact


@pytest.fixture
def save(tmp_path):
    def write(network, name="theirs.pt"):
        torch.save(network.state_dict(), tmp_path / name)
        return tmp_path / name

    return write


def guesses(path):
    return {question.key: question.guess for question in read_checkpoint(path).questions}


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: UNet(1, 1, 2), {"scaling": "divide_by_255"}),
        (lambda: BrainUNet(3, 1, 2), {"scaling": "z_score"}),
        (
            lambda: PyTorchUNet(1, 2, 2, bilinear=True),
            {"scaling": "divide_by_255", "classes": "softmax", "foreground": "1"},
        ),
        (lambda: UNet(1, 3, 2), {"scaling": "divide_by_255", "classes": "softmax"}),
        (
            lambda: UNetCompact((1, 2, 4), 1),
            {"scaling": "divide_by_255", "last_relu": "no"},
        ),
        (
            lambda: CourseUNet(1, 1, (2, 4), names=("rising", "falling")),
            {"scaling": "divide_by_255", "skip_order": "upsampled_first"},
        ),
        (
            lambda: PlainUNet(1, 1, (2, 4)),
            {
                "scaling": "divide_by_255",
                "skip_order": "upsampled_first",
                "interpolation": "bilinear",
            },
        ),
    ],
)
def test_only_what_the_tensors_leave_open_is_asked(save, make, expected):
    assert guesses(save(make())) == expected


def test_every_guess_is_a_choice_and_every_choice_has_words(save):
    for question in read_checkpoint(save(PyTorchUNet(1, 2, 2, bilinear=True))).questions:
        assert question.guess in question.values
        assert question.text.endswith("?")
        assert all(label for _, label in question.choices)


@pytest.mark.parametrize(
    ("answers", "changed"),
    [
        ({"scaling": "z_score"}, {"normalization": "z_score"}),
        ({"scaling": "none"}, {"normalization": "none"}),
        ({"foreground": "0"}, {"activation": "softmax", "background": 1}),
        ({"classes": "sigmoid"}, {"activation": "sigmoid", "background": None}),
        ({"classes": "sigmoid+background"}, {"activation": "sigmoid", "background": 0}),
        (
            {"classes": "sigmoid+background", "foreground": "0"},
            {"activation": "sigmoid", "background": 1},
        ),
    ],
)
def test_answers_change_the_specification(save, answers, changed):
    spec = read_checkpoint(save(UNet(1, 2, 2)), answers).spec
    assert {name: getattr(spec, name) for name in changed} == changed


def test_what_is_answered_is_assumed_no_more(save):
    path = save(CourseUNet(1, 2, (2, 4), names=("rising", "falling")))
    guessed = read_checkpoint(path, {}).spec.description
    told = {"skip_order": "skip_first", "scaling": "percentile", "classes": "softmax"}
    settled = read_checkpoint(path, told).spec.description
    for words in ("channels first where both", "divided by 255", "softmax over"):
        assert words in guessed
        assert words not in settled


def test_the_second_form_of_the_sixty_lines_can_be_chosen(save):
    path = save(UNetCompact((1, 2, 4), 1))
    assert not read_checkpoint(path).spec.last_relu
    assert read_checkpoint(path, {"last_relu": "yes"}).spec.last_relu


def test_an_answer_that_is_no_choice_is_refused_with_the_choices(save):
    path = save(UNet(1, 1, 2))
    with pytest.raises(ModelError, match="no answer to 'scaling'") as caught:
        read_checkpoint(path, {"scaling": "by eye"})
    assert "z_score" in caught.value.hint
    with pytest.raises(ModelError, match="nothing open that is called 'colour'"):
        read_checkpoint(path, {"colour": "red"})


def test_a_file_with_our_card_leaves_nothing_open(save, tmp_path):
    first = read_checkpoint(save(UNet(1, 1, 2)), {"scaling": "z_score"})
    path = tmp_path / "own.safetensors"
    write_checkpoint(path, first.state, first.spec)
    second = read_checkpoint(path)
    assert second.questions == ()
    assert second.spec.normalization == "z_score"
    with pytest.raises(ModelError, match="nothing open"):
        read_checkpoint(path, {"scaling": "none"})


def test_remembered_answers_are_taken_and_outdated_ones_passed_over(save):
    path = save(UNet(1, 1, 2))
    digest = read_checkpoint(path).sha256
    remember_answers(path, digest, {"scaling": "z_score", "skip_order": "skip_first"})
    assert read_checkpoint(path).spec.normalization == "z_score"
    assert read_checkpoint(path, {}).spec.normalization == "divide_by_255"


def test_answers_are_completed_by_guesses():
    questions = (Question("a", "A?", (("x", "X"), ("y", "Y")), "x"),)
    assert chosen(questions, {}) == {"a": "x"}
    assert chosen(questions, {"a": "y"}) == {"a": "y"}
    assert fitting_answers(questions, {"a": "z", "b": "x"}) == {}
    with pytest.raises(ModelError, match="is no answer"):
        Question("a", "A?", (("x", "X"),), "z")
