"""Scores for membranes: what is inside of a cell is foreground, the membrane background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.morphology import skeletonize

from napari_slicewise.errors import ImageError
from napari_slicewise.evaluation.scores import adapted_rand_error

__all__ = ["MembraneScore", "score_membranes", "thin_to_cells"]

_PAD = 16  # px; skeletons shrink at their ends, which would open gaps at the image's border
_THRESHOLDS = tuple(n / 10 for n in range(1, 10))


@dataclass(frozen=True)
class MembraneScore:
    """Errors at the threshold at which the Rand error is least."""

    threshold: float
    rand_error: float
    pixel_error: float


def thin_to_cells(inside: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Thin the membranes to a line and number the cells between them.

    Parameters
    ----------
    inside
        ``(y, x)``: what is no membrane.

    Returns
    -------
    ndarray of int32
        ``(y, x)``; cells are connected by four neighbours.
    """
    membranes = np.pad(~inside, _PAD, mode="edge")
    lines = skeletonize(membranes)[_PAD:-_PAD, _PAD:-_PAD]  # type: ignore[no-untyped-call]
    return np.asarray(ndi.label(~lines)[0], np.int32)


def score_membranes(
    inside: NDArray[Any], truth: NDArray[Any], thresholds: Sequence[float] | None = None
) -> MembraneScore:
    """Score the probability of being inside of a cell, slice by slice.

    The Rand error is that of Arganda-Carreras et al. 2015 (10.3389/fnana.2015.00142):
    membranes thinned to lines in both, only pixels inside of the truth's cells counted, the
    mean of all slices, the best of all thresholds.

    Parameters
    ----------
    inside
        ``(y, x)`` or ``(z, y, x)``, from 0 to 1; or a mask.
    truth
        Of the same shape; above 0 inside of a cell.
    thresholds
        To try; None takes tenths, or 0.5 for a mask.
    """
    if inside.shape != truth.shape:
        raise ImageError(f"The prediction has the shape {inside.shape}, the truth {truth.shape}.")
    slices = inside.reshape(-1, *inside.shape[-2:]).astype(np.float64)
    masks = (truth > 0).reshape(slices.shape)
    if thresholds is None:
        thresholds = (0.5,) if len(np.unique(slices)) <= 2 else _THRESHOLDS
    cells = [thin_to_cells(mask) for mask in masks]
    scores = []
    for threshold in thresholds:
        errors = [
            adapted_rand_error(thin_to_cells(one > threshold), true, singletons=True)
            for one, true in zip(slices, cells, strict=True)
        ]
        pixels = float(np.mean((slices > threshold) != masks))
        scores.append(MembraneScore(float(threshold), float(np.mean(errors)), pixels))
    return min(scores, key=lambda score: score.rand_error)
