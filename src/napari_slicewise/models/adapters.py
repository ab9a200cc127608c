"""Other people's checkpoints: their tensors brought under the keys of our networks.

Names and shapes are facts of those projects; see docs/models.md for what is read from the
tensors and what is assumed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from napari_slicewise.models.architectures import padded_spec, recognise_own
from napari_slicewise.models.foreign_layers import Convolution, ForeignUNet, find_layers
from napari_slicewise.models.questions import (
    Question,
    answer_spec,
    interpolation_question,
    skip_order_question,
    spec_questions,
)
from napari_slicewise.models.recognised import Recognised, State
from napari_slicewise.models.spec import ModelSpec, NormalizationKind, UpsamplingKind

__all__ = ["adapt_state"]

SkipOrder = Literal["upsampled_first", "skip_first"]


@dataclass(frozen=True)
class _Family:
    """A project whose networks are known by name.

    Parameters
    ----------
    title
        What it is called.
    keys
        All of these are in its state_dicts.
    skip_order
        In which order it joins what it upsampled and the skip.
    interpolation
        How it doubles sides where it has no weights for that.
    scaling
        What its pixels are, as far as that is known.
    remark
        What else its users must know.
    """

    title: str
    keys: tuple[str, ...] = ()
    skip_order: SkipOrder = "upsampled_first"
    interpolation: UpsamplingKind = "bilinear"
    scaling: NormalizationKind = "divide_by_255"
    remark: str = ""


_FAMILIES = (
    _Family(
        "PyTorch-UNet (milesial)",
        ("inc.double_conv.0.weight", "up1.conv.double_conv.0.weight", "outc.conv.weight"),
        "skip_first",
        "bilinear_aligned",
    ),
    _Family(
        "PyTorch-UNet (milesial, before 2019)",
        ("inc.conv.conv.0.weight", "up1.conv.conv.0.weight", "outc.conv.weight"),
        "skip_first",
        "bilinear_aligned",
    ),
    _Family(
        "the brain-segmentation U-Net of torch.hub (mateuszbuda)",
        ("encoder1.enc1conv1.weight", "decoder1.dec1conv1.weight", "conv.weight"),
        scaling="z_score",
        remark="It was trained on channels of mean 0 and standard deviation 1 in each image.",
    ),
    _Family(
        "the U-Net with downs, ups and final_conv (A. Persson)",
        ("downs.0.conv.0.weight", "ups.0.weight", "final_conv.weight"),
        "skip_first",
    ),
)
_UNKNOWN = _Family("a padded U-Net whose names are not known")

_COMPACT_NAMES = (
    (r"^encoder\.(encBlocks|encoder_blocks)\.", "encoder.enc_blocks."),
    (r"^decoder\.(decBlocks|decoder_blocks)\.", "decoder.dec_blocks."),
)


def adapt_state(state: Mapping[str, Tensor]) -> Recognised:
    """Bring a state_dict under the keys of the network of ours that computes the same.

    That is ``unet`` where depth, widths, batch norm and transposed convolutions are the
    tutorial's, and else ``unet_padded``. Convolutions without bias get one of zeros. Where
    the skip is joined before the upsampled channels, the input channels of the kernel
    that reads them are exchanged.

    Returns
    -------
    Recognised
        Its specification has no name; its description says what was assumed.

    Raises
    ------
    ModelError
        With the first tensor that does not fit; without the file's name.
    """
    renamed = _rename_compact(state)
    compact = recognise_own(renamed) if renamed.keys() != state.keys() else None
    if compact is not None:
        return compact
    family = next((f for f in _FAMILIES if all(key in state for key in f.keys)), _UNKNOWN)
    layers = find_layers(state)
    guess = _describe(layers, family)
    questions: list[Question] = list(spec_questions(guess))
    if family is _UNKNOWN:
        questions.append(skip_order_question(family.skip_order))
        if not layers.ups:
            questions.append(interpolation_question(family.interpolation))

    def make(values: Mapping[str, str], answered: frozenset[str]) -> tuple[ModelSpec, State]:
        order = values.get("skip_order", family.skip_order)
        spec = answer_spec(guess, values)
        if "interpolation" in values:
            kind = values["interpolation"]
            spec = replace(spec, upsampling=kind)  # type: ignore[arg-type]
        spec = replace(spec, description=_assumptions(layers, family, values, answered))
        ordered = _exchange(layers) if order == "skip_first" else layers
        return spec, _collect(ordered, spec.architecture)

    return Recognised(tuple(questions), make)


def _rename_compact(state: Mapping[str, Tensor]) -> State:
    """Undo the two other spellings in which the sixty lines circulate."""
    renamed = {}
    for key, tensor in state.items():
        new = key
        for pattern, name in _COMPACT_NAMES:
            new = re.sub(pattern, name, new)
        renamed[new] = tensor
    return renamed


def _describe(layers: ForeignUNet, family: _Family) -> ModelSpec:
    """Say what the network is, by its shapes and its family."""
    widths = tuple(layer.weight.shape[0] for layer in layers.convolutions)
    ups = tuple(layer.weight.shape[1] for layer in layers.ups)
    normed = layers.convolutions[0].norm is not None
    out_channels, first = layers.head.weight.shape[0], widths[0]
    spec = ModelSpec(
        "",
        architecture="unet_padded",
        in_channels=layers.convolutions[0].weight.shape[1],
        out_channels=out_channels,
        first_filters=first,
        widths=widths + ups,
        batch_norm=normed,
        upsampling="transposed" if ups else family.interpolation,
        output="foreground" if out_channels == 1 else "classes",
        normalization=family.scaling,
    )
    doubling = [first * 2**level for level in (0, 1, 2, 3, 4, 3, 2, 1, 0)]
    tutorial = tuple(width for width in doubling for _ in range(2)) + tuple(doubling[5:])
    if normed and spec.widths == tutorial:
        return replace(spec, architecture="unet", widths=())
    return padded_spec(spec, layers.depth)


def _assumptions(
    layers: ForeignUNet, family: _Family, values: Mapping[str, str], answered: frozenset[str]
) -> str:
    """Write down, for the card, what neither the tensors nor the user told."""
    open_points = []
    if family is _UNKNOWN:
        open_points = ["padded convolutions of stride 1 with a ReLU after each", "2x2 max pooling"]
        if "skip_order" not in answered:
            first = "the skip" if values["skip_order"] == "skip_first" else "the upsampled"
            open_points.append(f"{first} channels first where both are joined")
        if not layers.ups and "interpolation" not in answered:
            open_points.append("bilinear upsampling without aligned corners")
        widths = layers.skips
        if len(set(widths)) < len(widths):
            open_points.append("the file's order for levels that are equally wide")
    if "scaling" not in answered and not family.remark:
        open_points.append("pixels as 8-bit values divided by 255")
    if "classes" in values and "classes" not in answered:
        open_points.append("softmax over the classes")
    sentences = [f"Read as {family.title}."]
    if open_points:
        sentences.append(f"Assumed, since tensors do not tell: {'; '.join(open_points)}.")
    return " ".join([*sentences, family.remark]).strip()


def _exchange(layers: ForeignUNet) -> ForeignUNet:
    """Turn ``[skip, upsampled]`` into ``[upsampled, skip]`` at each kernel that reads both."""
    convolutions = list(layers.convolutions)
    for level, skip in enumerate(layers.skips):
        index = 2 * (layers.depth + 1 + level)
        old = convolutions[index]
        weight = torch.cat([old.weight[:, skip:], old.weight[:, :skip]], dim=1)
        convolutions[index] = replace(old, weight=weight)
    return replace(layers, convolutions=convolutions)


def _collect(layers: ForeignUNet, architecture: str) -> State:
    """Write the layers under the keys of ``unet`` or ``unet_padded``."""
    depth = layers.depth
    if architecture == "unet":
        blocks = ["e1.conv", "e2.conv", "e3.conv", "e4.conv", "b"]
        blocks += [f"d{n + 1}.conv" for n in range(depth)]
        ups, head = [f"d{n + 1}.up" for n in range(depth)], "outputs"
    else:
        blocks = [f"descent.{n}" for n in range(depth + 1)]
        blocks += [f"ascent.{n}" for n in range(depth)]
        ups, head = [f"ups.{n}" for n in range(depth)], "head"
    state: State = {}
    for number, layer in enumerate(layers.convolutions):
        block, second = divmod(number, 2)
        state |= _kernel(f"{blocks[block]}.conv{second + 1}", layer, layer.weight.shape[0])
        state |= _norm(f"{blocks[block]}.bn{second + 1}", layer)
    for name, layer in zip(ups, layers.ups, strict=False):
        state |= _kernel(name, layer, layer.weight.shape[1])
    return state | _kernel(head, layers.head, layers.head.weight.shape[0])


def _kernel(name: str, layer: Convolution, channels: int) -> State:
    """Weight and bias under a new name; the bias of zeros where there is none."""
    bias = torch.zeros(channels) if layer.bias is None else layer.bias
    return {f"{name}.weight": layer.weight, f"{name}.bias": bias}


def _norm(name: str, layer: Convolution) -> State:
    """Batch norm under a new name; nothing where there is none."""
    if layer.norm is None:
        return {}
    leaves = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{leaf}": getattr(layer.norm, leaf) for leaf in leaves}
