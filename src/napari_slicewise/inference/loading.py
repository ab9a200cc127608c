"""Models that stay loaded between runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from napari_slicewise.inference.backends import Backend, TorchBackend
from napari_slicewise.inference.calibration import Agreement
from napari_slicewise.inference.opaque_models import load_onnx, load_program
from napari_slicewise.inference.openvino_backend import CompiledBackend, OpenVinoBackend
from napari_slicewise.inference.packaged_models import load_packaged
from napari_slicewise.inference.request import Engine, Precision
from napari_slicewise.models.bioimageio_archive import is_package
from napari_slicewise.models.checkpoint import load_network, read_checkpoint
from napari_slicewise.models.file_guard import file_sha256, form_of
from napari_slicewise.models.questions import Question
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.zoo import resolve_model

__all__ = ["LoadedModel", "ModelCache", "load_model_file"]

Answers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A network ready to predict, and what is known of it.

    ``quantized`` holds the network in int8 used last and what its check found, under
    the name that :class:`~napari_slicewise.inference.quantization.Int8Store` gives it.
    ``questions`` is what the file leaves open, ``notices`` what else to say of the answers.
    """

    spec: ModelSpec
    sha256: str
    path: Path
    network: nn.Module
    quantized: dict[str, tuple[CompiledBackend, Agreement]] = field(default_factory=dict)
    questions: tuple[Question, ...] = ()
    notices: tuple[str, ...] = ()
    _backends: dict[tuple[str, Precision, Engine], Backend] = field(default_factory=dict)

    def backend(self, device: str, precision: Precision, engine: Engine) -> Backend:
        """Return the network on a device; made ready once."""
        if precision == "int8":
            ((quantized, _),) = self.quantized.values()
            return quantized
        key = (device, precision, engine)
        if key not in self._backends:
            self._backends.clear()  # one device at a time: the old copy's memory is wanted
            if engine == "OpenVINO":
                made: Backend = OpenVinoBackend(self.network, self.spec, self.sha256, precision)
            else:
                made = TorchBackend(self.network, self.spec, device, precision)
            self._backends[key] = made
        return self._backends[key]


def load_model_file(path: Path, answers: Mapping[str, str] | None = None) -> LoadedModel:
    """Read weights and build their network, or load a network that brings itself along.

    Parameters
    ----------
    path
        Of weights, an ONNX graph, a TorchScript program, or a bioimage.io package.
    answers
        To what the file leaves open; None takes those that were remembered beside it.

    Raises
    ------
    ConsentNeededError
        When it is a program that the user has not agreed to run.
    ModelError
        When the file is no model that is known here.
    """
    if is_package(path):
        packaged = load_packaged(path)
        return LoadedModel(packaged.spec, packaged.sha256, path, packaged.network)
    form = form_of(path)
    if form == "weights":
        found = read_checkpoint(path, answers)
        spec, digest, network = found.spec, found.sha256, load_network(found)
        return LoadedModel(
            spec, digest, path, network, questions=found.questions, notices=found.notices
        )
    load, digest = load_onnx if form == "onnx" else load_program, file_sha256(path)
    opaque = load(path, digest, answers)
    return LoadedModel(
        opaque.spec,
        digest,
        path,
        opaque.network,
        questions=opaque.questions,
        notices=opaque.notices,
    )


class ModelCache:
    """Keeps the model used last; a file that changed on disk is read again."""

    def __init__(self) -> None:
        self._key: tuple[Path, int, int, Answers] | None = None
        self._model: LoadedModel | None = None

    def get(self, name_or_path: str, answers: Answers = ()) -> LoadedModel:
        """Return a bundled model by its name, or one from a file.

        Parameters
        ----------
        name_or_path
            The model.
        answers
            ``(question, value)`` to what the file leaves open; empty takes those remembered.

        Raises
        ------
        ModelError
            When there is none of that name, or the file is no model.
        """
        path = resolve_model(name_or_path)
        status = path.stat()
        key = (path, status.st_mtime_ns, status.st_size, answers)
        if self._model is None or key != self._key:
            self._model = load_model_file(path, dict(answers) or None)
            self._key = key
        return self._model
