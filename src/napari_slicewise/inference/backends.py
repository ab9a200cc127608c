"""The network, made ready to run fast: numpy in, numpy out."""

from __future__ import annotations

import copy
from typing import Protocol

import numpy as np
import torch
import torch.fx
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_slicewise.inference.request import Precision
from napari_slicewise.models.spec import OutputKind

__all__ = ["Activated", "Backend", "TorchBackend", "UnfitError", "activate", "fold_batch_norm"]

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class UnfitError(Exception):
    """An engine cannot run this network, or not rightly; another one can."""


class Backend(Protocol):
    """Anything that maps a batch of tiles to activations."""

    def predict(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map ``(tile, channel, y, x)`` to ``(tile, head, y, x)``; see :func:`activate`."""


class TorchBackend:
    """A torch network with batch norm folded, channels last, in a reduced precision.

    Parameters
    ----------
    network
        In evaluation mode; it is copied, not changed.
    output
        What the network's channels mean.
    device
        As torch names it.
    precision
        Number format of weights and arithmetic.
    """

    def __init__(
        self, network: nn.Module, output: OutputKind, device: str, precision: Precision
    ) -> None:
        self._output = output
        self._device = torch.device(device)
        self._dtype = _DTYPES[precision]
        folded = fold_batch_norm(network)
        folded = folded.to(self._device, self._dtype)
        # torch's annotations do not know this keyword of Module.to.
        self._network = folded.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def predict(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map ``(tile, channel, y, x)`` to ``(tile, head, y, x)``, float32 in 0..1."""
        batch = torch.from_numpy(np.ascontiguousarray(tiles))
        batch = batch.to(self._device, self._dtype).to(memory_format=torch.channels_last)
        activated: NDArray[np.float32] = (
            activate(self._network(batch).float(), self._output).contiguous().cpu().numpy()
        )
        return activated


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """Fold each batch norm into the convolution before it; the function stays the same.

    A network that torch.fx cannot trace (control flow that depends on the data) is
    copied unfolded: correct, only slower.
    """
    network = copy.deepcopy(network).eval()
    try:
        traced = torch.fx.symbolic_trace(network)
    except (torch.fx.proxy.TraceError, NotImplementedError, TypeError, ValueError, RuntimeError):
        return network
    modules = dict(traced.named_modules())
    for node in list(traced.graph.nodes):
        before = node.args[0] if node.args else None
        norm = modules.get(str(node.target))
        if not isinstance(norm, nn.BatchNorm2d) or not isinstance(before, torch.fx.Node):
            continue
        convolution = modules.get(str(before.target))
        if isinstance(convolution, nn.Conv2d) and len(before.users) == 1:
            traced.set_submodule(str(before.target), fuse_conv_bn_eval(convolution, norm))
            node.replace_all_uses_with(before)
            traced.graph.erase_node(node)
    traced.recompile()
    return traced


class Activated(nn.Module):
    """A network with :func:`activate` behind it, for engines that run whole networks."""

    def __init__(self, network: nn.Module, output: OutputKind) -> None:
        super().__init__()
        self.network = network
        self.output: OutputKind = output

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        """Map ``(tile, channel, y, x)`` to ``(tile, head, y, x)`` in 0..1."""
        return activate(self.network(tiles), self.output)


def activate(logits: torch.Tensor, output: OutputKind) -> torch.Tensor:
    """Turn logits ``(tile, channel, y, x)`` into numbers in 0..1, by what they mean."""
    if output == "classes":
        return logits.softmax(dim=1)
    if output == "foreground_distance":
        return torch.cat([logits[:, :1].sigmoid(), logits[:, 1:].clamp(0.0, 1.0)], dim=1)
    return logits.sigmoid()
