"""From weights on disk to a network, and back: what fits which network, and what it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from napari_slicewise.errors import ModelError
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.state_file import (
    EXPECTED,
    State,
    inspect_file,
    read_state,
    replace_file,
)
from napari_slicewise.models.unet import UNet
from napari_slicewise.models.zoo import SPEC_KEY, read_spec

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "Checkpoint",
    "load_network",
    "read_checkpoint",
    "write_checkpoint",
]


@dataclass(frozen=True)
class Architecture:
    """A network, and where its shapes tell its size.

    Parameters
    ----------
    build
        Makes it from input channels, output channels and first filters.
    first, last
        Keys of the first kernel ``(filters, in, y, x)`` and of the classifier's
        ``(out, filters, y, x)``.
    """

    build: Callable[[int, int, int], nn.Module]
    first: str
    last: str


ARCHITECTURES: Mapping[str, Architecture] = {
    "unet": Architecture(UNet, "e1.conv.conv1.weight", "outputs.weight"),
}


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
    """

    spec: ModelSpec
    state: State
    sha256: str


def read_checkpoint(path: Path) -> Checkpoint:
    """Read weights from a safetensors file or a torch checkpoint.

    A torch file may wrap the state_dict (as ``state_dict``, ``model_state_dict``,
    ``model``, ``net`` or ``network``) and prefix its keys (``module.``, ``_orig_mod.``,
    ``model.``). Where the file carries no specification, channels and filters are read
    from the shapes; one output channel is then taken for the foreground's logit, several
    for classes, and pixels for 8-bit values divided by 255, as in the tutorial.

    Raises
    ------
    ModelError
        When the file is missing, no checkpoint, incomplete, would run code, or holds
        another network; with the first tensor that does not fit.
    """
    digest, is_safetensors = inspect_file(path)
    spec = read_spec(path) if is_safetensors else None
    state = read_state(path, is_safetensors=is_safetensors)
    inferred = _infer_spec(path, state)
    if spec is None:
        spec = inferred
    elif _size(spec) != _size(inferred):
        raise ModelError(
            f"{path.name} says it is {_size(spec)}, but its weights are {_size(inferred)}.",
            "The file is damaged, or made for a newer version of napari-slicewise.",
        )
    return Checkpoint(spec, _fit(path, state, spec), digest)


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


def _infer_spec(path: Path, state: State) -> ModelSpec:
    """Describe a bare state_dict by its keys and shapes."""
    for name, architecture in ARCHITECTURES.items():
        first, last = state.get(architecture.first), state.get(architecture.last)
        if first is not None and last is not None and first.ndim == 4 and last.ndim == 4:
            out_channels = last.shape[0]
            return ModelSpec(
                name=path.stem,
                title=path.name,
                architecture=name,
                in_channels=first.shape[1],
                out_channels=out_channels,
                first_filters=first.shape[0],
                output="foreground" if out_channels == 1 else "classes",
                normalization="divide_by_255",
                source=path.name,
            )
    keys = list(state)
    what = "a classifier" if _is_classifier(state) else "another network"
    shown = f"{len(keys)} tensors, the first {keys[0]!r}" if keys else "no tensors"
    raise ModelError(
        f"{path} holds the weights of {what} ({shown}): "
        f"{ARCHITECTURES['unet'].first!r} or {ARCHITECTURES['unet'].last!r} is missing.",
        EXPECTED,
    )


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
    architecture = ARCHITECTURES[spec.architecture]
    return architecture.build(spec.in_channels, spec.out_channels, spec.first_filters)


def _size(spec: ModelSpec) -> str:
    """Say which network, in words."""
    return (
        f"{spec.architecture!r} with {spec.in_channels} channels in, "
        f"{spec.out_channels} out, {spec.first_filters} filters"
    )
