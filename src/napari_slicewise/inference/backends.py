"""The network, made ready to run fast: numpy in, numpy out."""

from __future__ import annotations

import copy
from typing import Any, Protocol

import numpy as np
import torch
import torch.fx
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_slicewise.inference.request import Precision
from napari_slicewise.models.spec import ActivationKind, ModelSpec, OutputKind

__all__ = [
    "Activated",
    "Backend",
    "OpaqueNetwork",
    "TorchBackend",
    "UnfitError",
    "activate",
    "fold_batch_norm",
]

_LIBRARIES = ("monai.", "segmentation_models_pytorch.")
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class UnfitError(Exception):
    """An engine cannot run this network, or not rightly; another one can."""


class Backend(Protocol):
    """Anything that maps a batch of tiles to activations."""

    def predict(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map ``(tile, channel, y, x)`` to ``(tile, head, y, x)``; see :func:`activate`."""


class OpaqueNetwork(nn.Module):
    """A network whose inside torch does not see; it computes in float32."""

    def openvino_graph(self, core: Any) -> Any:  # noqa: ARG002 - for those that have one
        """Return the network as OpenVINO reads it, without activations; None where it cannot."""
        return None


class TorchBackend:
    """A torch network with batch norm folded, channels last, in a reduced precision.

    Parameters
    ----------
    network
        In evaluation mode; it is copied, not changed.
    spec
        What the network's channels mean.
    device
        As torch names it.
    precision
        Number format of weights and arithmetic.
    """

    def __init__(
        self, network: nn.Module, spec: ModelSpec, device: str, precision: Precision
    ) -> None:
        self._spec = spec
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
        spec = self._spec
        activated = activate(
            self._network(batch).float(), spec.output, spec.activation, spec.background
        )
        values: NDArray[np.float32] = activated.contiguous().cpu().numpy()
        return values


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """Fold each batch norm into the convolution before it; the function stays the same.

    A network that torch.fx cannot trace (control flow that depends on the data) is
    copied unfolded: correct, only slower. So is one of a library: a trace replaces tensors
    by proxies, and MONAI's ``BasicUNet``, for one, leaves out its skips where it sees no tensor.
    """
    if isinstance(network, OpaqueNetwork | torch.jit.ScriptModule):
        return network.eval()  # there is nothing to fold, and nothing that is changed
    network = copy.deepcopy(network).eval()
    if type(network).__module__.startswith(_LIBRARIES):
        return network
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

    def __init__(
        self,
        network: nn.Module,
        output: OutputKind,
        activation: ActivationKind = "auto",
        background: int | None = 0,
    ) -> None:
        super().__init__()
        self.network = network
        self.output: OutputKind = output
        self.activation: ActivationKind = activation
        self.background = background

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        """Map ``(tile, channel, y, x)`` to ``(tile, head, y, x)`` in 0..1."""
        return activate(self.network(tiles), self.output, self.activation, self.background)


def activate(
    logits: torch.Tensor,
    output: OutputKind,
    activation: ActivationKind = "auto",
    background: int | None = 0,
) -> torch.Tensor:
    """Turn logits ``(tile, channel, y, x)`` into numbers in 0..1, by what they mean.

    Of ``classes`` the first head is the background: where each class has a sigmoid of its
    own, it is as probable as the likeliest class is not.
    """
    if output == "classes":
        return _of_classes(logits, activation, background)
    if activation == "none":
        return logits.clamp(0.0, 1.0)
    if output == "foreground_distance":
        return torch.cat([logits[:, :1].sigmoid(), logits[:, 1:].clamp(0.0, 1.0)], dim=1)
    return logits.sigmoid()


def _of_classes(
    logits: torch.Tensor, activation: ActivationKind, background: int | None
) -> torch.Tensor:
    """Return ``(tile, head, y, x)``: the background, then the classes in their order."""
    if activation == "sigmoid":
        likely = logits.sigmoid()
    elif activation == "none":
        likely = logits.clamp(0.0, 1.0)
    else:
        likely = logits.softmax(dim=1)
    if background == 0 and activation != "sigmoid":
        return likely
    others = likely
    if background is not None:
        others = torch.cat([likely[:, :background], likely[:, background + 1 :]], dim=1)
    if background is not None and activation != "sigmoid":
        none = likely[:, background : background + 1]
    else:
        none = 1.0 - others.amax(dim=1, keepdim=True)
    return torch.cat([none, others], dim=1)
