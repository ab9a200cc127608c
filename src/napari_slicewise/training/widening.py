"""A network with twice as many filters that computes the same: a better start than chance."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from napari_slicewise.errors import ModelError
from napari_slicewise.models.checkpoint import Checkpoint

__all__ = ["widen"]


def widen(checkpoint: Checkpoint, noise: float = 0.05, seed: int = 0) -> Checkpoint:
    """Double every layer of a ``unet``.

    Each filter is there twice, and what reads it takes half of each: the output stays. A
    little noise makes the two learn different things. Source: Chen et al. 2016, Net2Net,
    arXiv:1511.05641.

    Parameters
    ----------
    checkpoint
        The narrow network.
    noise
        Standard deviation of the noise on the kernels, relative to theirs.
    seed
        Of the noise.

    Returns
    -------
    Checkpoint
        Of twice the first filters, under the same name.

    Raises
    ------
    ModelError
        When it is another network.
    """
    spec = checkpoint.spec
    if spec.architecture != "unet":
        raise ModelError(f"Only a unet can be widened, not {spec.architecture!r}.")
    random = torch.Generator().manual_seed(seed)
    state = {}
    for key, value in checkpoint.state.items():
        wide = _twice(key, value)
        if wide.ndim == 4 and noise:
            drawn = torch.randn(wide.shape, generator=random)
            wide = wide + noise * wide.std() * drawn
        state[key] = wide
    return Checkpoint(replace(spec, first_filters=2 * spec.first_filters), state, "")


def _twice(key: str, value: Tensor) -> Tensor:
    """Double what a tensor holds for each filter; the image's channels and the output stay."""
    if value.ndim == 0 or key == "outputs.bias":
        return value.clone()
    if value.ndim == 1:
        return value.repeat_interleave(2)
    first, last = key == "e1.conv.conv1.weight", key == "outputs.weight"
    inputs, outputs = (0, 1) if ".up." in key else (1, 0)  # transposed convolutions turn them
    wide = value if last else value.repeat_interleave(2, dim=outputs)
    return wide.clone() if first else wide.repeat_interleave(2, dim=inputs) / 2.0
