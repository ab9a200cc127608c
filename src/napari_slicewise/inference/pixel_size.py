"""Whether a slice is rescaled to the pixel size that a model was trained at.

No torch here: the panel says it before the run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from napari_slicewise.errors import RequestError
from napari_slicewise.models.spec import ModelSpec

__all__ = ["Rescaling", "find_rescaling"]

NEAR = 1.1
"""Pixel sizes up to this ratio count as the same: objects of one kind vary more than that."""

FAR = 8.0
"""From this ratio on it is the pixel size that is wrong, or the model."""


@dataclass(frozen=True)
class Rescaling:
    """A slice on the image's grid and on the model's; both cover the same rectangle.

    Parameters
    ----------
    image_um
        Size of the image's pixels in um, ``(y, x)``.
    model_um
        Pixel size that the model was trained at, in um.
    image_shape, model_shape
        Rows and columns of the slice on the one grid and on the other, in pixels.
    """

    image_um: tuple[float, float]
    model_um: float
    image_shape: tuple[int, int]
    model_shape: tuple[int, int]

    def on_image(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Return how many of the image's pixels lie on so many of the model's, rounded down."""
        rows, columns = (
            max(1, side * image // model)
            for side, image, model in zip(shape, self.image_shape, self.model_shape, strict=True)
        )
        return rows, columns

    def describe(self) -> str:
        """Say in words what is done, such as ``rescaled 0.65 -> 0.5 um``."""
        return f"rescaled {_say(self.image_um)} -> {self.model_um:.3g} um"


def find_rescaling(
    spec: ModelSpec,
    shape: tuple[int, int],
    pixel_um: tuple[float, float] | None,  # (y, x)
) -> Rescaling | None:
    """Return how slices are rescaled for a model; None where they are taken as they are.

    They are where either pixel size is not known, or both are the same within a tenth.

    Parameters
    ----------
    spec
        The model.
    shape
        Rows and columns of a slice, in pixels.
    pixel_um
        Size of the image's pixels in um; None where it is not known.

    Raises
    ------
    RequestError
        When the two differ so much that one of them must be wrong.
    """
    if spec.pixel_um is None or pixel_um is None:
        return None
    if not all(math.isfinite(size) and size > 0.0 for size in pixel_um):
        return None
    factors = [size / spec.pixel_um for size in pixel_um]
    apart = max(max(factor, 1.0 / factor) for factor in factors)
    if apart <= NEAR * (1.0 + 1e-6):  # a tenth is a tenth, however it was rounded
        return None
    if apart > FAR * (1.0 + 1e-6):
        raise RequestError(
            f"A pixel of the image has {_say(pixel_um)} um, the model {spec.name!r} was trained "
            f"at {spec.pixel_um:.3g} um: that is too far apart.",
            "Correct the pixel size of the image, choose another model, or turn rescaling off.",
        )
    rows, columns = (
        max(1, round(side * factor)) for side, factor in zip(shape, factors, strict=True)
    )
    return Rescaling(pixel_um, spec.pixel_um, shape, (rows, columns))


def _say(pixel_um: tuple[float, float]) -> str:
    """Write a pixel's size, once where it is square."""
    sizes = dict.fromkeys(f"{size:.3g}" for size in pixel_um)
    return " x ".join(sizes)
