"""How far a network looks is measured as its structure says, whatever the weights."""

import pytest
import torch
from models.foreign_networks import PlainUNet, randomise
from torch import nn

from napari_slicewise.models.reach import measure_reach
from napari_slicewise.models.unet import UNet


def test_single_convolutions_reach_half_their_kernel():
    assert measure_reach(nn.Conv2d(1, 1, 3, padding=1), 1, 1) == 1
    assert measure_reach(nn.Conv2d(2, 1, 7, padding=3), 2, 1) == 3
    assert measure_reach(nn.Conv2d(1, 1, (1, 9), padding=(0, 4)), 1, 1) == 4


def test_pointwise_networks_reach_nothing():
    assert measure_reach(nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU()), 1, 1) == 0


def test_weights_of_zero_and_closed_relus_hide_nothing():
    layer = nn.Conv2d(1, 1, 3, padding=1)
    nn.init.zeros_(layer.weight)
    nn.init.constant_(layer.bias, -5.0)
    assert measure_reach(nn.Sequential(layer, nn.ReLU(), layer), 1, 1) == 2


@pytest.mark.parametrize("norm", [nn.InstanceNorm2d(2), nn.GroupNorm(1, 2)])
def test_norms_of_the_whole_slice_reach_everything(norm):
    assert measure_reach(nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), norm), 1, 1) is None


def test_the_tutorials_network_reaches_what_its_receptive_field_says():
    """From a border on its grid: 4 cells at the bottom, then 16 + 8 + 4 + 2 pixels on the way up.

    That is 94, in steps of 16 pixels 96. (From anywhere it is 7 * 16 - 5.)
    """
    assert measure_reach(UNet(1, 1, 1).eval(), 1, 16) == 96


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_beyond_the_reach_a_cut_changes_nothing(depth):
    torch.manual_seed(0)
    network = randomise(PlainUNet(1, 1, [3] * (depth + 1)))
    stride = 2**depth
    reach = measure_reach(network, 1, stride)
    image = torch.rand(1, 1, 32, 40 * stride)
    cut = 11 * stride
    with torch.inference_mode():
        whole, part = network(image)[..., cut:], network(image[..., cut:])
    torch.testing.assert_close(part[..., reach:], whole[..., reach:], rtol=0, atol=1e-5)
    assert not torch.allclose(part[..., : reach // 2], whole[..., : reach // 2], atol=1e-4)
