"""The networks of this project, and how each is known by its tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import count, takewhile

from torch import Tensor, nn

from napari_slicewise.errors import ModelError
from napari_slicewise.models.questions import (
    Question,
    answer_spec,
    interpolation_question,
    last_relu_question,
    spec_questions,
)
from napari_slicewise.models.recognised import Recognised, State
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.unet import UNet
from napari_slicewise.models.unet_2015 import UNet2015
from napari_slicewise.models.unet_compact import UNetCompact
from napari_slicewise.models.unet_padded import UNetPadded

__all__ = ["NETWORKS", "Architecture", "describe_state", "padded_spec", "recognise_own"]

_STRETCHING = "Without stretching of the output (retain_dim): the tensors do not tell."
_UNNAMED = ModelSpec("", normalization="divide_by_255")


@dataclass(frozen=True)
class Architecture:
    """A network, and where its shapes tell its size.

    Parameters
    ----------
    build
        Makes it, with random weights, from its specification.
    first, last
        Keys of the first kernel ``(filters, in, y, x)`` and of the classifier's
        ``(out, filters, y, x)``.
    describe
        Completes a specification that has the channels and first filters already.
    """

    build: Callable[[ModelSpec], nn.Module]
    first: str
    last: str
    describe: Callable[[ModelSpec, Mapping[str, Tensor]], ModelSpec]


def describe_state(state: Mapping[str, Tensor]) -> ModelSpec | None:
    """Read from keys and shapes which of our networks a state_dict belongs to.

    Returns
    -------
    ModelSpec or None
        Architecture, channels, widths and geometry, without a name; None where the first
        kernel of none of the networks is there.

    Raises
    ------
    ModelError
        When the first kernel is there, and the last is missing or no kernel.
    """
    for name, architecture in NETWORKS.items():
        first = state.get(architecture.first)
        if first is None or not _is_kernel(first):
            continue
        last = state.get(architecture.last)
        if last is None:
            raise ModelError(f"the tensor {architecture.last!r} is missing ({name!r})")
        if not _is_kernel(last):
            shape = tuple(last.shape)
            raise ModelError(f"the tensor {architecture.last!r} is no kernel but {shape}")
        bare = replace(
            _UNNAMED,
            architecture=name,
            in_channels=first.shape[1],
            out_channels=last.shape[0],
            first_filters=first.shape[0],
            output="foreground" if last.shape[0] == 1 else "classes",
        )
        return architecture.describe(bare, state)
    return None


def recognise_own(state: Mapping[str, Tensor]) -> Recognised | None:
    """Tell one of our networks by its keys, and what it leaves open where no card says it.

    Raises
    ------
    ModelError
        As :func:`describe_state` does.
    """
    spec = describe_state(state)
    if spec is None:
        return None
    questions: list[Question] = list(spec_questions(spec))
    if spec.architecture == "unet_compact":
        questions.append(last_relu_question())
    if spec.architecture == "unet_padded" and spec.upsampling != "transposed":
        questions.append(interpolation_question(spec.upsampling))

    def make(values: Mapping[str, str], answered: frozenset[str]) -> tuple[ModelSpec, State]:
        settled = answer_spec(spec, values)
        if "interpolation" in values:
            kind = values["interpolation"]
            settled = replace(settled, upsampling=kind)  # type: ignore[arg-type]
        if "last_relu" in values:
            settled = replace(settled, last_relu=values["last_relu"] == "yes")
        if "last_relu" in answered:
            settled = replace(settled, description=_STRETCHING)
        return settled, dict(state)

    return Recognised(tuple(questions), make)


def padded_spec(spec: ModelSpec, depth: int) -> ModelSpec:
    """Give stride and margin of a padded network with so many poolings.

    The margin is half of the receptive field, ``7 * 2**depth - 5`` pixels with transposed
    convolutions; bilinear upsampling looks up to one more window far. Rounded up.
    """
    windows = 7 if spec.upsampling == "transposed" else 8
    return replace(spec, stride=2**depth, margin=windows * 2**depth)


def _valid_spec(spec: ModelSpec, widths: tuple[int, ...]) -> ModelSpec:
    """Give stride, remainder and margin of an unpadded network with these levels."""
    window = 2 ** (len(widths) - 1)
    return replace(
        spec,
        widths=widths,
        padding="valid",
        batch_norm=False,
        stride=window,
        remainder=-4 % window,
        margin=6 * window - 4,
    )


def _describe_2015(spec: ModelSpec, state: Mapping[str, Tensor]) -> ModelSpec:
    """Read the widths of the contracting path."""
    return _valid_spec(spec, _widths(state, "contracting.{}.conv1.weight"))


def _describe_compact(spec: ModelSpec, state: Mapping[str, Tensor]) -> ModelSpec:
    """Read the widths of the encoder; say what its tensors leave open."""
    description = (
        "Taken for the form without ReLU after each block's second convolution, and without "
        "stretching of the output (retain_dim): the tensors do not tell."
    )
    widths = _widths(state, "encoder.enc_blocks.{}.conv1.weight")
    return replace(_valid_spec(spec, widths), description=description)


def _describe_padded(spec: ModelSpec, state: Mapping[str, Tensor]) -> ModelSpec:
    """Read every width, in the order of computing; the kind of interpolation is assumed."""
    descent, ascent = _pairs(state, "descent"), _pairs(state, "ascent")
    ups = _widths(state, "ups.{}.weight", axis=1)
    return padded_spec(
        replace(
            spec,
            widths=descent + ascent + ups,
            batch_norm="descent.0.bn1.weight" in state,
            upsampling="transposed" if ups else "bilinear",
        ),
        len(descent) // 2 - 1,
    )


def _pairs(state: Mapping[str, Tensor], path: str) -> tuple[int, ...]:
    """Return the widths of the first and second convolution of each block."""
    one = _widths(state, path + ".{}.conv1.weight")
    two = _widths(state, path + ".{}.conv2.weight")
    return tuple(width for pair in zip(one, two, strict=False) for width in pair)


def _widths(state: Mapping[str, Tensor], pattern: str, axis: int = 0) -> tuple[int, ...]:
    """Return one side of the kernels that are numbered 0, 1, 2 ... without a gap."""
    keys = takewhile(lambda key: key in state, (pattern.format(n) for n in count()))
    return tuple(state[key].shape[axis] for key in keys if _is_kernel(state[key]))


def _is_kernel(tensor: Tensor) -> bool:
    """Whether a tensor can be the weight of a convolution in the plane."""
    return tensor.ndim == 4 and tensor.numel() > 0


def _build_padded(spec: ModelSpec) -> nn.Module:
    return UNetPadded(
        spec.in_channels,
        spec.out_channels,
        spec.widths,
        spec.upsampling,
        batch_norm=spec.batch_norm,
    )


NETWORKS: Mapping[str, Architecture] = {
    "unet": Architecture(
        lambda spec: UNet(spec.in_channels, spec.out_channels, spec.first_filters),
        "e1.conv.conv1.weight",
        "outputs.weight",
        lambda spec, _state: spec,
    ),
    "unet_2015": Architecture(
        lambda spec: UNet2015(spec.in_channels, spec.out_channels, spec.widths),
        "contracting.0.conv1.weight",
        "classifier.weight",
        _describe_2015,
    ),
    "unet_compact": Architecture(
        lambda spec: UNetCompact(
            (spec.in_channels, *spec.widths), spec.out_channels, last_relu=spec.last_relu
        ),
        "encoder.enc_blocks.0.conv1.weight",
        "head.weight",
        _describe_compact,
    ),
    "unet_padded": Architecture(
        _build_padded, "descent.0.conv1.weight", "head.weight", _describe_padded
    ),
}
