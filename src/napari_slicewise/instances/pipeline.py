"""From a network's activations to what the user asked for, one slice at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.instances.split import label_objects

__all__ = [
    "ShapeOptions",
    "foreground_distance",
    "foreground_probability",
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
    objects
        What counts as an object; its threshold is the model's where the user named none.
    """

    heads: str
    output: Literal["labels", "classes", "probability"]
    objects: ObjectOptions = field(default_factory=ObjectOptions)


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
        return (foreground >= options.objects.cut).view(np.uint8)
    return label_objects(foreground, distance, options.objects)


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
