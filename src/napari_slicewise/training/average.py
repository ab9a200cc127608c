"""A moving average of a network's weights, which generalises better than the last of them."""

from __future__ import annotations

import copy

import torch
from torch import nn

__all__ = ["WeightAverage"]


class WeightAverage:
    """Exponential moving average of all floating-point entries of a state_dict.

    Batch norm's running statistics are averaged too; its counters are copied.

    Parameters
    ----------
    network
        The network whose weights are followed; a copy of it holds the average.
    decay
        Weight of the past, a step. In the first steps it is smaller, so that
        the random start is forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(requires_grad=False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after ``step`` steps."""
        decay = min(self._decay, (1.0 + step) / (10.0 + step))
        for mean, value in zip(
            self.network.state_dict().values(), network.state_dict().values(), strict=True
        ):
            if mean.is_floating_point():
                mean.lerp_(value, 1.0 - decay)
            else:
                mean.copy_(value)
