"""From weights on disk to a network, and back: what fits which network, and what it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from napari_slicewise.errors import ModelError
from napari_slicewise.models.adapters import adapt_state
from napari_slicewise.models.answers import recall_answers
from napari_slicewise.models.architectures import NETWORKS, recognise_own
from napari_slicewise.models.libraries import LIBRARIES, recognise_library
from napari_slicewise.models.questions import Question, chosen, fitting_answers
from napari_slicewise.models.recognised import Recognised
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.state_file import (
    EXPECTED,
    State,
    inspect_file,
    read_state,
    replace_file,
)
from napari_slicewise.models.zoo import SPEC_KEY, read_spec

__all__ = [
    "ARCHITECTURES",
    "Checkpoint",
    "load_network",
    "read_checkpoint",
    "write_checkpoint",
]

ARCHITECTURES: Mapping[str, Callable[[ModelSpec], nn.Module]] = {
    **{name: network.build for name, network in NETWORKS.items()},
    **{name: library.build for name, library in LIBRARIES.items()},
}
"""Everything that can be built from a specification, ours and that of libraries."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Weights that are known to fit their network.

    Parameters
    ----------
    spec
        What the model is.
    state
        The state_dict, under the network's own keys, float32.
    sha256
        Of the file, in hexadecimal.
    questions
        What the file leaves open; none where it carries our card.
    notices
        Remembered answers that were passed over, and why.
    """

    spec: ModelSpec
    state: State
    sha256: str
    questions: tuple[Question, ...] = ()
    notices: tuple[str, ...] = ()


def read_checkpoint(path: Path, answers: Mapping[str, str] | None = None) -> Checkpoint:
    """Read weights from a safetensors file or a torch checkpoint.

    The state_dict may be wrapped, and its keys prefixed (docs/models.md says how). Where
    the file carries no specification, channels and filters are read from the shapes; one
    output channel is then taken for the foreground's logit, several for classes, and
    pixels for 8-bit values divided by 255, as in the tutorial, unless ``answers`` say
    otherwise. Other projects' U-Nets are brought under our keys (``adapters``), or built
    by the library that they come from (``libraries``).

    Parameters
    ----------
    path
        The file.
    answers
        To ``Checkpoint.questions``, by their keys; what is missing is guessed. None takes
        those that were remembered beside the file, as far as they fit.

    Raises
    ------
    ModelError
        When the file is missing, no checkpoint, incomplete, or would run code, holds
        another network (with the first tensor that does not fit), or does not leave
        open what is answered.
    """
    digest, is_safetensors = inspect_file(path)
    card = read_spec(path) if is_safetensors else None
    state = read_state(path, is_safetensors=is_safetensors)
    found = _recognise(path, state)
    if card is not None:
        chosen((), answers or {})
        inferred, state = found.settle({})
        open_options = {question.key for question in found.questions}
        if _facts(card, open_options) != _facts(inferred, open_options):
            raise ModelError(
                f"{path.name} says it is {_size(card)}, but its weights are {_size(inferred)}.",
                "The file is damaged, or made for a newer version of napari-slicewise.",
            )
        return Checkpoint(card, _fit(path, state, card), digest)
    notices: tuple[str, ...] = ()
    if answers is None:
        remembered = recall_answers(path, digest)
        answers, notices = fitting_answers(found.questions, remembered.answers), remembered.notices
    spec, state = found.settle(answers)
    # Answers are part of what the model is, and so of every name that its results are kept under.
    told = ", ".join(f"{key}: {value}" for key, value in sorted(answers.items()))
    source = f"{path.name} ({told})" if told else path.name
    spec = replace(spec, name=path.stem, title=path.name, source=source)
    return Checkpoint(spec, _fit(path, state, spec), digest, found.questions, notices)


def load_network(checkpoint: Checkpoint) -> nn.Module:
    """Build the network of a checkpoint, in evaluation mode.

    Raises
    ------
    ModelError
        When the weights do not fit.
    """
    network = _build(checkpoint.spec)
    try:
        network.load_state_dict(checkpoint.state, strict=True)
    except RuntimeError as error:
        raise ModelError(f"The weights do not fit the network: {error}") from error
    return network.eval()


def write_checkpoint(path: Path, state: Mapping[str, Tensor], spec: ModelSpec) -> None:
    """Write weights as safetensors, the specification in the header.

    Raises
    ------
    OutputError
        When the file cannot be written; what was there before is then still there.
    """
    tensors = {key: value.detach().cpu().contiguous().clone() for key, value in state.items()}
    data = safetensors.torch.save(tensors, metadata={SPEC_KEY: spec.to_json()})
    with replace_file(path) as file:
        file.write(data)


def _recognise(path: Path, state: State) -> Recognised:
    """Tell by keys and shapes what a bare state_dict belongs to."""
    own = any(network.first in state for network in NETWORKS.values())
    try:
        return recognise_own(state) or recognise_library(state) or adapt_state(state)
    except ModelError as error:
        if own:
            raise ModelError(f"{path}: {error.message.rstrip('.')}.", EXPECTED) from error
        if error.hint:  # it knows the network, and what to do
            raise ModelError(f"{path} {error.message}", error.hint) from error
        what = "a classifier" if _is_classifier(state) else "another network"
        shown = f"{len(state)} tensors, the first {next(iter(state), '')!r}"
        raise ModelError(
            f"{path} holds the weights of {what} ({shown}): {error.message.rstrip('.')}.",
            EXPECTED,
        ) from error


def _is_classifier(state: State) -> bool:
    """Whether a network ends in a matrix, and so answers once an image."""
    weights = [value for key, value in state.items() if key.endswith("weight")]
    return bool(weights) and weights[-1].ndim == 2


def _fit(path: Path, state: State, spec: ModelSpec) -> State:
    """Check keys and shapes against the network; return the state in the network's order."""
    with torch.device("meta"):
        wanted = _build(spec).state_dict()
    # Weights saved by old versions of torch, or by other tools, lack batch norm's counters.
    counters = {key: torch.zeros((), dtype=torch.int64) for key in wanted if "num_batches" in key}
    state = counters | state
    size = _size(spec)
    for key, tensor in wanted.items():
        if key not in state:
            raise ModelError(f"{path}: the tensor {key!r} is missing ({size}).", EXPECTED)
        if state[key].shape != tensor.shape:
            raise ModelError(
                f"{path}: the tensor {key!r} has the shape {tuple(state[key].shape)}, "
                f"the network needs {tuple(tensor.shape)} ({size}).",
                EXPECTED,
            )
    extra = [key for key in state if key not in wanted]
    if extra:
        raise ModelError(
            f"{path} holds {len(extra)} tensors more than the network, the first {extra[0]!r}.",
            EXPECTED,
        )
    return {key: state[key] for key in wanted}


def _build(spec: ModelSpec) -> nn.Module:
    """Build the network that a specification names, with random weights."""
    return ARCHITECTURES[spec.architecture](spec)


def _facts(spec: ModelSpec, open_options: set[str]) -> tuple[object, ...]:
    """Return what shapes settle, so that a header cannot claim otherwise."""
    options = {key: word for key, word in spec.options.items() if key not in open_options}
    channels = (spec.in_channels, spec.out_channels, spec.first_filters, spec.widths)
    lost = spec.margin if spec.padding == "valid" else None
    geometry = (spec.padding, spec.stride, spec.remainder, lost)
    return (spec.architecture, channels, spec.upsampling == "transposed", geometry, options)


def _size(spec: ModelSpec) -> str:
    """Say which network, in words."""
    widths = f" of widths {', '.join(map(str, spec.widths))}" if spec.widths else ""
    return (
        f"{spec.architecture!r} with {spec.in_channels} channels in, "
        f"{spec.out_channels} out, {spec.first_filters} filters{widths}"
    )
