"""Networks whose answer is known for any image: what is brighter than half is an object."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from napari_slicewise.inference.device import LocalDevices
from napari_slicewise.inference.loading import LoadedModel
from napari_slicewise.models.spec import ModelSpec

STEEPNESS = 12.0


class TorchOnly(LocalDevices):
    """This machine, with torch for every network."""

    def engine(self, device, precision):  # noqa: ARG002 - the policy's signature
        return "torch"


def bright_model(weights=(1.0,), *, lost=0, **spec):
    """Return a model that sees the weighted sum of its channels, 8-bit values as 0..1.

    Its convolution looks at one pixel only; with ``lost`` it is unpadded, and loses so many
    pixels at each border.
    """
    side = 2 * lost + 1
    convolution = nn.Conv2d(len(weights), 1, side)
    with torch.no_grad():
        convolution.weight.zero_()
        convolution.weight[0, :, lost, lost] = STEEPNESS * torch.tensor(weights)
        convolution.bias.fill_(-STEEPNESS / 2)
    description = ModelSpec(
        "bright",
        in_channels=len(weights),
        normalization="divide_by_255",
        padding="valid" if lost else "same",
        stride=4,
        margin=lost,
    )
    network = nn.Sequential(convolution).eval()
    return LoadedModel(replace(description, **spec), "0" * 64, Path("bright"), network)
