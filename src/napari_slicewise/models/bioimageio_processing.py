"""What bioimage.io calls pre- and postprocessing, and what of it this project does.

A step that is not known here is refused by its name: a model whose pixels are scaled in
another way than it was trained on gives numbers, and they are wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import ModelError
from napari_slicewise.models.spec import ActivationKind

if TYPE_CHECKING:
    from bioimageio.spec.model.v0_5 import InputTensorDescr, OutputTensorDescr

__all__ = ["UNCLIPPED", "Ending", "prepare_tensor", "read_ending", "read_scaling"]

_HINT = (
    "Known are: percentiles (scale_range), mean and deviation (zero_mean_unit_variance, also "
    "fixed), a fixed gain and offset (scale_linear), clip, sigmoid, softmax and binarize."
)
_STATISTICS = ("scale_range", "zero_mean_unit_variance")
_FIXED = ("scale_linear", "fixed_zero_mean_unit_variance")
_REAL = ("float32", "float64")

UNCLIPPED = (-3.4e38, 3.4e38)
"""Of a model whose percentiles are followed by no clipping, as float32 holds it."""


@dataclass(frozen=True)
class Ending:
    """What the package does with the network's numbers.

    Parameters
    ----------
    activation
        ``sigmoid`` or ``softmax``; ``none`` where it does neither.
    threshold
        Above which a pixel belongs to an object; None where it is not said.
    """

    activation: ActivationKind = "none"
    threshold: float | None = None


@dataclass(frozen=True)
class _Steps:
    """The steps in their order, without those that only name a number format."""

    names: tuple[str, ...]
    arguments: tuple[Mapping[str, Any], ...] = field(default_factory=tuple)


def read_scaling(tensor: InputTensorDescr) -> dict[str, Any]:
    """Say in the fields of a ``ModelSpec`` how a package scales its input.

    Parameters
    ----------
    tensor
        The input.

    Returns
    -------
    dict
        ``normalization``, and what belongs to it.

    Raises
    ------
    ModelError
        With the first step that is not known here; without the package's name.
    """
    steps = _steps(tensor.preprocessing, "preprocessing")
    channels = _channels(tensor)
    names = [name for name in steps.names if name != "clip"]
    clip = _read_clip(steps)
    if steps.names and "clip" in steps.names[:-1]:
        raise _unknown("its preprocessing goes on after the step 'clip'")
    if not names:
        return {"normalization": "none", "clip": clip}
    if len(names) > 1:
        raise _unknown(f"its preprocessing has the step {names[1]!r} after {names[0]!r}")
    arguments = steps.arguments[0]
    if names[0] in _STATISTICS:
        _check_axes(names[0], arguments.get("axes"), tensor, channels)
    if names[0] == "scale_range":
        if arguments.get("reference_tensor") not in (None, str(tensor.id)):
            raise _unknown("its percentiles are those of another input")
        low, high = float(arguments["min_percentile"]), float(arguments["max_percentile"])
        return {
            "normalization": "percentile",
            "percentiles": (low, high),
            "clip": clip or UNCLIPPED,
        }
    if names[0] == "zero_mean_unit_variance":
        return {"normalization": "z_score", "clip": clip}
    if names[0] not in _FIXED:
        raise _unknown(f"its preprocessing has the step {names[0]!r}")
    gain, offset = _gain_and_offset(names[0], arguments, channels)
    return _linear(gain, offset, clip)


def read_ending(tensor: OutputTensorDescr) -> Ending:
    """Say what a package does with the network's output.

    Raises
    ------
    ModelError
        With the first step that is not known here; without the package's name.
    """
    steps = _steps(tensor.postprocessing, "postprocessing")
    ending = Ending()
    for name, arguments in zip(steps.names, steps.arguments, strict=True):
        if ending.threshold is not None:
            raise _unknown(f"its postprocessing has the step {name!r} after 'binarize'")
        if name in ("sigmoid", "softmax") and ending.activation == "none":
            ending = Ending("sigmoid" if name == "sigmoid" else "softmax")
        elif name == "binarize":
            threshold = arguments["threshold"]
            if not isinstance(threshold, int | float) or not 0.0 <= threshold <= 1.0:
                raise _unknown(f"its threshold {threshold!r} is no probability")
            ending = Ending(ending.activation, float(threshold))
        elif name != "clip" or (arguments.get("min"), arguments.get("max")) != (0.0, 1.0):
            raise _unknown(f"its postprocessing has the step {name!r}")
    return ending


def prepare_tensor(values: NDArray[Any], tensor: InputTensorDescr) -> NDArray[np.float32]:
    """Do a package's preprocessing as bioimage.io describes it, step by step.

    Parameters
    ----------
    values
        The input, with the axes of the description.
    tensor
        Its description; read by :func:`read_scaling` before.

    Returns
    -------
    ndarray of float32
        What the network is given.
    """
    axes = [str(axis.id) for axis in tensor.axes]
    out = values.astype(np.float32)
    steps = _steps(tensor.preprocessing, "preprocessing")
    for name, arguments in zip(steps.names, steps.arguments, strict=True):
        if name in _STATISTICS:
            chosen = arguments.get("axes")
            over = tuple(n for n, axis in enumerate(axes) if chosen is None or axis in chosen)
            out = _standardise(out, name, arguments, over)
        elif name == "clip":
            out = np.clip(out, arguments["min"], arguments["max"])
        else:
            shape = [1] * out.ndim
            if "channel" in axes:
                shape[axes.index("channel")] = -1
            pair = _gain_and_offset(name, arguments, _channels(tensor))
            gain, offset = (np.reshape(part, shape) for part in pair)
            out = out * gain + offset
    return out.astype(np.float32)


def _standardise(
    values: NDArray[np.float32], name: str, arguments: Mapping[str, Any], over: tuple[int, ...]
) -> NDArray[Any]:
    """Scale by percentiles, or by mean and deviation, over some axes."""
    eps = float(arguments.get("eps", 1e-6))
    if name == "scale_range":
        wanted = (arguments["min_percentile"], arguments["max_percentile"])
        low, high = np.percentile(values, wanted, axis=over, keepdims=True)
        return np.asarray((values - low) / (high - low + eps))
    mean = values.mean(axis=over, keepdims=True, dtype=np.float64)
    deviation = values.std(axis=over, keepdims=True, dtype=np.float64)
    return np.asarray((values - mean) / (deviation + eps))


def _steps(described: Sequence[Any], where: str) -> _Steps:
    """Take the steps apart; casts between real formats, and at the ends, are no steps.

    A cast to whole numbers before the first step is what the file's images have anyway.
    """
    names, arguments = [], []
    for place, step in enumerate(described):
        values = dict(step.kwargs)
        if step.id == "ensure_dtype":
            at_end = place == 0 if where == "preprocessing" else place == len(described) - 1
            if not at_end and values["dtype"] not in _REAL:
                raise _unknown(f"its {where} rounds to {values['dtype']}")
            continue
        names.append(str(step.id))
        arguments.append(values)
    return _Steps(tuple(names), tuple(arguments))


def _read_clip(steps: _Steps) -> tuple[float, float] | None:
    """Return the bounds of the step ``clip``; None where there is none."""
    if "clip" not in steps.names:
        return None
    arguments = steps.arguments[steps.names.index("clip")]
    low, high = arguments.get("min"), arguments.get("max")
    if low is None or high is None:
        raise _unknown("its step 'clip' has no fixed bounds on both sides")
    return float(low), float(high)


def _check_axes(name: str, axes: object, tensor: InputTensorDescr, channels: int) -> None:
    """Refuse statistics that are not those of each channel over the whole image."""
    ids = {str(axis.id): axis.type for axis in tensor.axes}
    chosen = set(ids) if axes is None else {str(axis) for axis in axes}  # type: ignore[attr-defined]
    if not {axis for axis, kind in ids.items() if kind == "space"} <= chosen:
        raise _unknown(f"its step {name!r} looks at rows or columns one by one")
    if channels > 1 and any(ids[axis] == "channel" for axis in chosen):
        raise _unknown(f"its step {name!r} looks at all channels together")


def _gain_and_offset(
    name: str, arguments: Mapping[str, Any], channels: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return ``gain`` and ``offset`` of ``value * gain + offset``, one number a channel."""
    if str(arguments.get("axis", "channel")) != "channel":
        raise _unknown(f"its step {name!r} differs along the axis {arguments['axis']!r}")
    first, second = ("gain", "offset") if name == "scale_linear" else ("std", "mean")
    pair = []
    for key in (first, second):
        given = arguments[key]
        numbers = list(given) if isinstance(given, list | tuple) else [given] * channels
        if len(numbers) != channels:
            raise _unknown(f"its step {name!r} has {len(numbers)} numbers for {channels} channels")
        pair.append([float(number) for number in numbers])
    if name == "scale_linear":
        return tuple(pair[0]), tuple(pair[1])
    # bioimageio.core adds this to the deviation.
    gain = tuple(1.0 / (deviation + 1e-6) for deviation in pair[0])
    return gain, tuple(-mean * factor for mean, factor in zip(pair[1], gain, strict=True))


def _linear(
    gain: tuple[float, ...], offset: tuple[float, ...], clip: tuple[float, float] | None
) -> dict[str, Any]:
    """Name a fixed scaling: 8-bit values to 0..1, or by its numbers."""
    if all(abs(g * 255.0 - 1.0) < 1e-4 for g in gain) and not any(offset):
        return {"normalization": "divide_by_255", "clip": clip}
    return {"normalization": "linear", "gain": gain, "offset": offset, "clip": clip}


def _channels(tensor: InputTensorDescr) -> int:
    """Count the input's channels; 1 where it has no axis for them."""
    return next((len(a.channel_names) for a in tensor.axes if a.type == "channel"), 1)


def _unknown(what: str) -> ModelError:
    return ModelError(f"{what}.", _HINT)
