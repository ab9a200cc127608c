"""The layers of somebody else's padded U-Net, found in a state_dict by shape and order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from napari_slicewise.errors import ModelError

__all__ = ["Convolution", "ForeignUNet", "Norm", "find_layers"]


@dataclass(frozen=True, eq=False)
class Norm:
    """Batch norm: four vectors ``(channels,)``."""

    key: str
    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor


@dataclass(frozen=True, eq=False)
class Convolution:
    """A kernel ``(out, in, y, x)``, or ``(in, out, 2, 2)`` of a transposed convolution."""

    key: str
    weight: Tensor
    bias: Tensor | None
    norm: Norm | None = None


@dataclass(frozen=True, eq=False)
class ForeignUNet:
    """Layers in the order in which they are computed.

    Parameters
    ----------
    convolutions
        Those of 3x3, two a block: ``depth + 1`` blocks down, ``depth`` up.
    ups
        ``depth`` transposed convolutions; none where sides are doubled without weights.
    head
        The 1x1 convolution to the output.
    """

    convolutions: list[Convolution]
    ups: list[Convolution]
    head: Convolution

    @property
    def depth(self) -> int:
        """How often sides are halved."""
        return (len(self.convolutions) - 2) // 4

    @property
    def skips(self) -> list[int]:
        """Channels of the skip that each block on the way up reads, the deepest first."""
        return [_out(self.convolutions[2 * n + 1]) for n in reversed(range(self.depth))]


def find_layers(state: Mapping[str, Tensor]) -> ForeignUNet:
    """Find a U-Net's layers, and prove by their channels that they follow each other.

    The order is the file's; where that does not fit (safetensors sorts by name, and some
    classes make their decoder first), the natural order of the names; then that of the
    channels, in which blocks that shed channels are those on the way up.

    Raises
    ------
    ModelError
        With the first tensor that does not fit.
    """
    found = _read_layers(state)
    problems = []
    for candidate in (found, _sorted_by_name(found)):
        for arranged in (candidate, _sorted_by_channels(candidate)):
            problem = _first_misfit(arranged)
            if problem is None:
                return arranged
            problems.append(problem)
    raise ModelError(problems[0])


def _read_layers(state: Mapping[str, Tensor]) -> ForeignUNet:
    """Sort tensors by kind of layer, and count them."""
    modules: dict[str, dict[str, Tensor]] = {}
    for key, tensor in state.items():
        path, _, leaf = key.rpartition(".")
        modules.setdefault(path, {})[leaf] = tensor
    norms, kernels = [], []
    for path, tensors in modules.items():
        if "running_mean" in tensors:
            norms.append(_read_norm(path, tensors))
        else:
            kernels.append(_read_convolution(path, tensors))
    by_side: dict[int, list[Convolution]] = {1: [], 2: [], 3: []}
    for kernel in kernels:
        by_side[kernel.weight.shape[-1]].append(kernel)
    heads, ups, convolutions = by_side[1], by_side[2], by_side[3]
    if len(heads) != 1:
        which = f", the second {heads[1].key!r}" if heads else ""
        raise ModelError(f"it has {len(heads)} convolutions of 1x1{which}; a U-Net has one")
    if len(convolutions) < 6 or len(convolutions) % 4 != 2:
        last = f", the last {convolutions[-1].key!r}" if convolutions else ""
        raise ModelError(
            f"it has {len(convolutions)} convolutions of 3x3{last}; a U-Net with two in each "
            "block has 6, 10, 14, 18, ..."
        )
    layers = ForeignUNet(_with_norms(convolutions, norms), ups, heads[0])
    if len(ups) not in (0, layers.depth):
        raise ModelError(
            f"it has {len(ups)} transposed convolutions, the last {ups[-1].key!r}; "
            f"{layers.depth} fit its {len(convolutions)} convolutions of 3x3"
        )
    return layers


def _read_norm(path: str, tensors: Mapping[str, Tensor]) -> Norm:
    """Read batch norm from the tensors of one module."""
    for leaf, tensor in tensors.items():
        if leaf not in {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}:
            raise ModelError(f"the tensor '{path}.{leaf}' belongs to no layer of a U-Net")
        if leaf != "num_batches_tracked" and tensor.ndim != 1:
            raise ModelError(f"the tensor '{path}.{leaf}' is no vector: {tuple(tensor.shape)}")
    for leaf in ("weight", "bias", "running_var"):
        if leaf not in tensors:
            raise ModelError(f"the tensor '{path}.{leaf}' is missing")
    return Norm(
        f"{path}.weight",
        tensors["weight"],
        tensors["bias"],
        tensors["running_mean"],
        tensors["running_var"],
    )


def _read_convolution(path: str, tensors: Mapping[str, Tensor]) -> Convolution:
    """Read a convolution from the tensors of one module, or say what the module is."""
    prefix = f"{path}." if path else ""
    for leaf in tensors:
        if leaf not in {"weight", "bias"}:
            raise ModelError(f"the tensor {prefix + leaf!r} belongs to no layer of a U-Net")
    if "weight" not in tensors:
        raise ModelError(f"the tensor {prefix + 'weight'!r} is missing")
    weight, bias = tensors["weight"], tensors.get("bias")
    what = {
        1: "a normalisation without running statistics, or a PReLU",
        2: "a fully connected layer",
        3: "a convolution along a line",
        5: "a convolution in space: the network is a 3D one",
    }.get(weight.ndim, "no layer of a U-Net")
    shape = tuple(weight.shape)
    if weight.ndim != 4:
        raise ModelError(f"the tensor {prefix + 'weight'!r} of shape {shape} is {what}")
    if shape[2:] not in {(1, 1), (2, 2), (3, 3)} or 0 in shape:
        raise ModelError(
            f"the kernel {prefix + 'weight'!r} has the shape {shape}; "
            "known are 3x3, 1x1, and 2x2 of transposed convolutions"
        )
    layer = Convolution(f"{prefix}weight", weight, bias)
    if bias is not None and tuple(bias.shape) != (_out(layer),):
        raise ModelError(
            f"the tensor {prefix + 'bias'!r} has the shape {tuple(bias.shape)}, "
            f"its kernel makes {_out(layer)} channels"
        )
    return layer


def _with_norms(convolutions: list[Convolution], norms: list[Norm]) -> list[Convolution]:
    """Give each 3x3 convolution the batch norm that follows it, in the file's order."""
    if not norms:
        return convolutions
    if len(norms) != len(convolutions):
        raise ModelError(
            f"it has {len(norms)} batch norms, the last {norms[-1].key!r}, "
            f"for {len(convolutions)} convolutions of 3x3"
        )
    pairs = list(zip(convolutions, norms, strict=True))
    for layer, norm in pairs:
        vectors = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
        if any(len(vector) != _out(layer) for vector in vectors):
            raise ModelError(
                f"the batch norm {norm.key!r} has {len(norm.weight)} channels, "
                f"{layer.key!r} before it {_out(layer)}"
            )
        if _steps_between(layer.key, norm.key) == 2:  # in one nn.Sequential: a ReLU between
            raise ModelError(
                f"the batch norm {norm.key!r} does not follow {layer.key!r} directly; "
                "known is convolution, batch norm, ReLU"
            )
    return [Convolution(c.key, c.weight, c.bias, norm) for c, norm in pairs]


def _steps_between(first: str, second: str) -> int | None:
    """Return how far two numbered modules of one sequence are apart; else None."""
    one, two = (re.fullmatch(r"(.*?)(\d+)\.weight", key) for key in (first, second))
    if one is None or two is None or one[1] != two[1]:
        return None
    return int(two[2]) - int(one[2])


def _first_misfit(layers: ForeignUNet) -> str | None:
    """Follow the channels from image to output; say where they do not fit, or None."""
    skips = [0] * (layers.depth + 1) + layers.skips
    coming = _in(layers.convolutions[0])
    for number, layer in enumerate(layers.convolutions):
        block, second = divmod(number, 2)
        if not second and block > layers.depth:
            if layers.ups:
                up = layers.ups[block - layers.depth - 1]
                if up.weight.shape[0] != coming:
                    return _misfit(up.key, up.weight.shape[0], coming)
                coming = _out(up)
            coming += skips[block]
        if _in(layer) != coming:
            return _misfit(layer.key, _in(layer), coming)
        coming = _out(layer)
    if _in(layers.head) != coming:
        return _misfit(layers.head.key, _in(layers.head), coming)
    return None


def _misfit(key: str, reads: int, coming: int) -> str:
    return f"the kernel {key!r} reads {reads} channels, the layers before it make {coming}"


def _sorted_by_name(layers: ForeignUNet) -> ForeignUNet:
    """Sort by the names of the kernels, 2 before 10."""
    convolutions = sorted(layers.convolutions, key=_natural)
    return ForeignUNet(convolutions, sorted(layers.ups, key=_natural), layers.head)


def _sorted_by_channels(layers: ForeignUNet) -> ForeignUNet:
    """Sort blocks: those that keep or add channels, few first, then the others, many first."""
    blocks = list(zip(layers.convolutions[::2], layers.convolutions[1::2], strict=True))
    down = [block for block in blocks if _in(block[0]) <= _out(block[1])]
    up = [block for block in blocks if _in(block[0]) > _out(block[1])]
    down.sort(key=lambda block: (_in(block[0]), _out(block[1])))
    up.sort(key=lambda block: -_in(block[0]))
    ups = sorted(layers.ups, key=lambda layer: -layer.weight.shape[0])
    return ForeignUNet([layer for block in down + up for layer in block], ups, layers.head)


def _natural(layer: Convolution) -> list[tuple[int, str]]:
    """Sort key in which 2 comes before 10."""
    return [(int(p), "") if p.isdigit() else (-1, p) for p in re.split(r"(\d+)", layer.key)]


def _in(layer: Convolution) -> int:
    """Channels that a convolution reads."""
    return layer.weight.shape[1]


def _out(layer: Convolution) -> int:
    """Channels that a convolution makes; a transposed one, with its 2x2 kernel, too."""
    return layer.weight.shape[1 if layer.weight.shape[-1] == 2 else 0]
