"""What ``backends.activate`` does, as layers of a graph of OpenVINO's."""

from __future__ import annotations

from typing import Any

from napari_slicewise.inference.quiet_imports import import_openvino
from napari_slicewise.models.spec import ModelSpec

__all__ = ["activated_graph"]


def activated_graph(model: Any, spec: ModelSpec) -> Any:
    """Return a graph with activations behind its one output.

    Parameters
    ----------
    model
        An ``openvino.Model``, ``(tile, channel, y, x)`` in and out, float32.
    spec
        What the channels mean.
    """
    openvino = import_openvino()
    ops = openvino.opset13
    numbers = model.outputs[0].get_node().input_value(0)
    if spec.output == "classes":
        heads = _of_classes(ops, numbers, spec)
    elif spec.activation == "none":
        heads = ops.clamp(numbers, 0.0, 1.0)
    elif spec.output == "foreground_distance":
        distance = ops.clamp(_channels(ops, numbers, [1]), 0.0, 1.0)
        heads = ops.concat([ops.sigmoid(_channels(ops, numbers, [0])), distance], 1)
    else:
        heads = ops.sigmoid(numbers)
    return openvino.Model([ops.result(heads)], model.get_parameters(), "activated")


def _of_classes(ops: Any, numbers: Any, spec: ModelSpec) -> Any:
    """Put the background first; see ``backends``."""
    kind, background = spec.activation, spec.background
    if kind == "sigmoid":
        likely = ops.sigmoid(numbers)
    elif kind == "none":
        likely = ops.clamp(numbers, 0.0, 1.0)
    else:
        likely = ops.softmax(numbers, 1)
    if background == 0 and kind != "sigmoid":
        return likely
    others = [channel for channel in range(spec.out_channels) if channel != background]
    classes = _channels(ops, likely, others)
    if background is not None and kind != "sigmoid":
        none = _channels(ops, likely, [background])
    else:
        one = ops.constant(1.0, dtype="float32")
        none = ops.subtract(one, ops.reduce_max(classes, [1], keep_dims=True))
    return ops.concat([none, classes], 1)


def _channels(ops: Any, numbers: Any, which: list[int]) -> Any:
    return ops.gather(numbers, which, 1)
