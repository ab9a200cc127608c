"""MONAI's ``UNet`` and ``BasicUNet``: settings read from the tensors, built by MONAI.

An extra, ``pip install napari-slicewise[monai]``. Names and shapes are facts of that project
(https://monai.io, Apache-2.0).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count, takewhile

from torch import Tensor, nn

from napari_slicewise.errors import ModelError
from napari_slicewise.models.monai_layers import (
    ACTIVATIONS,
    NORMS,
    check_plane,
    guess_act,
    guess_norm,
    import_networks,
    layer_questions,
    of_whole_slices,
)
from napari_slicewise.models.questions import answer_spec, spec_questions
from napari_slicewise.models.reach import measure_reach
from napari_slicewise.models.recognised import Recognised, State
from napari_slicewise.models.spec import ModelSpec, UpsamplingKind

__all__ = ["build_basic_unet", "build_unet", "recognise_basic_unet", "recognise_unet"]

_THIN = 2  # channels: how far a network looks does not depend on its widths
_UPSAMPLING = {
    "deconv": "deconv",
    "preconv": "nontrainable",
    "pixelshuffle.conv_block": "pixelshuffle",
}


def recognise_unet(state: Mapping[str, Tensor]) -> Recognised | None:
    """Read MONAI's ``UNet``, with residual units or without, from keys and shapes.

    Raises
    ------
    ModelError
        When it is one, and a tensor does not fit, or MONAI is not installed.
    """
    # Its keys begin with "model.", which may have been taken for a trainer's prefix.
    prefix = "" if any(key.startswith("model.") for key in state) else "model."
    named = {prefix + key: tensor for key, tensor in state.items()}
    if not any(key.startswith("model.1.submodule.") for key in named):
        return None
    if _first_key(named, "model.0") not in named:
        return None
    return _recognised(named, _describe_unet(named), "MONAI's UNet", _unet)


def recognise_basic_unet(state: Mapping[str, Tensor]) -> Recognised | None:
    """Read MONAI's ``BasicUNet`` from keys and shapes.

    Raises
    ------
    ModelError
        When it is one, and a tensor does not fit, or MONAI is not installed.
    """
    if not {"conv_0.conv_0.conv.weight", "upcat_1.convs.conv_0.conv.weight"} <= state.keys():
        return None
    return _recognised(dict(state), _describe_basic(state), "MONAI's BasicUNet", _basic)


def build_unet(spec: ModelSpec) -> nn.Module:
    """Build MONAI's ``UNet``, with random weights.

    Raises
    ------
    ModelError
        When MONAI is not installed, or an option is none that is known here.
    """
    return _unet(spec, spec.widths, _known(NORMS, spec, "norm"))


def build_basic_unet(spec: ModelSpec) -> nn.Module:
    """Build MONAI's ``BasicUNet``, with random weights.

    Raises
    ------
    ModelError
        As :func:`build_unet` does.
    """
    return _basic(spec, spec.widths, _known(NORMS, spec, "norm"))


def _recognised(
    state: State,
    guess: ModelSpec,
    title: str,
    build: Callable[[ModelSpec, tuple[int, ...], object], nn.Module],
) -> Recognised:
    """Complete a description by what has to be measured, and by what is open."""
    thin = replace(guess, in_channels=1)
    network = build(thin, (_THIN,) * len(guess.widths), None).eval()
    reach = measure_reach(network, 1, guess.stride)
    guess = replace(guess, margin=guess.stride * 8 if reach is None else reach)
    asked = layer_questions(guess.options["act"], guess.options["norm"], guess.widths)

    def make(values: Mapping[str, str], answered: frozenset[str]) -> tuple[ModelSpec, State]:
        open_options = {key: values[key] for key in ("act", "norm") if key in values}
        spec = replace(answer_spec(guess, values), options={**guess.options, **open_options})
        whole = of_whole_slices(spec.options["norm"])
        description = _say(title, spec, values, answered)
        return replace(spec, whole_slices=whole, description=description), state

    return Recognised((*spec_questions(guess), *asked), make)


def _say(title: str, spec: ModelSpec, values: Mapping[str, str], answered: frozenset[str]) -> str:
    """Write down what was assumed, and what the norm means for the image."""
    points = {
        "act": f"{spec.options['act'].replace('_', ' ')} after the convolutions",
        "norm": f"{spec.options['norm'].replace('_', ' ')} norm",
        "scaling": "pixels as 8-bit values divided by 255",
        "classes": "softmax over the classes",
    }
    assumed = [text for key, text in points.items() if key in values and key not in answered]
    if spec.options.get("residual") == "0":
        assumed.append("strides of 2")
    sentences = [f"Read as {title}."]
    if assumed:
        sentences.append(f"Assumed, since tensors do not tell: {'; '.join(assumed)}.")
    if of_whole_slices(spec.options["norm"]):
        sentences.append("Its norm takes the whole slice: it is not cut into tiles.")
    return " ".join(sentences)


def _describe_unet(state: Mapping[str, Tensor]) -> ModelSpec:
    """Read every setting of a ``UNet`` that its shapes tell."""
    path, widths, strides = "model", [], []
    while _first_key(state, f"{path}.0") in state:
        widths.append(_kernel(state, _first_key(state, f"{path}.0")).shape[0])
        strides.append(_stride(state, f"{path}.0"))
        path += ".1.submodule"
    widths.append(_kernel(state, _first_key(state, path)).shape[0])
    first = _kernel(state, _first_key(state, "model.0"))
    units = takewhile(lambda n: f"model.0.conv.unit{n}.conv.weight" in state, count())
    residual = sum(1 for _ in units)
    up = _kernel(state, "model.2.0.conv.weight" if residual else "model.2.conv.weight")
    options = {
        "kernel": _sides(first),
        "up_kernel": _sides(up),
        "strides": " ".join(map(str, strides)),
        "residual": str(residual),
        "act": guess_act(state, "relu"),
        "norm": guess_norm(state),
        "bias": "yes" if _first_key(state, "model.0")[:-6] + "bias" in state else "no",
        "order": _order(state),
    }
    return _plain_spec(
        "monai_unet", first.shape[1], up.shape[1], widths, options, math.prod(strides)
    )


def _describe_basic(state: Mapping[str, Tensor]) -> ModelSpec:
    """Read every setting of a ``BasicUNet`` that its shapes tell."""
    keys = ["conv_0.conv_0", *(f"down_{n}.convs.conv_0" for n in range(1, 5))]
    keys.append("upcat_1.convs.conv_0")
    widths = [_kernel(state, f"{key}.conv.weight").shape[0] for key in keys]
    kinds = [
        name for part, name in _UPSAMPLING.items() if f"upcat_4.upsample.{part}.weight" in state
    ]
    if not kinds:
        raise ModelError("the tensor 'upcat_4.upsample.deconv.weight' is missing")
    options = {
        "upsample": kinds[0],
        "act": guess_act(state, "leaky_relu_0.1"),
        "norm": guess_norm(state),
        "bias": "yes" if "conv_0.conv_0.conv.bias" in state else "no",
    }
    first, last = _kernel(state, "conv_0.conv_0.conv.weight"), _kernel(state, "final_conv.weight")
    spec = _plain_spec("monai_basic_unet", first.shape[1], last.shape[0], widths, options, 16)
    # Its interpolation has aligned corners, so its tiles are as those of such networks of ours.
    aligned = kinds[0] == "nontrainable"
    upsampling: UpsamplingKind = "bilinear_aligned" if aligned else "transposed"
    return replace(spec, first_filters=max(widths[0], widths[-1]), upsampling=upsampling)


def _plain_spec(
    architecture: str,
    in_channels: int,
    out_channels: int,
    widths: list[int],
    options: dict[str, str],
    stride: int,
) -> ModelSpec:
    return ModelSpec(
        "",
        architecture=architecture,
        in_channels=in_channels,
        out_channels=out_channels,
        first_filters=widths[0],
        widths=tuple(widths),
        batch_norm=options["norm"] == "batch",
        options=options,
        output="foreground" if out_channels == 1 else "classes",
        normalization="divide_by_255",
        stride=stride,
    )


def _unet(spec: ModelSpec, widths: tuple[int, ...], norm: object) -> nn.Module:
    nets, words = import_networks(), spec.options
    network: nn.Module = nets.UNet(
        spatial_dims=2,
        in_channels=spec.in_channels,
        out_channels=spec.out_channels,
        channels=widths,
        strides=_numbers(words["strides"]),
        kernel_size=_numbers(words["kernel"]),
        up_kernel_size=_numbers(words["up_kernel"]),
        num_res_units=int(words["residual"]),
        act=_known(ACTIVATIONS, spec, "act"),
        norm=norm,
        bias=words["bias"] == "yes",
        adn_ordering=words["order"],
    )
    return network


def _basic(spec: ModelSpec, widths: tuple[int, ...], norm: object) -> nn.Module:
    nets, words = import_networks(), spec.options
    network: nn.Module = nets.BasicUNet(
        spatial_dims=2,
        in_channels=spec.in_channels,
        out_channels=spec.out_channels,
        features=widths,
        act=_known(ACTIVATIONS, spec, "act"),
        norm=norm,
        bias=words["bias"] == "yes",
        upsample=words["upsample"],
    )
    return network


def _known(table: Mapping[str, object], spec: ModelSpec, key: str) -> object:
    """Return what MONAI is told; cards come from files of unknown origin."""
    word = spec.options.get(key, "")
    if word not in table:
        raise ModelError(f"The model's {key} is one of {', '.join(table)}: {word!r}.")
    return table[word]


def _first_key(state: Mapping[str, Tensor], path: str) -> str:
    """Return the key of the first kernel of a convolution, or of a residual unit."""
    unit = f"{path}.conv.unit0.conv.weight"
    return unit if unit in state else f"{path}.conv.weight"


def _kernel(state: Mapping[str, Tensor], key: str) -> Tensor:
    if key not in state:
        raise ModelError(f"the tensor {key!r} is missing")
    check_plane(key, state[key])
    return state[key]


def _stride(state: Mapping[str, Tensor], path: str) -> int:
    """Return the stride of a level: 1 where a residual unit's shortcut shows it, else 2.

    A shortcut has the unit's own kernel where the stride is not 1, and one of 1x1 or no
    weights at all where it is.
    """
    unit = state.get(f"{path}.conv.unit0.conv.weight")
    shortcut = state.get(f"{path}.residual.weight")
    if unit is None or (shortcut is not None and shortcut.shape == unit.shape):
        return 2
    return 1


def _order(state: Mapping[str, Tensor]) -> str:
    """Return which comes first, norm or activation, where both have weights in the file's order."""
    kinds = [key.split(".adn.")[1][0] for key in state if ".adn." in key]
    in_order = list(state) != sorted(state)
    return "ADN" if in_order and kinds[:1] == ["A"] and "N" in kinds else "NDA"


def _sides(kernel: Tensor) -> str:
    return f"{kernel.shape[2]} {kernel.shape[3]}"


def _numbers(words: str) -> tuple[int, ...]:
    return tuple(int(word) for word in words.split())
