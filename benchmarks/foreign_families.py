"""The largest difference between other makers' networks and what is made of their checkpoints.

    python benchmarks/foreign_families.py

Random weights and randomised statistics of batch norm, an image of noise of 64 x 96 pixels,
float32; as a share of the largest value. Families whose library is not installed are passed
over, and named.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
warnings.simplefilter("ignore")  # of libraries, about what they could use

from models.foreign_networks import (  # noqa: E402
    BrainUNet,
    CourseUNet,
    PlainUNet,
    PyTorchUNet,
    randomise,
)

from napari_slicewise.models.checkpoint import load_network, read_checkpoint  # noqa: E402

Family = tuple[str, Callable[[], nn.Module], dict[str, str]]


def own_modules() -> Iterator[Family]:
    """Yield the families that the tests write anew."""
    yield "PyTorch-UNet, transposed", lambda: PyTorchUNet(2, 3, 16, bilinear=False), {}
    yield "PyTorch-UNet, bilinear", lambda: PyTorchUNet(1, 1, 16, bilinear=True), {}
    yield "brain segmentation of torch.hub", lambda: BrainUNet(3, 1, 16), {}
    yield "downs, ups, final_conv", lambda: CourseUNet(1, 1, (16, 32, 64, 128)), {}
    yield "padded, names unknown", lambda: PlainUNet(1, 1, (16, 32, 64)), {}


def of_monai() -> Iterator[Family]:
    """Yield MONAI's networks."""
    from monai.networks import nets

    def unet(**settings: Any) -> nn.Module:
        shape = {"channels": (16, 32, 64), "strides": (2, 2), **settings}
        network: nn.Module = nets.UNet(2, 1, 2, **shape)
        return network

    yield "MONAI UNet", lambda: unet(norm="BATCH"), {}
    yield "MONAI UNet, residual units", lambda: unet(norm="BATCH", num_res_units=2), {}
    yield "MONAI UNet, instance norm", unet, {}
    features = (16, 16, 32, 64, 128, 16)
    yield "MONAI BasicUNet", lambda: nets.BasicUNet(2, 1, 2, features=features), {}


def of_smp() -> Iterator[Family]:
    """Yield networks of segmentation_models_pytorch."""
    import segmentation_models_pytorch as smp

    for encoder in ("resnet18", "resnet34", "vgg11", "mobilenet_v2", "efficientnet-b0"):
        made = lambda name=encoder: smp.Unet(name, encoder_weights=None)  # noqa: E731
        yield f"smp Unet, {encoder}", made, {}


def largest_difference(make: Callable[[], nn.Module], answers: dict[str, str]) -> float:
    """Save a network, read the file, and compare the two."""
    network = randomise(make())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pt"
        torch.save(network.state_dict(), path)
        checkpoint = read_checkpoint(path, answers)
    ours = load_network(checkpoint)
    generator = torch.Generator().manual_seed(0)
    # Sides of the deepest networks are multiples of 32.
    image = torch.rand(1, checkpoint.spec.in_channels, 64, 96, generator=generator)
    with torch.inference_mode():
        expected, answer = network(image), ours(image)
    if isinstance(network, BrainUNet):  # its output has passed the sigmoid
        answer = answer.sigmoid()
    return float((answer - expected).abs().max() / expected.abs().max())


def main() -> None:
    """Print one line a family."""
    for families in (own_modules, of_monai, of_smp):
        try:
            for title, make, answers in families():
                print(f"{title:36} {largest_difference(make, answers):.1e}", flush=True)
        except (ImportError, RuntimeError) as error:
            print(f"{families.__name__}: not here ({error})")


if __name__ == "__main__":
    main()
