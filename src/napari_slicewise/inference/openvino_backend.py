"""The network through OpenVINO: on processors about half as long as through torch.

An extra, ``pip install napari-slicewise[openvino]``; used by itself where it is installed.
The converted network is kept in the user's cache folder, named after the weights and
the versions that made it.
"""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from platformdirs import user_cache_path
from torch import nn

from napari_slicewise.inference.backends import (
    Activated,
    OpaqueNetwork,
    UnfitError,
    fold_batch_norm,
)
from napari_slicewise.inference.openvino_heads import activated_graph
from napari_slicewise.inference.quiet_imports import import_openvino
from napari_slicewise.inference.request import Precision
from napari_slicewise.models.spec import ModelSpec

__all__ = [
    "CompiledBackend",
    "OpenVinoBackend",
    "cache_folder",
    "converted",
    "new_core",
    "openvino_version",
]

_HINTS = {"float32": "f32", "bfloat16": "bf16"}


def openvino_version() -> str | None:
    """Return the version of OpenVINO that is installed, None without one."""
    if find_spec("openvino") is None:
        return None
    try:
        return version("openvino")
    except PackageNotFoundError:
        return None


def cache_folder() -> Path:
    """Return the folder for what can be made again."""
    return user_cache_path("napari-slicewise")


def new_core() -> Any:
    """Return OpenVINO's entry point, set up to keep no file open."""
    core = import_openvino().Core()
    core.set_property({"ENABLE_MMAP": False})  # so that Windows can remove the files
    return core


class CompiledBackend:
    """A network of OpenVINO's, compiled for this processor.

    Parameters
    ----------
    model
        An ``openvino.Model``, activations included.
    precision
        ``float32`` or ``bfloat16``, of what is not quantised.
    """

    def __init__(self, model: Any, precision: Precision) -> None:
        self._model = model
        self._options = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._compiled: Any = new_core().compile_model(model, "CPU", self._options)

    def predict(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map ``(tile, channel, y, x)`` to ``(tile, head, y, x)``, float32 in 0..1."""
        if self._compiled is None:
            self._compiled = new_core().compile_model(self._model, "CPU", self._options)
        try:
            # The input is read in place; the result is a copy, for OpenVINO writes the next
            # one into its own buffer.
            answer = self._compiled(np.ascontiguousarray(tiles), share_inputs=True)[0]
        except RuntimeError:
            # After a failed allocation it asks for that memory again, for smaller tiles too.
            self._compiled = None
            raise
        return np.asarray(answer, dtype=np.float32)


class OpenVinoBackend(CompiledBackend):
    """A network, converted and compiled for this processor.

    Parameters
    ----------
    network
        In evaluation mode.
    spec
        What its channels mean.
    sha256
        Of the weights; names the converted network in the cache.
    precision
        ``float32`` or ``bfloat16``.
    cache
        Folder for converted networks; None takes the user's cache folder.

    Raises
    ------
    UnfitError
        When the network cannot be converted, or the converted one answers otherwise.
    """

    def __init__(
        self,
        network: nn.Module,
        spec: ModelSpec,
        sha256: str,
        precision: Precision,
        cache: Path | None = None,
    ) -> None:
        model = converted(new_core(), network, spec, sha256, cache or cache_folder())
        super().__init__(model, precision)


def converted(core: Any, network: nn.Module, spec: ModelSpec, sha256: str, cache: Path) -> Any:
    """Return the network as OpenVINO's, from the cache where it is there and whole.

    Raises
    ------
    UnfitError
        When it cannot be converted, or the converted one answers otherwise.
    """
    meaning = blake2b(spec.to_json().encode(), digest_size=6).hexdigest()
    name = f"{sha256[:24]}-{meaning}-{version('openvino').split('-', maxsplit=1)[0]}.xml"
    path = cache / "openvino" / name
    with contextlib.suppress(RuntimeError):  # missing, or left half-written by a crash
        return core.read_model(path)
    try:
        model = _graph_of(core, network, spec) or _convert(network, spec)
        _compare(core, model, network, spec)
    except RuntimeError as error:
        raise UnfitError(f"OpenVINO cannot convert this network: {error}") from error
    with contextlib.suppress(OSError, RuntimeError):  # a full disk costs the cache, not the run
        _save(model, path)
    return model


def _graph_of(core: Any, network: nn.Module, spec: ModelSpec) -> Any:
    """Return a graph that needs no conversion, activations behind it; None without one."""
    graph = network.openvino_graph(core) if isinstance(network, OpaqueNetwork) else None
    return None if graph is None else activated_graph(graph, spec)


def _convert(network: nn.Module, spec: ModelSpec) -> Any:
    """Convert through OpenVINO's PyTorch frontend.

    Not through ``openvino.convert_model``, which reports each use to its maker.
    """
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    example = torch.zeros(_example_shape(spec, 4))
    with warnings.catch_warnings():
        # torch.jit.trace, used inside, is deprecated, and warns where a trace may be wrong:
        # that is what _compare is for.
        warnings.simplefilter("ignore")
        decoder = TorchScriptPythonDecoder(
            _activated(fold_batch_norm(network), spec),
            example_input=(example,),
            trace_kwargs={"check_trace": False},
        )
    frontend = FrontEndManager().load_by_framework("pytorch")
    model = frontend.convert(frontend.load(decoder))
    model.reshape([-1, spec.in_channels, -1, -1])
    return model


def _activated(network: nn.Module, spec: ModelSpec) -> nn.Module:
    return Activated(network, spec.output, spec.activation, spec.background).eval()


def _example_shape(spec: ModelSpec, size: int) -> tuple[int, int, int, int]:
    """Return ``(tile, channel, y, x)`` of a small input, larger by a step for each ``size``."""
    if spec.fixed_tile:
        return 1, spec.in_channels, spec.fixed_tile[0], spec.fixed_tile[1]
    side = size * spec.stride + spec.remainder
    if spec.padding == "valid":
        side += -(-2 * spec.margin // spec.stride) * spec.stride
    return 1, spec.in_channels, side, side + spec.stride


def _compare(core: Any, model: Any, network: nn.Module, spec: ModelSpec) -> None:
    """Hold the converted network against the original, at a size it was not traced at.

    A network that computes with its input's shape (crops, pads, resizes) may have that
    of the example baked in.
    """
    shape = _example_shape(spec, 6)
    noise = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    with torch.inference_mode():
        expected = _activated(network, spec)(torch.from_numpy(noise)).numpy()
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answer = compiled(noise)[0]
    if answer.shape != expected.shape or not np.allclose(answer, expected, atol=1e-3):
        raise RuntimeError("it answers otherwise than the original")


def _save(model: Any, path: Path) -> None:
    """Write the two files of a network, the one that is looked for last."""
    openvino = import_openvino()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        draft = Path(folder) / path.name
        openvino.save_model(model, draft, compress_to_fp16=False)
        draft.with_suffix(".bin").replace(path.with_suffix(".bin"))
        draft.replace(path)
