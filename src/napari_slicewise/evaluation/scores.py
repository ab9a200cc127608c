"""Scores of a segmentation against the truth, for arrays of any number of axes.

Labels are whole numbers: 0 the background, each other number one object. Masks are
labels that are 0 or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array, csr_array

from napari_slicewise.errors import ImageError

__all__ = [
    "THRESHOLDS",
    "Matching",
    "adapted_rand_error",
    "dice",
    "foreground_iou",
    "match_objects",
    "overlaps",
    "pixel_error",
    "pool_matchings",
]

Labels = NDArray[Any]

THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
"""Of the intersection over union from which on two objects are the same."""


@dataclass(frozen=True)
class Matching:
    """How many objects were found at one threshold of their intersection over union.

    Parameters
    ----------
    threshold
        Of the intersection over union.
    hits
        Pairs of a predicted and a true object, each in one pair at most.
    false
        Predicted objects without a partner.
    missed
        True objects without a partner.
    overlap
        Sum of the intersection over union of all pairs.
    """

    threshold: float
    hits: int
    false: int
    missed: int
    overlap: float

    @property
    def average_precision(self) -> float:
        """``TP / (TP + FP + FN)``, the precision of the 2018 Data Science Bowl; 1 of nothing."""
        return _share(self.hits, self.hits + self.false + self.missed)

    @property
    def f1(self) -> float:
        """``2 TP / (2 TP + FP + FN)``; 1 of nothing."""
        return _share(2 * self.hits, 2 * self.hits + self.false + self.missed)

    @property
    def panoptic_quality(self) -> float:
        """Sum of overlaps over ``TP + FP / 2 + FN / 2``; 1 of nothing.

        Source: Kirillov et al. 2019, 10.1109/CVPR.2019.00963, equation 1.
        """
        return _share(2.0 * self.overlap, 2 * self.hits + self.false + self.missed)


def overlaps(predicted: Labels, truth: Labels) -> csr_array:
    """Count the pixels that each true and each predicted object share.

    Returns
    -------
    csr_array
        ``(true + 1, predicted + 1)``, objects in the order of their numbers; row and
        column 0 are the background.

    Raises
    ------
    ImageError
        When the two differ in shape.
    """
    _check_shapes(predicted, truth)
    rows, row_count = _positions(truth)
    columns, column_count = _positions(predicted)
    ones = np.ones(rows.size, np.int64)
    counts = coo_array((ones, (rows, columns)), shape=(row_count, column_count))
    return csr_array(counts.tocsr())


def foreground_iou(predicted: Labels, truth: Labels) -> float:
    """Intersection over union of what is not background; 1 where both are empty."""
    _check_shapes(predicted, truth)
    one, other = predicted > 0, truth > 0
    return _share(int(np.count_nonzero(one & other)), int(np.count_nonzero(one | other)))


def dice(predicted: Labels, truth: Labels) -> float:
    """Twice the common foreground over the sum of both; 1 where both are empty."""
    _check_shapes(predicted, truth)
    one, other = predicted > 0, truth > 0
    total = int(np.count_nonzero(one)) + int(np.count_nonzero(other))
    return _share(2 * int(np.count_nonzero(one & other)), total)


def pixel_error(predicted: Labels, truth: Labels) -> float:
    """Share of the pixels that are foreground in one and background in the other."""
    _check_shapes(predicted, truth)
    return float(np.mean((predicted > 0) != (truth > 0)))


def match_objects(
    predicted: Labels, truth: Labels, thresholds: Sequence[float] = THRESHOLDS
) -> tuple[Matching, ...]:
    """Pair predicted with true objects, at each threshold as many as can be.

    Of all assignments with most pairs above the threshold, the one with the largest
    overlap is taken. Below a threshold of 0.5 an object may have several candidates.

    Parameters
    ----------
    predicted, truth
        Labels of one shape.
    thresholds
        Of the intersection over union.
    """
    counts = overlaps(predicted, truth)
    sizes = np.asarray(counts.sum(axis=1)), np.asarray(counts.sum(axis=0))
    true_count, found_count = counts.shape[0] - 1, counts.shape[1] - 1
    pairs = counts[1:, 1:].tocoo()
    union = sizes[0][1:][pairs.row] + sizes[1][1:][pairs.col] - pairs.data
    iou = pairs.data / union
    matchings = []
    for threshold in thresholds:
        enough = iou >= threshold
        found = _best_pairs(pairs.row[enough], pairs.col[enough], iou[enough])
        hits = len(found)
        matchings.append(
            Matching(
                float(threshold), hits, found_count - hits, true_count - hits, float(sum(found))
            )
        )
    return tuple(matchings)


def pool_matchings(images: Iterable[Sequence[Matching]]) -> tuple[Matching, ...]:
    """Add up the objects of several images, threshold by threshold."""
    return tuple(
        Matching(
            same[0].threshold,
            sum(m.hits for m in same),
            sum(m.false for m in same),
            sum(m.missed for m in same),
            sum(m.overlap for m in same),
        )
        for same in zip(*images, strict=True)
    )


def adapted_rand_error(predicted: Labels, truth: Labels, *, singletons: bool = False) -> float:
    """One minus the F-score of the pairs of pixels that are together in both; 0 is best.

    Only pixels that belong to an object of the truth count. Source: Arganda-Carreras et al.
    2015, 10.3389/fnana.2015.00142.

    Parameters
    ----------
    predicted, truth
        Labels of one shape.
    singletons
        Whether each pixel of the predicted background is a segment of its own, as in the
        ISBI 2012 challenge; else the background is one segment, as in scikit-image.
    """
    table = overlaps(predicted, truth)[1:].astype(np.float64)
    if table.nnz == 0:
        return 0.0
    by_truth = np.asarray(table.sum(axis=1))
    kept = table[:, 1:] if singletons else table
    by_found = np.asarray(kept.sum(axis=0))
    # Pairs of two different pixels, in both orders.
    together = float((kept.data**2 - kept.data).sum())
    in_truth = float((by_truth**2 - by_truth).sum())
    in_found = float((by_found**2 - by_found).sum())
    total = in_truth + in_found
    return 1.0 - 2.0 * together / total if total else 0.0


def _best_pairs(
    rows: NDArray[np.integer[Any]], columns: NDArray[np.integer[Any]], iou: NDArray[np.float64]
) -> list[float]:
    """Return the overlaps of the pairs of an assignment: most pairs, then most overlap."""
    if len(np.unique(rows)) == len(rows) and len(np.unique(columns)) == len(columns):
        return [float(value) for value in iou]
    true, row = np.unique(rows, return_inverse=True)
    found, column = np.unique(columns, return_inverse=True)
    gain = np.zeros((true.size, found.size))
    # One more pair is worth more than all overlaps together.
    gain[row, column] = 1.0 + iou / (2.0 * min(gain.shape))
    chosen = linear_sum_assignment(gain, maximize=True)
    value = np.zeros(gain.shape)
    value[row, column] = iou
    return [float(v) for v in value[chosen] if v > 0.0]


def _positions(labels: Labels) -> tuple[NDArray[np.intp], int]:
    """Renumber the objects 1 to n in order, the background 0; flat, and ``n + 1``."""
    values, position = np.unique(labels, return_inverse=True)
    position = position.ravel()
    if np.any(values == 0):
        zero = int(np.flatnonzero(values == 0)[0])
        order = np.arange(values.size)
        order[zero] = 0
        order[:zero] += 1  # negative numbers come before the background
        return order[position], values.size
    return position + 1, values.size + 1


def _check_shapes(predicted: Labels, truth: Labels) -> None:
    if predicted.shape != truth.shape:
        raise ImageError(
            f"The prediction has the shape {predicted.shape}, the truth {truth.shape}.",
            "Compare two label images of one shape.",
        )


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 1.0
