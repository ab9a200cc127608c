"""Questions about a file: from the worker that reads it to the next session and Python."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from models.foreign_networks import PlainUNet
from support.listening import Listener, everything, stack

from napari_slicewise.api import load_model
from napari_slicewise.errors import ModelError
from napari_slicewise.io.source import ArraySource
from napari_slicewise.models.answers import answers_path
from napari_slicewise.models.checkpoint import read_checkpoint
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.unet import UNet


@pytest.fixture(autouse=True)
def _own_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def bare(tmp_path):
    """Weights of a course: a state_dict, and nothing that says what it means."""
    torch.manual_seed(0)
    network = UNet(in_channels=1, out_channels=1, first_filters=4)
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(4, 1, 32, 32))
    path = tmp_path / "course.pt"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture
def heard(controller):
    heard = Listener(controller)
    heard.inquiries = []
    controller.model_inquired.connect(lambda _path, inquiry: heard.inquiries.append(inquiry))
    return heard


def inspect(controller, heard, path, answers=None):
    count = len(heard.inspected)
    controller.inspect_model(str(path), answers)
    heard.wait(lambda: len(heard.inspected) == count + 1)
    return heard.inspected[-1][1], heard.inquiries[-1] if heard.inquiries else None


def scaling_of(inquiry):
    return next(question for question in inquiry.questions if question.key == "scaling")


def test_a_bare_file_leaves_the_scaling_open_and_is_usable_at_once(controller, heard, bare):
    spec, inquiry = inspect(controller, heard, bare)
    assert isinstance(spec, ModelSpec)
    assert scaling_of(inquiry).guess == spec.normalization == "divide_by_255"
    assert inquiry.answers == {}
    assert not answers_path(bare).exists()


def test_an_answer_changes_the_model_and_is_remembered_beside_the_file(controller, heard, bare):
    spec, inquiry = inspect(controller, heard, bare, {"scaling": "percentile"})
    assert spec.normalization == "percentile"
    assert inquiry.answers == {"scaling": "percentile"}
    assert answers_path(bare).is_file()
    again, inquiry = inspect(controller, heard, bare)
    assert again == spec
    assert inquiry.answers == {"scaling": "percentile"}


def test_python_and_the_command_line_take_the_answers_of_the_panel(controller, heard, bare):
    assert load_model(bare).spec.normalization == "divide_by_255"
    inspect(controller, heard, bare, {"scaling": "percentile"})
    assert load_model(bare).spec.normalization == "percentile"


def test_a_run_computes_with_the_answers_of_its_request(controller, heard, bare):
    source = ArraySource(stack(1, 64, 64))
    found = []
    for answers in ((), (("scaling", "percentile"),)):
        request = everything(bare, source, output="probability", answers=answers)
        controller.start(request, source)
        report = heard.report(len(found) + 1)
        assert report.outcome == "completed", report.message
        found.append(heard.results[-1].values)
    assert np.abs(found[0] - found[1]).max() > 1e-4  # nothing came from the other's memory


def test_an_answer_that_is_none_is_refused_and_not_remembered(controller, heard, bare):
    error, _ = inspect(controller, heard, bare, {"scaling": "by magic"})
    assert isinstance(error, ModelError)
    assert "by magic" in str(error)
    assert not answers_path(bare).exists()


def test_every_answer_makes_another_model_so_that_nothing_kept_is_mistaken_for_it(tmp_path):
    path = tmp_path / "plain.pt"
    torch.manual_seed(0)
    torch.save(PlainUNet(1, 2, (4, 8, 16)).state_dict(), path)
    questions = read_checkpoint(path).questions
    assert {question.key for question in questions} > {"scaling", "skip_order", "interpolation"}
    for question in questions:
        specs = [read_checkpoint(path, {question.key: value}).spec for value in question.values]
        assert len({spec.to_json() for spec in specs}) == len(question.values), question.key
