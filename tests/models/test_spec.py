"""A description comes from a file of unknown origin: what no model can be is refused."""

from __future__ import annotations

import json

import pytest
import torch

from napari_slicewise.errors import ModelError
from napari_slicewise.models.checkpoint import read_checkpoint
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.unet import UNet


def test_a_description_survives_its_json_and_unknown_keys_are_passed_over():
    spec = ModelSpec("m", title="a model", output="classes", out_channels=3, scores={"IoU": 0.5})
    values = {**json.loads(spec.to_json()), "from_a_newer_version": 1}
    assert ModelSpec.from_json(json.dumps(values)) == spec


@pytest.mark.parametrize(
    "wrong",
    [
        {"output": "classes", "out_channels": 300},
        {"output": "nonsense"},
        {"normalization": "nonsense"},
        {"padding": "nonsense"},
        {"percentiles": [5]},
        {"percentiles": ["a", "b"]},
        {"percentiles": [99, 1]},
        {"percentiles": [-5, 200]},
        {"threshold": 9},
        {"threshold": "abc"},
        {"stride": 16.5},
        {"stride": 0},
        {"margin": "x"},
        {"margin": -1},
        {"pixel_um": -1},
        {"scores": {"a": "b"}},
        {"scores": [1]},
    ],
    ids=str,
)
def test_values_that_no_model_has_are_refused(wrong):
    with pytest.raises(ModelError):
        ModelSpec.from_json(json.dumps({"name": "m", **wrong}))


def test_negative_variances_are_refused_by_name(tmp_path):
    state = UNet(1, 1, 4).state_dict()
    state["e2.conv.bn1.running_var"][3] = -1.0
    torch.save(state, tmp_path / "broken.pt")
    with pytest.raises(ModelError, match=r"e2\.conv\.bn1\.running_var"):
        read_checkpoint(tmp_path / "broken.pt")
