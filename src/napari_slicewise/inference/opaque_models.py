"""ONNX graphs and TorchScript programs as models: described by running them on noise."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_slicewise.errors import ModelError
from napari_slicewise.inference.measured_geometry import Geometry, Predict, measure_geometry
from napari_slicewise.inference.onnx_network import OnnxNetwork, read_onnx
from napari_slicewise.models.answers import recall_answers
from napari_slicewise.models.consent import ask_consent, is_trusted
from napari_slicewise.models.questions import (
    Question,
    answer_spec,
    chosen,
    fitting_answers,
    spec_questions,
)
from napari_slicewise.models.spec import ModelSpec

__all__ = ["OpaqueModel", "load_onnx", "load_program"]

_FILTERS = 64  # for the estimate of memory, where nothing tells


@dataclass(frozen=True, eq=False)
class OpaqueModel:
    """A network, what was found of it, and what is left open; as of a ``Checkpoint``."""

    spec: ModelSpec
    network: nn.Module
    questions: tuple[Question, ...]
    notices: tuple[str, ...]


def load_onnx(path: Path, sha256: str, answers: Mapping[str, str] | None) -> OpaqueModel:
    """Load an ONNX file.

    Parameters
    ----------
    path
        The file.
    sha256
        Of its content.
    answers
        To what it leaves open; None takes those that were remembered.

    Raises
    ------
    ModelError
        When it is no graph of a 2D network of an image in and one out, or nothing is
        installed that runs it.
    """
    network = read_onnx(path)
    try:
        geometry = _measure(path, network, network.in_channels, network.tile)
    except ModelError:
        if network.declared is None or network.tile is not None:
            raise
        network = read_onnx(path, as_declared=True)
        geometry = _measure(path, network, network.in_channels, network.tile)
    return _described(path, sha256, network, network.in_channels, geometry, answers)


def load_program(path: Path, sha256: str, answers: Mapping[str, str] | None) -> OpaqueModel:
    """Load a TorchScript program that the user has agreed to run.

    Parameters
    ----------
    path, sha256, answers
        As for :func:`load_onnx`.

    Raises
    ------
    ConsentNeededError
        When the user has not; nothing of the file is run then.
    ModelError
        When it is damaged, or no network of an image in and one out.
    """
    if not is_trusted(sha256):
        raise ask_consent(path, sha256)
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated, its files are there
            program = torch.jit.load(file, map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, OSError, EOFError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"{path} is a broken TorchScript program ({lines[0][:120]}).",
            "Download or copy it again.",
        ) from error
    network = program.eval().float()
    kernels = [value for value in network.parameters() if value.ndim == 4]
    likely = [kernels[0].shape[1]] if kernels else []
    failures = []
    for channels in dict.fromkeys([*likely, 1, 3, 2]):
        try:
            geometry = _measure(path, network, channels, None)
        except ModelError as error:
            failures.append(error)
            continue
        return _described(path, sha256, network, channels, geometry, answers)
    raise failures[0]


def _measure(
    path: Path, network: nn.Module, channels: int, tile: tuple[int, int] | None
) -> Geometry:
    try:
        return measure_geometry(_predict(network), channels, tile)
    except ModelError as error:
        raise ModelError(f"{path} {error.message}", error.hint) from error


def _predict(network: nn.Module) -> Predict:
    def predict(image: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            with torch.inference_mode():
                answer = network(torch.from_numpy(image))
        except torch.jit.Error as error:  # no RuntimeError, unlike all else that torch raises
            raise ValueError(str(error)) from error
        if not isinstance(answer, torch.Tensor):
            raise TypeError(f"it gives a {type(answer).__name__}, and no single tensor.")
        return np.asarray(answer.float().numpy(), np.float32)

    return predict


def _described(
    path: Path,
    sha256: str,
    network: nn.Module,
    in_channels: int,
    geometry: Geometry,
    answers: Mapping[str, str] | None,
) -> OpaqueModel:
    """Say what was found, ask what is open, and answer it."""
    several = geometry.out_channels > 1
    tile = network.tile if isinstance(network, OnnxNetwork) else None
    margin = geometry.margin
    if tile is not None:  # at least one stride of a tile must be kept
        margin = min(margin, (min(tile) - geometry.stride) // 2)
    guess = ModelSpec(
        path.stem,
        title=path.name,
        source=path.name,
        architecture="onnx" if isinstance(network, OnnxNetwork) else "torchscript",
        in_channels=in_channels,
        out_channels=geometry.out_channels,
        first_filters=_FILTERS,
        output="classes" if several else "foreground",
        activation="none" if geometry.probabilities else "auto",
        normalization="divide_by_255",
        stride=geometry.stride,
        margin=margin,
        whole_slices=geometry.whole,
        fixed_tile=tile or (),
    )
    questions = spec_questions(guess)
    notices: tuple[str, ...] = ()
    if answers is None:
        remembered = recall_answers(path, sha256)
        answers, notices = fitting_answers(questions, remembered.answers), remembered.notices
    spec = answer_spec(guess, chosen(questions, answers))
    return OpaqueModel(replace(spec, description=_say(geometry, spec)), network, questions, notices)


def _say(geometry: Geometry, spec: ModelSpec) -> str:
    form = "An ONNX graph" if spec.architecture == "onnx" else "A TorchScript program"
    sentences = [f"{form}; what it is was measured by running it."]
    if spec.fixed_tile:
        rows, columns = spec.fixed_tile
        sentences.append(f"It takes {rows} x {columns} pixels and nothing else.")
    if geometry.whole:
        sentences.append(
            "Each pixel depends on the whole input: slices are not cut where they fit."
        )
    return " ".join(sentences)
