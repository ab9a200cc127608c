"""Weights of a colleague in a real window: asked about, previewed, remembered, and warned of."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from napari._app_model import get_app_model
from support.scripted_panel import Desk

from napari_slicewise.app.segment import SegmentController
from napari_slicewise.models.answers import answers_path
from napari_slicewise.models.checkpoint import read_checkpoint
from napari_slicewise.models.zoo import weights_path


@pytest.fixture
def real_desk(make_napari_viewer, qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))  # the worker's too
    desk = Desk(make_napari_viewer(show=True), SegmentController(), qtbot)
    get_app_model().commands.execute_command("napari-slicewise.nuclei3d")
    desk.viewer.dims.set_current_step(0, 15)
    return desk


@pytest.fixture
def bare(tmp_path):
    """The bundled network's foreground alone, as a state_dict that says nothing of itself."""
    state = dict(read_checkpoint(weights_path("nuclei")).state)
    for key in ("outputs.weight", "outputs.bias"):
        state[key] = state[key][:1].clone()
    path = tmp_path / "from_a_colleague.pth"
    torch.save({"epoch": 3, "state_dict": state}, path)
    return path


def choose(desk, path):
    desk.panel.form.add_model_file(path)
    models = desk.panel.form._models
    desk.qtbot.waitUntil(lambda: bool(models.spec or models.error), timeout=90_000)
    return models


def preview(desk):
    return next((layer for layer in desk.viewer.layers if layer.name.endswith("preview")), None)


def test_an_answer_is_seen_on_the_slice_and_found_again_in_the_next_session(real_desk, bare):
    desk = real_desk
    choose(desk, bare)
    scaling = desk.find("question_scaling")
    assert scaling.currentData() == "divide_by_255"
    scaling.setCurrentIndex(scaling.findData("percentile"))

    def objects():
        layer = preview(desk)
        return 0 if layer is None else np.unique(layer.data[15]).size - 1

    answered = (("scaling", "percentile"),)
    models = desk.panel.form._models
    desk.qtbot.waitUntil(lambda: models.answers == answered, timeout=90_000)
    desk.qtbot.waitUntil(lambda: objects() > 5, timeout=90_000)
    kept = json.loads(answers_path(bare).read_text("utf-8"))
    assert kept["answers"] == {"scaling": "percentile"}
    models = choose(desk, bare)  # read again, as in the next session
    desk.qtbot.waitUntil(lambda: models.spec is not None, timeout=90_000)
    assert models.spec.normalization == "percentile"
    assert models.answers == answered


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # the format is old
def test_a_program_is_loaded_only_after_a_click_on_its_warning(real_desk, tmp_path):
    desk = real_desk
    path = tmp_path / "program.pt"
    network = torch.nn.Conv2d(1, 1, 3, padding=1).eval()
    torch.jit.trace(network, torch.zeros(1, 1, 32, 32)).save(str(path))
    models = choose(desk, path)
    assert models.spec is None
    assert not desk.find("consent_bar").isHidden()
    assert not desk.find("segment_button").isEnabled()
    desk.press("consent_agree")
    desk.qtbot.waitUntil(lambda: models.spec is not None, timeout=90_000)
    assert desk.find("consent_bar").isHidden()
    assert models.spec.in_channels == 1
    assert desk.find("segment_button").isEnabled()
