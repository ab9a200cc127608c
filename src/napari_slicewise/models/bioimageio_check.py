"""Whether a network is the one of a bioimage.io package: it must give the package's test output."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_slicewise.models.bioimageio_any_size import AnySizeProgram
from napari_slicewise.models.bioimageio_meaning import Meaning
from napari_slicewise.models.bioimageio_network import packaged_sides
from napari_slicewise.models.bioimageio_processing import prepare_tensor
from napari_slicewise.models.spec import ModelSpec

__all__ = ["Comparison", "compare"]

_WINDOW = 384  # pixels: of a larger test image a corner is computed
_TOLERANCE = 0.01  # of probabilities; of logits also relative
_SHARE = 0.999  # of the numbers must agree: other machines round otherwise
_EXACT = 1e-5


@dataclass(frozen=True)
class Comparison:
    """How far what a network gives is from the test output.

    Parameters
    ----------
    share
        Of the numbers that agree; None where there was nothing to compare.
    error
        Mean absolute difference.
    """

    share: float | None
    error: float = 0.0

    @property
    def agrees(self) -> bool:
        """Whether nothing speaks against the network."""
        return self.share is None or self.share >= _SHARE

    @property
    def exact(self) -> bool:
        """Whether no other reading of the same weights can come nearer."""
        return self.error < _EXACT


@torch.inference_mode()
def compare(network: nn.Module, spec: ModelSpec, meaning: Meaning) -> Comparison:
    """Compare what a network gives for the test image with what the package says.

    Parameters
    ----------
    network
        In evaluation mode.
    spec
        What it is, with what the package says of it.
    meaning
        The package.
    """
    given, expected = meaning.given, meaning.expected
    if given is None or expected is None or given.shape[1] != spec.in_channels:
        return Comparison(None)
    sides = given.shape[2:]
    lost = [(a - b) // 2 for a, b in zip(sides, expected.shape[2:], strict=True)]
    if expected.shape[1] != spec.out_channels or min(lost) < 0:
        return Comparison(None)
    if spec.fixed_tile and tuple(sides) != spec.fixed_tile:
        return Comparison(None)
    pixels = prepare_tensor(given[:1], meaning.tensor)
    whole = network if spec.fixed_tile else AnySizeProgram(network, **packaged_sides(spec)).eval()
    # Where every output depends on the whole input, a corner gives something else.
    longest = max(sides) if spec.sees_all or spec.fixed_tile else _fitting(spec)
    window = [min(side, longest) for side in sides]
    out = whole(torch.from_numpy(pixels[..., : window[0], : window[1]]))
    if not meaning.logits:
        out = _activate(out, spec)
    # Where the window cuts the image, its margin sees less than the image has.
    ends = [
        part if part == side else part - spec.margin
        for part, side in zip(window, sides, strict=True)
    ]
    here = out.numpy()[0, :, lost[0] : ends[0], lost[1] : ends[1]]
    there = expected[0, :, : here.shape[1], : here.shape[2]].astype(np.float32)
    return _difference(here[:, : there.shape[1], : there.shape[2]], there, meaning)


def _difference(
    here: NDArray[np.float32], there: NDArray[np.float32], meaning: Meaning
) -> Comparison:
    if here.size == 0:
        return Comparison(None)
    threshold = meaning.ending.threshold
    if threshold is not None:
        here, there = (here > threshold).astype(np.float32), (there > 0).astype(np.float32)
    apart = np.abs(here - there)
    wide = _TOLERANCE * (1.0 + np.abs(there) * meaning.logits)
    return Comparison(float(np.mean(apart <= wide)), float(np.mean(apart)))


def _fitting(spec: ModelSpec) -> int:
    """Return how long a piece of the test image is enough: a few strides beside the margin."""
    return -(-max(_WINDOW, 2 * spec.margin + 4 * spec.stride) // spec.stride) * spec.stride


def _activate(logits: torch.Tensor, spec: ModelSpec) -> torch.Tensor:
    """Turn the network's output into the package's."""
    if spec.output == "foreground_distance":
        return logits  # done by the program around the network
    if spec.activation == "none":
        return logits
    softmax = spec.activation == "softmax" or (
        spec.activation == "auto" and spec.output == "classes"
    )
    return logits.softmax(dim=1) if softmax else logits.sigmoid()
