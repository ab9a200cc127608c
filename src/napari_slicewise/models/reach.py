"""How far a network looks, measured: what a pixel of the input can change in the output."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["measure_reach"]

_CELLS = 24  # on each side of the one that is marked


@torch.inference_mode()
def measure_reach(network: nn.Module, in_channels: int, stride: int) -> int | None:
    """Measure how far the output depends on the input, in pixels.

    One cell of the pooling grid is made NaN: what comes out as NaN has looked at it. That
    is the receptive field by structure, whatever the weights are, since NaN times zero is
    NaN and no ReLU stops it. (A convolution that computes several pixels from common sums
    would spread it further: that makes the margin larger, and nothing wrong.)

    Parameters
    ----------
    network
        Padded; in evaluation mode, on the processor.
    in_channels
        Of its input.
    stride
        Of what sides must be a multiple.

    Returns
    -------
    int or None
        The larger of rows and columns, rounded up to a multiple of ``stride``: output
        this far from a tile's border is what the whole image would give. None where a
        cell reaches the ends of a strip of 49 cells: the output then depends on the
        whole input, or nearly so.
    """
    farthest = 0
    kernels = [weight.shape for weight in network.parameters() if weight.ndim == 4]
    directions = (-1,) if all(shape[2] == shape[3] for shape in kernels) else (-1, -2)
    for along in directions:
        shape = [1, in_channels, 2 * stride, 2 * stride]
        shape[along] = (2 * _CELLS + 1) * stride
        strip = torch.zeros(shape)
        strip.narrow(along, _CELLS * stride, stride).fill_(torch.nan)
        across = -2 if along == -1 else -1
        reached = network(strip).isnan().any(across)[0].any(0).nonzero()[:, 0]
        if not len(reached):
            continue
        first, last = int(reached[0]), int(reached[-1])
        if first == 0 or last == shape[along] - 1:
            return None
        before, after = _CELLS * stride - first, last + 1 - (_CELLS + 1) * stride
        farthest = max(farthest, before, after)
    return -(-farthest // stride) * stride
