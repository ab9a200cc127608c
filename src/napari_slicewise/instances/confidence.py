"""How sure the network is of each object."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["object_confidence"]


def object_confidence(
    labels: NDArray[np.integer[Any]],  # (y, x)
    foreground: NDArray[np.floating[Any]],  # (y, x)
) -> NDArray[np.float32]:  # (object + 1,)
    """Return the mean foreground probability of each object of a slice, 0..1.

    A network that was trained with a cross entropy says by it how many of the pixels it
    expects to be right. Objects with a mean just above the threshold are those that
    another threshold, or another image of the same thing, would not have.

    Parameters
    ----------
    labels
        ``(y, x)``, objects 1..n.
    foreground
        ``(y, x)``, the probability that they were made of, before any smoothing. NaN
        counts as 0.

    Returns
    -------
    ndarray
        ``(n + 1,)``, by the objects' numbers; 0 for the background, and for numbers that
        no pixel has.
    """
    inside = np.flatnonzero(labels)
    numbers = labels.ravel()[inside]
    count = int(labels.max(initial=0)) + 1
    pixels = np.bincount(numbers, minlength=count)
    values = np.nan_to_num(foreground.ravel()[inside])
    sums = np.bincount(numbers, weights=values, minlength=count)
    return (sums / np.maximum(pixels, 1)).astype(np.float32)
