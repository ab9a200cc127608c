"""Models in bioimage.io packages, whatever their weights are: tensors, ONNX, TorchScript."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from napari_slicewise.errors import ConsentNeededError, ModelError
from napari_slicewise.inference.opaque_models import load_onnx, load_program
from napari_slicewise.models.bioimageio_check import compare
from napari_slicewise.models.bioimageio_import import (
    OpenPackage,
    checked,
    no_weights,
    open_package,
    read_weights,
)
from napari_slicewise.models.bioimageio_meaning import Meaning
from napari_slicewise.models.checkpoint import load_network
from napari_slicewise.models.spec import ModelSpec

__all__ = ["PackagedModel", "load_packaged"]

_LOADERS = {"onnx": load_onnx, "torchscript": load_program}


@dataclass(frozen=True, eq=False)
class PackagedModel:
    """A network from a package, in evaluation mode, and what is known of it.

    ``sha256`` is that of the weights that were taken, in hexadecimal.
    """

    spec: ModelSpec
    sha256: str
    network: nn.Module


def load_packaged(path: Path) -> PackagedModel:
    """Load the model of a bioimage.io package.

    A state_dict comes first, since nothing of it is run; then ONNX; then TorchScript, which
    the user must have agreed to run. The first whose network is known is taken.

    Parameters
    ----------
    path
        A zip, a folder, or the description within a folder.

    Raises
    ------
    ConsentNeededError
        When only a TorchScript program is left, and the user has not agreed to it.
    ModelError
        When the package cannot be used; with the reason of the first weights that were tried.
    """
    with open_package(path) as package:
        failures: list[ModelError] = []
        try:
            found = read_weights(package)
            if found is not None:
                return PackagedModel(found.spec, found.sha256, load_network(found))
        except ModelError as error:
            failures.append(error)
        for kind in _LOADERS:
            try:
                loaded = _load_opaque(package, kind)
            except ModelError as error:
                failures.append(error)
                continue
            if loaded is not None:
                return loaded
        asked = [error for error in failures if isinstance(error, ConsentNeededError)]
        raise (asked or failures or [no_weights(package)])[0]


def _load_opaque(package: OpenPackage, kind: str) -> PackagedModel | None:
    """Load a graph or a program; None where the package has none."""
    extracted = package.extract(kind)
    if extracted is None:
        return None
    place, digest = extracted
    try:
        opaque = _LOADERS[kind](place, digest, {})
    except ConsentNeededError as error:
        named = package.named(error, place)
        path = str(package.files.path)
        raise ConsentNeededError(named.message, named.hint, error.sha256, path) from error
    except ModelError as error:
        raise package.named(error, place) from error
    fields = {**package.meaning.fields, **_of_network(package.meaning)}
    found = (opaque.spec.in_channels, opaque.spec.out_channels)
    if found != (fields["in_channels"], fields["out_channels"]):
        raise package.named(
            ModelError(f"Its {kind} network takes and gives {found[0]} and {found[1]} channels."),
            place,
        )
    said = f"{fields['description']} {opaque.spec.description}".strip()
    spec = replace(opaque.spec, **{**fields, "description": said})
    spec = checked(package, spec, compare(opaque.network, spec, package.meaning))
    return PackagedModel(spec, digest, opaque.network)


def _of_network(meaning: Meaning) -> dict[str, Any]:
    """Say what is left to do behind a network that brings its own end along, and its grid.

    A program of this project's takes any size, so that running it does not show its stride.
    """
    known: dict[str, Any] = {}
    card = meaning.card
    if card is not None:
        known = {name: getattr(card, name) for name in ("stride", "margin", "whole_slices")}
    if card is not None and card.output == "foreground_distance":
        return {**known, "activation": "none"}
    if meaning.ending.activation != "none" or meaning.logits or meaning.expected is None:
        return known
    return {**known, "activation": "none"}
