"""Networks that are built by the libraries they come from; each is an extra."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from napari_slicewise.models.monai_networks import (
    build_basic_unet,
    build_unet,
    recognise_basic_unet,
    recognise_unet,
)
from napari_slicewise.models.recognised import Recognised
from napari_slicewise.models.smp_networks import build_smp_unet, recognise_smp_unet
from napari_slicewise.models.spec import ModelSpec

__all__ = ["LIBRARIES", "Library", "recognise_library"]


@dataclass(frozen=True)
class Library:
    """A network of a library.

    Parameters
    ----------
    build
        Makes it, with random weights, from its specification; raises ``ModelError`` where
        the library is missing.
    recognise
        Reads it from keys and shapes; None where they are another network's.
    """

    build: Callable[[ModelSpec], nn.Module]
    recognise: Callable[[Mapping[str, Tensor]], Recognised | None]


LIBRARIES: Mapping[str, Library] = {
    "monai_unet": Library(build_unet, recognise_unet),
    "monai_basic_unet": Library(build_basic_unet, recognise_basic_unet),
    "smp_unet": Library(build_smp_unet, recognise_smp_unet),
}


def recognise_library(state: Mapping[str, Tensor]) -> Recognised | None:
    """Tell a library's network by its keys; None where it is none that is known.

    Raises
    ------
    ModelError
        With the first tensor that does not fit; or with what to install, as its hint.
    """
    found = (library.recognise(state) for library in LIBRARIES.values())
    return next((network for network in found if network is not None), None)
