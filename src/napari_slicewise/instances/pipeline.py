"""From a network's activations to what the user asked for, one slice at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.instances.split import label_objects

__all__ = [
    "ShapeOptions",
    "foreground_distance",
    "foreground_probability",
    "pixels_of_area",
    "shape_slice",
]


@dataclass(frozen=True)
class ShapeOptions:
    """How activations become labels.

    Parameters
    ----------
    heads
        What the channels of the activations mean, as in ``ModelSpec.output``.
    output
        What is wanted: ``labels``, ``classes`` or ``probability``.
    threshold
        Foreground probability of a pixel that belongs to an object, 0..1.
    split
        Whether touching objects are split.
    split_strength
        How easily, from 0 (never) to 1 (at the least dent in the landscape); 0.5 is what
        the models are tested with.
    smallest
        Objects of fewer pixels are left out.
    largest
        Objects of more pixels are left out; None keeps them.
    core_threshold
        An object holds a pixel of at least this probability (a threshold with
        hysteresis); None asks for no more than ``threshold``.
    smoothing
        Standard deviation in pixels of the Gaussian that smooths the outlines, 0 for none.
    holes
        Holes of up to so many pixels are filled.
    border
        Whether objects at the border of the slice are kept.
    """

    heads: str
    output: Literal["labels", "classes", "probability"]
    threshold: float = 0.5
    split: bool = True
    split_strength: float = 0.5
    smallest: int = 0
    largest: int | None = None
    core_threshold: float | None = None
    smoothing: float = 0.0
    holes: int = 0
    border: bool = True


def foreground_probability(
    activations: NDArray[np.float32],  # (head, y, x)
    heads: str,
) -> NDArray[np.float32]:  # (y, x)
    """Return the probability of not being background, 0..1."""
    if heads == "classes":
        complement: NDArray[np.float32] = 1.0 - activations[0]
        return complement
    return np.asarray(activations[0])


def shape_slice(
    activations: NDArray[np.float32],  # (head, y, x)
    options: ShapeOptions,
) -> NDArray[Any]:  # (y, x)
    """Shape one slice.

    Returns
    -------
    NDArray
        ``(y, x)``: objects 1..n (uint32), classes (uint8) or foreground probability (float32).
    """
    foreground, distance = foreground_distance(activations, options.heads)
    if options.output == "probability":
        return np.ascontiguousarray(foreground)
    if options.output == "classes":
        if options.heads == "classes":
            return np.asarray(activations.argmax(axis=0), np.uint8)
        return (foreground >= options.threshold).view(np.uint8)
    return label_objects(
        foreground,
        distance,
        threshold=options.threshold,
        split=options.split,
        split_strength=options.split_strength,
        smallest=options.smallest,
        largest=options.largest,
        core_threshold=options.core_threshold,
        smoothing=options.smoothing,
        holes=options.holes,
        border=options.border,
    )


def pixels_of_area(
    um2: float,
    pixel_um: tuple[float, float],  # (y, x)
) -> int:
    """Return how many pixels an area in um2 covers, for ``smallest``, ``largest`` and ``holes``."""
    return round(um2 / (pixel_um[0] * pixel_um[1]))


def foreground_distance(
    activations: NDArray[np.float32],  # (head, y, x)
    heads: str,
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Return foreground probability and the landscape to split by, ``(y, x)`` each."""
    return foreground_probability(activations, heads), _distance(activations, heads)


def _distance(activations: NDArray[np.float32], heads: str) -> NDArray[np.float32] | None:
    """Return the landscape whose summits are objects, ``(y, x)``; None where the model has none."""
    if heads == "foreground_distance":
        return np.asarray(activations[1])
    if heads == "foreground_boundary":
        return np.asarray(1.0 - activations[1])
    return None
