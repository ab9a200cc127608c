"""Networks in ONNX files, run by OpenVINO where it is installed, else by ONNX Runtime.

Extras: ``pip install napari-slicewise[openvino]`` or ``[onnx]``. Reading a graph runs no code
of the file; a graph can ask for much time and memory, as any network can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_slicewise.errors import ModelError
from napari_slicewise.inference.backends import OpaqueNetwork
from napari_slicewise.inference.openvino_backend import new_core, openvino_version
from napari_slicewise.inference.quiet_imports import import_onnxruntime

__all__ = ["OnnxNetwork", "read_onnx"]

_HINT = "Expected is a 2D U-Net with one input and one output, (batch, channel, y, x) each."
_FLOATS = {"f32", "f16", "f64", "tensor(float)", "tensor(float16)", "tensor(double)"}
_Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True)
class _Port:
    """An input or output of a graph; None for sides that are free."""

    name: str
    kind: str
    shape: tuple[int | None, ...] | None


class OnnxNetwork(OpaqueNetwork):
    """The graph of an ONNX file, as a module of torch.

    Parameters
    ----------
    run
        Maps ``(1, channel, y, x)`` to ``(1, out, y, x)``.
    in_channels
        That it takes.
    declared
        Rows and columns that the graph names for its input; None where it names none.
    tile
        The same where it takes no other; None where others may fit.
    content
        Of the file, for OpenVINO; None where that is not what runs it.
    """

    def __init__(
        self,
        run: _Run,
        in_channels: int,
        declared: tuple[int, int] | None,
        tile: tuple[int, int] | None,
        content: bytes | None,
    ) -> None:
        super().__init__()
        self._run = run
        self.in_channels = in_channels
        self.declared = declared
        self.tile = tile
        self._content = content

    def forward(self, tiles: Tensor) -> Tensor:
        """Map ``(tile, channel, y, x)`` to ``(tile, out, y, x)``, on the processor."""
        batch = np.ascontiguousarray(tiles.detach().cpu().float().numpy())
        return torch.from_numpy(np.concatenate([self._run(tile[None]) for tile in batch]))

    def openvino_graph(self, core: Any) -> Any:
        """Return the graph as OpenVINO reads it, float32 in and out; None without it."""
        return None if self._content is None else _graph(core, self._content, self.tile)


def read_onnx(path: Path, *, as_declared: bool = False) -> OnnxNetwork:
    """Read an ONNX file, and check that it takes an image and gives one.

    Parameters
    ----------
    path
        The file.
    as_declared
        Whether to leave the sides as the graph names them. Else OpenVINO frees them
        where it can, so that fewer and larger tiles do.

    Raises
    ------
    ModelError
        When it is damaged, has other inputs or outputs, or nothing is installed that
        runs it.
    """
    content = path.read_bytes()
    try:
        if openvino_version() is not None:
            return _through_openvino(content, as_declared=as_declared)
        if find_spec("onnxruntime") is not None:
            return _through_runtime(content)
    except ModelError as error:
        raise ModelError(f"{path} {error.message}", error.hint) from error
    raise ModelError(
        f"{path} is an ONNX file, and nothing is installed here that runs it.",
        "Run: pip install 'napari-slicewise[openvino]' or 'napari-slicewise[onnx]'",
    )


def _through_openvino(content: bytes, *, as_declared: bool) -> OnnxNetwork:
    core = new_core()
    model = _read(core, content)
    ports = [
        [
            _Port(
                port.get_any_name(),
                port.get_element_type().get_type_name(),
                None if port.partial_shape.rank.is_dynamic else _sides(port.partial_shape),
            )
            for port in side
        ]
        for side in (model.inputs, model.outputs)
    ]
    channels, declared = _check_ports(*ports)
    tile = declared if as_declared or not _any_size(core, content) else None
    return OnnxNetwork(_Compiled(core, content, tile), channels, declared, tile, content)


class _Compiled:
    """A graph, compiled in float32.

    After an input that did not fit, OpenVINO (2026.4) may answer wrongly to one that does:
    then the graph is compiled anew.
    """

    def __init__(self, core: Any, content: bytes, tile: tuple[int, int] | None) -> None:
        self._core = core
        self._model = _graph(core, content, tile)
        self._compiled = self._compile()

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._compiled is None:
            self._compiled = self._compile()
        try:
            return np.array(self._compiled(image)[0], np.float32)
        except RuntimeError:
            self._compiled = None
            raise

    def _compile(self) -> Any:
        return self._core.compile_model(self._model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def _read(core: Any, content: bytes) -> Any:
    try:
        # Bytes, and no path: then nothing can be read from other files.
        return core.read_model(content, b"")
    except (RuntimeError, ValueError, TypeError) as error:
        raise _unreadable(error) from error


def _any_size(core: Any, content: bytes) -> bool:
    """Whether a graph of fixed sides can be freed of them and still computes."""
    try:
        _graph(core, content, None)
    except RuntimeError:
        return False
    return True


def _graph(core: Any, content: bytes, tile: tuple[int, int] | None) -> Any:
    """Return the graph with float32 at both ends, and the sides free that can be."""
    from openvino import Type
    from openvino.preprocess import PrePostProcessor

    model = _read(core, content)
    shape = model.inputs[0].partial_shape
    if tile is None:
        model.reshape([-1, shape[1].get_length(), -1, -1])
    ends = PrePostProcessor(model)
    ends.input().tensor().set_element_type(Type.f32)
    ends.output().tensor().set_element_type(Type.f32)
    return ends.build()


def _sides(shape: Any) -> tuple[int | None, ...]:
    return tuple(side.get_length() if side.is_static else None for side in shape)


def _through_runtime(content: bytes) -> OnnxNetwork:
    onnxruntime = import_onnxruntime()
    # Its errors share no base.
    errors: tuple[type[Exception], ...] = (RuntimeError, ValueError)
    for value in vars(onnxruntime.capi.onnxruntime_pybind11_state).values():
        if isinstance(value, type) and issubclass(value, Exception):
            errors = (*errors, value)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it says is in its errors
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except errors as error:
        raise _unreadable(error) from error
    ports = [
        [
            _Port(
                port.name,
                port.type,
                tuple(side if isinstance(side, int) else None for side in port.shape),
            )
            for port in side
        ]
        for side in (session.get_inputs(), session.get_outputs())
    ]
    channels, tile = _check_ports(*ports)
    name, kind = ports[0][0].name, ports[0][0].kind
    dtype = {"tensor(float16)": np.float16, "tensor(double)": np.float64}.get(kind, np.float32)

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            return np.asarray(session.run(None, {name: image.astype(dtype)})[0], np.float32)
        except errors as error:
            raise RuntimeError(str(error)) from error

    return OnnxNetwork(run, channels, tile, tile, None)


def _check_ports(
    inputs: Sequence[_Port], outputs: Sequence[_Port]
) -> tuple[int, tuple[int, int] | None]:
    """Return the channels in, and the rows and columns where they are fixed."""
    for what, ports in (("inputs", inputs), ("outputs", outputs)):
        if len(ports) != 1:
            names = ", ".join(repr(port.name) for port in ports[:6])
            raise ModelError(f"has {len(ports)} {what} ({names}).", _HINT)
    entry, result = inputs[0], outputs[0]
    for port in (entry, result):
        if port.kind not in _FLOATS:
            raise ModelError(f"has {port.kind} at {port.name!r}, not real numbers.", _HINT)
        if port.shape is not None and len(port.shape) != 4:
            kinds = {5: " (a network for volumes)", 2: " (one answer an image)"}
            shown = _shown(port.shape) + kinds.get(len(port.shape), "")
            raise ModelError(f"has the shape {shown} at {port.name!r}.", _HINT)
    batch, channels, rows, columns = entry.shape or (None,) * 4
    if channels is None:
        raise ModelError(f"does not say how many channels {entry.name!r} takes.", _HINT)
    if channels > 16 and columns is not None and columns <= 4:
        raise ModelError(f"takes its {columns} channels as the last axis.", _HINT)
    if batch not in (None, 1):
        raise ModelError(f"takes {batch} images at once, and no single one.", _HINT)
    return channels, None if rows is None or columns is None else (rows, columns)


def _shown(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('any' if side is None else str(side) for side in shape)})"


def _unreadable(error: Exception) -> ModelError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = (lines or [type(error).__name__])[-1][:160]
    return ModelError(f"is no ONNX graph that can be run: {reason}", _HINT)
