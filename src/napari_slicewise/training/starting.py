"""Where a training begins: a new network, or a known one that is to learn more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor, nn

from napari_slicewise.errors import ModelError, RequestError
from napari_slicewise.inference.channels import channel_recipe
from napari_slicewise.models.checkpoint import Checkpoint, load_network, read_checkpoint
from napari_slicewise.models.spec import ModelSpec, OutputKind
from napari_slicewise.models.unet import UNet
from napari_slicewise.models.zoo import resolve_model
from napari_slicewise.training.label_facts import LabelFacts, choose_output
from napari_slicewise.training.request import Annotation, LearnRequest

__all__ = ["Start", "begin"]

_MOST_CLASSES = 255


@dataclass(frozen=True, eq=False)
class Start:
    """What a training begins with.

    Parameters
    ----------
    network
        With its first weights.
    spec
        What the resulting model is; its scores and sources are still to be written.
    known
        The model it came from, where it answers the same as the new one.
    tuned
        Whether weights were taken from a model.
    message
        What was decided, in words; may be empty.
    weights
        The file of ``known``.
    """

    network: nn.Module
    spec: ModelSpec
    known: ModelSpec | None
    tuned: bool
    message: str
    weights: Path | None = None


def begin(request: LearnRequest, annotations: Sequence[Annotation], facts: LabelFacts) -> Start:
    """Build the network.

    Parameters
    ----------
    request
        Says from where, and which head.
    annotations
        Their channels must be the same.
    facts
        What their labels are.

    Raises
    ------
    ModelError
        When the start cannot be read, cannot be trained, or takes other channels.
    RequestError
        When the labels do not fit the head.
    """
    channels, rgb = _channels(annotations)
    torch.manual_seed(request.seed)
    if request.start_from is None:
        output = choose_output(request.head, None, facts)
        return _new(request, output, channels, facts)
    path = resolve_model(request.start_from)
    checkpoint = read_checkpoint(path)
    _check_trainable(checkpoint.spec)
    channel_recipe(checkpoint.spec, channels, rgb=rgb)  # or says what does not fit
    output = choose_output(request.head, checkpoint.spec.output, facts)
    return _known(request, path, checkpoint, output, facts)


def _channels(annotations: Sequence[Annotation]) -> tuple[int, bool]:
    """Return the number of channels, and whether they are colours."""
    found = {(a.image.shape[0] if len(a.image.shape) == 3 else 1, a.rgb) for a in annotations}
    if len(found) > 1:
        counts = " and ".join(str(channels) for channels, _ in sorted(found))
        raise RequestError(
            f"The images differ in their channels: {counts}.", "Choose one channel of all of them."
        )
    return found.pop()


def _new(request: LearnRequest, output: OutputKind, channels: int, facts: LabelFacts) -> Start:
    """Begin with random weights."""
    outputs = _out_channels(output, facts)
    spec = ModelSpec(
        name=request.name,
        title=request.title,
        architecture="unet",
        in_channels=channels,
        out_channels=outputs,
        first_filters=request.first_filters,
        output=output,
        class_names=_class_names(request, output, outputs),
        normalization="percentile",
    )
    return Start(
        UNet(channels, outputs, request.first_filters), spec, None, tuned=False, message=""
    )


def _known(
    request: LearnRequest,
    path: Path,
    checkpoint: Checkpoint,
    output: OutputKind,
    facts: LabelFacts,
) -> Start:
    """Begin with the weights of a model, with a new last layer where that must be."""
    known, network = checkpoint.spec, load_network(checkpoint)
    outputs = _out_channels(output, facts)
    if output == "classes" == known.output and outputs <= known.out_channels:
        outputs = known.out_channels  # a class that is not painted today stays
    names = _class_names(request, output, outputs)
    spec = replace(
        known,
        name=request.name,
        title=request.title,
        output=output,
        out_channels=outputs,
        class_names=names or (known.class_names if outputs == known.out_channels else ()),
        activation="auto",
        background=0,
        pixel_um=None,  # of what it learns from now, which is taken as it is
        source="",
        description="",
        scores={},
    )
    usual = known.background == 0 and known.activation in ("auto", _usual_activation(known))
    if output == known.output and outputs == known.out_channels and usual:
        return Start(network, spec, known, tuned=True, message="", weights=path)
    state = _with_new_head(network, known, spec)
    return Start(
        load_network(Checkpoint(spec, state, "")),
        spec,
        None,
        tuned=True,
        message=f"The last layer begins anew: {known.name} answers {known.output}, "
        f"not {output}{f' of {outputs}' if output == 'classes' else ''}.",
    )


def _with_new_head(network: nn.Module, known: ModelSpec, spec: ModelSpec) -> dict[str, Tensor]:
    """Return the weights with a last layer for another output; a foreground stays known.

    Raises
    ------
    ModelError
        When there is no convolution at the network's end.
    """
    state = {key: value.clone() for key, value in network.state_dict().items()}
    found = [(n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d)]
    name, last = found[-1] if found else ("", None)
    if last is None or last.out_channels != known.out_channels:
        raise ModelError(
            f"{known.name} cannot get another last layer.", f"Keep its output: {known.output}."
        )
    made = nn.Conv2d(last.in_channels, spec.out_channels, last.kernel_size)  # type: ignore[arg-type]
    for key, value in made.state_dict().items():
        if f"{name}.{key}" in state:
            both_foreground = "classes" not in (known.output, spec.output)
            if both_foreground:  # its logit is the first channel of each
                value[:1] = state[f"{name}.{key}"][:1]
            state[f"{name}.{key}"] = value.clone()
    return state


def _check_trainable(spec: ModelSpec) -> None:
    """Refuse networks that end in probabilities: the losses want logits."""
    if spec.activation == "none" or spec.output not in get_args(OutputKind):
        raise ModelError(
            f"{spec.name} cannot be trained: its network answers probabilities.",
            "Start from another model, or from nothing.",
        )


def _usual_activation(spec: ModelSpec) -> str:
    return "softmax" if spec.output == "classes" else "sigmoid"


def _out_channels(output: OutputKind, facts: LabelFacts) -> int:
    if output == "classes":
        if facts.largest > _MOST_CLASSES - 1:
            raise RequestError(
                f"There is a class {facts.largest}; the last can be {_MOST_CLASSES - 1}.",
                "Are these objects? Then choose the head distance or boundary.",
            )
        return facts.largest + 1
    return 1 if output == "foreground" else 2


def _class_names(request: LearnRequest, output: OutputKind, outputs: int) -> tuple[str, ...]:
    if output != "classes" or not request.class_names:
        return ()
    if len(request.class_names) != outputs:
        raise RequestError(
            f"There are {len(request.class_names)} names for {outputs} classes.",
            "Give one for each, the background's first.",
        )
    return request.class_names
