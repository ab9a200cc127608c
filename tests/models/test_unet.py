"""The network is the tutorial's: its shapes, its keys, its numbers."""

import pytest
import torch

from napari_slicewise.models.unet import UNet


def test_three_channel_network_has_the_tutorials_size_and_keys():
    network = UNet(in_channels=3, out_channels=1, first_filters=64)
    state = network.state_dict()
    assert sum(parameter.numel() for parameter in network.parameters()) == 31_043_521
    assert len(state) == 136
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    assert shapes["e1.conv.conv1.weight"] == (64, 3, 3, 3)
    assert shapes["e1.conv.bn1.running_mean"] == (64,)
    assert shapes["e4.conv.conv2.weight"] == (512, 512, 3, 3)
    assert shapes["b.conv2.bias"] == (1024,)
    assert shapes["d1.up.weight"] == (1024, 512, 2, 2)
    assert shapes["d1.conv.conv1.weight"] == (512, 1024, 3, 3)
    assert shapes["d1.conv.bn2.weight"] == (512,)
    assert shapes["d4.conv.conv2.weight"] == (64, 64, 3, 3)
    assert shapes["outputs.weight"] == (1, 64, 1, 1)


@pytest.mark.parametrize("sides", [(16, 16), (32, 48)])
def test_output_has_the_sides_of_the_input(sides):
    network = UNet(in_channels=2, out_channels=5, first_filters=2).eval()
    with torch.inference_mode():
        assert network(torch.zeros(3, 2, *sides)).shape == (3, 5, *sides)


def test_a_pixel_beyond_the_margin_changes_nothing():
    torch.manual_seed(0)
    network = UNet(in_channels=1, out_channels=1, first_filters=2).double().eval()
    image = torch.rand(1, 1, 16, 512, dtype=torch.float64)
    changed = image.clone()
    changed[..., :128] = 0.0
    with torch.inference_mode():
        difference = (network(image) - network(changed)).abs()[0, 0].amax(0)
    assert difference[:128].max() > 0
    assert difference[128 + 112 :].max() == 0
