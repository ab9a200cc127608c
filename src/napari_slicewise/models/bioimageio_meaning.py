"""What a bioimage.io description says of a model, in this project's words, or why it cannot be.

One image of rows and columns goes in, one comes out: other models are refused by the
first axis or tensor that does not fit.
"""

from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import ModelError
from napari_slicewise.models.bioimageio_archive import PackageFiles
from napari_slicewise.models.bioimageio_description import CARD_KEY
from napari_slicewise.models.bioimageio_processing import Ending, read_ending, read_scaling
from napari_slicewise.models.bioimageio_reading import packaged_name
from napari_slicewise.models.spec import ModelSpec, OutputKind

if TYPE_CHECKING:
    from bioimageio.spec.model.v0_5 import InputTensorDescr, ModelDescr

__all__ = ["Meaning", "read_meaning"]

_HINT = "Models for 2D images with one input and one output can be run, slice by slice."
_LARGEST_TENSOR = 64 << 20  # bytes of a test tensor that is looked at
_BOUNDARY = ("bound", "border", "edge", "contour", "membrane")
_UM = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3}


@dataclass(frozen=True, eq=False)
class Meaning:
    """A package in this project's words.

    Parameters
    ----------
    fields
        Of a ``ModelSpec``: what the description settles.
    card
        Our own specification, where the package carries one that says the same; else None.
    ending
        What follows the network.
    tensor
        The description of the input.
    given, expected
        The test image, and what the package makes of it, ``(b, c, y, x)``; None where
        there is none to be had.
    logits
        Whether ``expected`` holds logits, not probabilities.
    """

    fields: dict[str, Any]
    card: ModelSpec | None
    ending: Ending
    tensor: InputTensorDescr
    given: NDArray[Any] | None = field(default=None, repr=False)
    expected: NDArray[Any] | None = field(default=None, repr=False)
    logits: bool = False


def read_meaning(files: PackageFiles, description: ModelDescr) -> Meaning:
    """Bring a description into this project's words.

    Parameters
    ----------
    files
        The package.
    description
        What it says, in format 0.5.

    Raises
    ------
    ModelError
        With the first thing that does not fit.
    """
    try:
        given, expected = _tensors(description)
        in_names, out_names = _channel_names(given), _channel_names(expected)
        _check_scales(given, expected)
        scaling, ending = read_scaling(given), read_ending(expected)
    except ModelError as error:
        what = error.message[:1].lower() + error.message[1:]
        raise ModelError(f"{files.path} cannot be run: {what}", error.hint or _HINT) from error
    image = _load(files, given)
    result = _load(files, expected)
    activation, logits = _activation(ending, result, len(out_names))
    fields: dict[str, Any] = {
        **scaling,
        **_output(description, out_names, activation),
        "in_channels": len(in_names),
        "out_channels": len(out_names),
        "pixel_um": _pixel_um(given),
        **_origin(files, description),
    }
    if ending.threshold is not None:
        fields["threshold"] = ending.threshold
    card = _card(description)
    if card is not None and not _says_the_same(card, fields, ending):
        card = None
    return Meaning(fields, card, ending, given, image, result, logits)


def _tensors(description: ModelDescr) -> tuple[Any, Any]:
    """Return the one input and the one output."""
    for what, tensors in (("inputs", description.inputs), ("outputs", description.outputs)):
        if len(tensors) != 1:
            names = ", ".join(repr(str(tensor.id)) for tensor in tensors)
            raise ModelError(f"it has {len(tensors)} {what} ({names}).", _HINT)
    return description.inputs[0], description.outputs[0]


def _channel_names(tensor: Any) -> list[str]:
    """Check the axes, and name the channels."""
    names: list[str] | None = None
    for axis in tensor.axes:
        place = f"its tensor {str(tensor.id)!r} has the axis {str(axis.id)!r}"
        if axis.type == "channel":
            names = [str(name) for name in axis.channel_names]
        elif axis.type == "space" and str(axis.id) not in ("x", "y"):
            raise ModelError(f"{place}: it is made for volumes.", _HINT)
        elif axis.type not in ("batch", "space"):
            raise ModelError(f"{place} of the kind {axis.type!r}.", _HINT)
    order = [axis.type if axis.type != "space" else str(axis.id) for axis in tensor.axes]
    if order != ["batch", "channel", "y", "x"] or names is None:
        raise ModelError(
            f"its tensor {str(tensor.id)!r} has the axes {', '.join(order)}, "
            "not batch, channel, y, x.",
            _HINT,
        )
    return names


def _check_scales(given: Any, expected: Any) -> None:
    """Refuse a network whose output has other pixels than its input."""
    before, after = ({str(a.id): _scale(a) for a in t.axes} for t in (given, expected))
    for name in ("y", "x"):
        ratio = before[name] / after[name]
        if not math.isclose(ratio, 1.0, rel_tol=1e-6):
            raise ModelError(f"its output is {ratio:g} times as long along {name!r}.", _HINT)


def _scale(axis: Any) -> float:
    return float(getattr(axis, "scale", 1.0))


def _load(files: PackageFiles, tensor: Any) -> NDArray[Any] | None:
    """Read a test tensor; None where there is none here, or none that can be used.

    The array's size is compared with the file's before anything is allocated.
    """
    if tensor.test_tensor is None:
        return None
    try:
        data = files.read(packaged_name(files, tensor.test_tensor, "test tensors"), _LARGEST_TENSOR)
        stream = io.BytesIO(data)
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
        whole = math.prod(shape) * dtype.itemsize == len(data) - stream.tell()
        if dtype.hasobject or not whole or len(shape) != 4:
            return None
        return np.asarray(np.load(io.BytesIO(data), allow_pickle=False))
    except (ModelError, ValueError, EOFError, OSError):
        return None


def _activation(ending: Ending, result: NDArray[Any] | None, channels: int) -> tuple[str, bool]:
    """Say what turns logits into the package's output, and whether that holds logits still.

    Where no step of the package does it, its network may: the test output tells.
    """
    if ending.activation != "none":
        return ending.activation, False
    if ending.threshold is not None:
        return "sigmoid", False
    usual = "sigmoid" if channels == 1 else "softmax"
    if result is None or result.shape[1] != channels:
        return usual, False
    if result.min() < 0.0 or result.max() > 1.0:
        return usual, True
    sums_to_one = channels > 1 and np.allclose(result.sum(axis=1), 1.0, atol=1e-3)
    return ("softmax" if sums_to_one else "sigmoid"), False


def _output(description: ModelDescr, names: list[str], activation: str) -> dict[str, Any]:
    """Say what the channels are, by their names and by what makes probabilities of them."""
    lowered = [name.lower() for name in names]
    if len(names) == 1:
        return {"output": "foreground", "activation": "auto"}
    kind: OutputKind = "classes"
    if len(names) == 2 and activation != "softmax":
        text = f"{description.name} {description.description} {' '.join(description.tags)}".lower()
        numbered = all(name.startswith(("channel", "class")) for name in lowered)
        if any(word in lowered[1] for word in _BOUNDARY):
            kind = "foreground_boundary"
        elif "dist" in lowered[1]:
            kind = "foreground_distance"
        elif numbered and any(word in text for word in ("boundar", "border")):
            kind = "foreground_boundary"
    if kind != "classes":
        return {"output": kind, "activation": "auto"}
    named = [n for n, name in enumerate(lowered) if name in ("background", "bg")]
    background = named[0] if named else (0 if activation == "softmax" else None)
    usual = [f"channel{n}" for n in range(len(names))]
    return {
        "output": "classes",
        "activation": activation,
        "background": background,
        "class_names": () if lowered == usual else tuple(names),
    }


def _pixel_um(tensor: InputTensorDescr) -> float | None:
    """Return the pixel size in um, where both axes have the same and a unit."""
    sizes = {
        _scale(axis) * _UM.get(str(getattr(axis, "unit", None)), 0.0)
        for axis in tensor.axes
        if axis.type == "space"
    }
    size = sizes.pop() if len(sizes) == 1 else 0.0
    return size or None


def _origin(files: PackageFiles, description: ModelDescr) -> dict[str, Any]:
    """Say where the model comes from, and what one may do with it."""
    path = files.path
    folder = path.parent if path.suffix.lower() in (".yaml", ".yml") else path
    authors = ", ".join(author.name for author in description.authors)
    known = f" ({description.id})" if description.id else ""
    by = f", by {authors}" if authors else ""
    licence = description.license
    return {
        "name": folder.name.removesuffix(".zip"),
        "title": description.name,
        "description": " ".join(description.description.split()),
        "licence": str(licence) if isinstance(licence, str) else "",
        "source": f"bioimage.io package {description.name!r}{known}{by}.",
    }


def _card(description: ModelDescr) -> ModelSpec | None:
    """Return the specification that our own packages carry; None where there is none."""
    content = (description.config.model_extra or {}).get(CARD_KEY)
    if not isinstance(content, dict):
        return None
    try:
        return ModelSpec.from_json(json.dumps(content))
    except (ModelError, TypeError, ValueError):
        return None


def _says_the_same(card: ModelSpec, fields: dict[str, Any], ending: Ending) -> bool:
    """Whether the description, which others may have changed, still says what the card says."""
    from napari_slicewise.models.bioimageio_description import PERCENTILE_CLIP, outer_activation

    usual = PERCENTILE_CLIP if card.normalization == "percentile" else None
    said: list[tuple[object, object]] = [(fields.get("clip"), card.clip or usual)]
    said += [(fields[key], getattr(card, key)) for key in ("normalization", "in_channels")]
    said.append((fields["out_channels"], card.out_channels))
    said.append((ending.activation, outer_activation(card)))
    if card.normalization == "percentile":
        said.append((fields["percentiles"], card.percentiles))
    if card.normalization == "linear":
        said += [(fields[key], getattr(card, key)) for key in ("gain", "offset")]
    return all(described == carried for described, carried in said)
