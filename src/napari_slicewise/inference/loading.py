"""Models that stay loaded between runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from napari_slicewise.inference.backends import Backend, TorchBackend
from napari_slicewise.inference.calibration import Agreement
from napari_slicewise.inference.openvino_backend import CompiledBackend, OpenVinoBackend
from napari_slicewise.inference.request import Engine, Precision
from napari_slicewise.models.checkpoint import load_network, read_checkpoint
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.zoo import resolve_model

__all__ = ["LoadedModel", "ModelCache", "load_model_file"]


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A network ready to predict, and what is known of it.

    ``quantized`` holds the network in int8 used last and what its check found, under
    the name that :class:`~napari_slicewise.inference.quantization.Int8Store` gives it.
    """

    spec: ModelSpec
    sha256: str
    path: Path
    network: nn.Module
    quantized: dict[str, tuple[CompiledBackend, Agreement]] = field(default_factory=dict)
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
                made = TorchBackend(self.network, self.spec.output, device, precision)
            self._backends[key] = made
        return self._backends[key]


def load_model_file(path: Path) -> LoadedModel:
    """Read weights and build their network.

    Raises
    ------
    ModelError
        When the file is no model that is known here.
    """
    checkpoint = read_checkpoint(path)
    return LoadedModel(checkpoint.spec, checkpoint.sha256, path, load_network(checkpoint))


class ModelCache:
    """Keeps the model used last; a file that changed on disk is read again."""

    def __init__(self) -> None:
        self._key: tuple[Path, int, int] | None = None
        self._model: LoadedModel | None = None

    def get(self, name_or_path: str) -> LoadedModel:
        """Return a bundled model by its name, or one from a file.

        Raises
        ------
        ModelError
            When there is none of that name, or the file is no model.
        """
        path = resolve_model(name_or_path)
        status = path.stat()
        key = (path, status.st_mtime_ns, status.st_size)
        if self._model is None or key != self._key:
            self._model = load_model_file(path)
            self._key = key
        return self._model
