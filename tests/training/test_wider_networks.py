"""A network with twice the filters that computes the same."""

import pytest
import torch
from support.random_models import write_random_model

from napari_slicewise.errors import ModelError
from napari_slicewise.models.checkpoint import load_network, read_checkpoint
from napari_slicewise.models.unet_2015 import UNet2015
from napari_slicewise.training.widening import widen


def test_wide_network_answers_as_the_narrow_one_and_noise_changes_it_a_little(tmp_path):
    narrow = read_checkpoint(
        write_random_model(tmp_path / "n.safetensors", output="foreground_distance", out_channels=2)
    )
    image = torch.randn(1, 1, 64, 48)
    with torch.no_grad():
        expected = load_network(narrow)(image)
        same = load_network(widen(narrow, noise=0.0))(image)
        near = load_network(widen(narrow))(image)
    torch.testing.assert_close(same, expected, atol=1e-4, rtol=1e-4)
    assert not torch.equal(near, same)
    wide = widen(narrow)
    assert wide.spec.first_filters == 2 * narrow.spec.first_filters
    first, second = wide.state["e2.conv.conv1.weight"][:2]
    assert not torch.equal(first, second)


def test_other_networks_cannot_be_widened(tmp_path):
    torch.save(UNet2015(1, 2, (4, 8)).state_dict(), tmp_path / "other.pt")
    with pytest.raises(ModelError, match="unet_2015"):
        widen(read_checkpoint(tmp_path / "other.pt"))
