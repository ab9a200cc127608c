"""Networks small enough to run in a test, written to real files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from napari_slicewise.inference.loading import LoadedModel, load_model_file
from napari_slicewise.models.checkpoint import write_checkpoint
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.unet import UNet


def write_random_model(path: Path, **spec) -> Path:
    """Write a network with random weights and batch norm that has seen data."""
    torch.manual_seed(0)
    details = {"in_channels": 1, "out_channels": 1, "first_filters": 4, **spec}
    description = ModelSpec(name=path.stem, **details)
    network = UNet(
        in_channels=description.in_channels,
        out_channels=description.out_channels,
        first_filters=description.first_filters,
    )
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(4, description.in_channels, 32, 32))
    write_checkpoint(path, network.state_dict(), description)
    return path


@pytest.fixture(scope="session")
def random_model_path(tmp_path_factory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("models") / "random.safetensors")


@pytest.fixture(scope="session")
def random_model(random_model_path) -> LoadedModel:
    return load_model_file(random_model_path)
