"""Small networks written as ONNX and as TorchScript, with an export that the tests know."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from napari_slicewise.inference.request import Request
from napari_slicewise.inference.runner import Runner
from napari_slicewise.inference.stream import CancelToken
from napari_slicewise.io.source import ArraySource
from napari_slicewise.models.unet_padded import UNetPadded

__all__ = ["padded_unet", "probability", "write_onnx", "write_program"]


def padded_unet(inputs=1, outputs=1, *, depth=2, seed=3) -> nn.Module:
    """A U-Net whose answers vary over the image."""
    torch.manual_seed(seed)
    widths = (6,) * (4 * depth + 2) + (6,) * depth
    network = UNetPadded(inputs, outputs, widths)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    with torch.no_grad():
        for _ in range(4):
            network(torch.rand(2, inputs, 64, 64))
    return network.eval()


def write_onnx(
    network: nn.Module, path: Path, side=64, *, image=None, free=True, output_names=("out",)
) -> Path:
    """Write a network as ONNX, its sides free or those of an image."""
    image = torch.rand(1, 1, side, side) if image is None else image
    axes = {0: "b", 2: "y", 3: "x"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        torch.onnx.export(
            network.eval(),
            (image,),
            str(path),
            dynamo=False,
            input_names=["image"],
            output_names=list(output_names),
            dynamic_axes={"image": axes, "out": axes} if free else None,
        )
    return path


def write_program(network: nn.Module, path: Path, channels=1, side=64) -> Path:
    """Write a network as TorchScript."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        torch.jit.trace(network.eval(), torch.rand(1, channels, side, side)).save(str(path))
    return path


def probability(model, image: np.ndarray, **options) -> np.ndarray:
    """What a run gives, float32 and through the engine that this machine would choose."""
    from napari_slicewise.inference.device import LocalDevices

    request = Request("m", ((),), output="probability", precision="float32", **options)
    runner = Runner(request, ArraySource(image), model, LocalDevices(), CancelToken())
    (result,) = runner.results()
    return result.values
