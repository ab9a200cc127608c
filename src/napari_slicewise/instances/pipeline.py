"""From a network's activations to what the user asked for, one slice at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.instances.split import label_objects

__all__ = ["ShapeOptions", "foreground_probability", "shape_slice"]


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
    smallest
        Objects of fewer pixels are left out.
    """

    heads: str
    output: Literal["labels", "classes", "probability"]
    threshold: float = 0.5
    split: bool = True
    smallest: int = 0


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
    foreground = foreground_probability(activations, options.heads)
    if options.output == "probability":
        return np.ascontiguousarray(foreground)
    if options.output == "classes":
        classes = activations.argmax(axis=0)
        if options.heads != "classes":
            classes = foreground >= options.threshold
        return np.asarray(classes, np.uint8)
    return label_objects(
        foreground,
        _distance(activations, options.heads),
        threshold=options.threshold,
        split=options.split,
        smallest=options.smallest,
    )


def _distance(activations: NDArray[np.float32], heads: str) -> NDArray[np.float32] | None:
    """Return the landscape whose summits are objects, ``(y, x)``; None where the model has none."""
    if heads == "foreground_distance":
        return np.asarray(activations[1])
    if heads == "foreground_boundary":
        return np.asarray(1.0 - activations[1])
    return None
