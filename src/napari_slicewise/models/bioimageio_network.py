"""A network as a bioimage.io package carries it: one file of Python that needs torch alone.

The file is the network's own source, and behind it a class that takes images of any size,
as inference does here. Its state_dict has the network's own keys.
"""

from __future__ import annotations

import ast
import inspect
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from napari_slicewise.errors import ModelError
from napari_slicewise.models.bioimageio_any_size import (
    AnySize,
    AnySizeProgram,
    enlarged,
    mirrored,
)
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.unet import UNet
from napari_slicewise.models.unet_2015 import UNet2015
from napari_slicewise.models.unet_compact import UNetCompact
from napari_slicewise.models.unet_padded import UNetPadded

__all__ = [
    "CALLABLE",
    "PackagedSource",
    "packaged_sides",
    "packaged_source",
    "standalone",
    "write_program",
]

CALLABLE = "PackagedNetwork"
"""The class in the file that is written."""

_HOUSE = "napari_slicewise"
_NETWORKS: dict[str, type[nn.Module]] = {
    "unet": UNet,
    "unet_2015": UNet2015,
    "unet_compact": UNetCompact,
    "unet_padded": UNetPadded,
}


@dataclass(frozen=True)
class PackagedSource:
    """The file, and from what its class is built.

    Parameters
    ----------
    name
        Of the file.
    text
        Its content.
    arguments
        Of ``CALLABLE``, plain values.
    """

    name: str
    text: str
    arguments: dict[str, Any]


def packaged_source(spec: ModelSpec) -> PackagedSource | None:
    """Write the source of a network; None where it is not one of this project's.

    Parameters
    ----------
    spec
        The model.
    """
    network = _NETWORKS.get(spec.architecture)
    if network is None:
        return None
    parts = [standalone(inspect.getsource(sys.modules[network.__module__])).rstrip("\n")]
    parts += [inspect.getsource(part).rstrip("\n") for part in (mirrored, enlarged, AnySize)]
    doc = f'"""{network.__name__} for images of any size; see its bases."""'
    parts.append(f"class {CALLABLE}(AnySize, {network.__name__}):\n    {doc}")
    arguments = {**packaged_sides(spec), **_network_arguments(spec)}
    return PackagedSource(f"{spec.architecture}.py", "\n\n\n".join(parts) + "\n", arguments)


def write_program(network: nn.Module, spec: ModelSpec, path: Path) -> None:
    """Write a network of a library as TorchScript, for images of any size.

    Parameters
    ----------
    network
        In evaluation mode.
    spec
        What it is.
    path
        The file.

    Raises
    ------
    ModelError
        When torch cannot trace it.
    """
    side = 4 * spec.stride + spec.remainder + (2 * spec.margin if spec.padding == "valid" else 0)
    example = torch.rand(1, spec.in_channels, side, side)
    try:
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated, and still what is read
            traced = torch.jit.trace(network, example)  # type: ignore[no-untyped-call]
            program = torch.jit.script(AnySizeProgram(traced, **packaged_sides(spec)))
            torch.jit.save(program, str(path))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"The network cannot be written as TorchScript: {reason}.") from error


def standalone(source: str) -> str:
    """Take this project's imports out of a network's source.

    They may be there for annotations alone, which nobody evaluates.

    Raises
    ------
    ModelError
        When the network needs more of this project than that.
    """
    tree = ast.parse(source)
    lines = source.splitlines()
    for node in tree.body:
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(_HOUSE):
            continue
        used = {alias.asname or alias.name for alias in node.names} & _evaluated_names(tree)
        if used:
            raise ModelError(f"The network needs {', '.join(sorted(used))}: it is no single file.")
        for number in range(node.lineno - 1, node.end_lineno or node.lineno):
            lines[number] = ""
    text = "\n".join(lines).rstrip() + "\n"
    while "\n\n\n\n" in text:  # the gaps that imports left
        text = text.replace("\n\n\n\n", "\n\n\n")
    return text


def _evaluated_names(tree: ast.Module) -> set[str]:
    """Return the names that running a module looks up, those in annotations left out."""
    annotations: set[int] = set()
    for node in ast.walk(tree):
        for attribute in ("annotation", "returns"):
            annotation = getattr(node, attribute, None)
            if isinstance(annotation, ast.AST):
                annotations.update(id(inner) for inner in ast.walk(annotation))
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return {node.id for node in names if id(node) not in annotations}


def packaged_sides(spec: ModelSpec) -> dict[str, Any]:
    """Return which sides fit, and whether activations are applied inside."""
    return {
        "stride": spec.stride,
        "remainder": spec.remainder,
        "lost": spec.margin if spec.padding == "valid" else 0,
        "distance": spec.output == "foreground_distance",
    }


def _network_arguments(spec: ModelSpec) -> dict[str, Any]:
    """Return what the network's class is built from."""
    widths = list(spec.widths)
    if spec.architecture == "unet_compact":
        return {
            "channels": [spec.in_channels, *widths],
            "out_channels": spec.out_channels,
            "last_relu": spec.last_relu,
        }
    channels = {"in_channels": spec.in_channels, "out_channels": spec.out_channels}
    if spec.architecture == "unet":
        return {**channels, "first_filters": spec.first_filters}
    if spec.architecture == "unet_2015":
        return {**channels, "widths": widths}
    padded = {"upsampling": spec.upsampling, "batch_norm": spec.batch_norm}
    return {**channels, "widths": widths, **padded}
