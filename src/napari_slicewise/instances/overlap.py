"""Which objects of two label images lie on each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Overlaps", "overlaps"]


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Objects of two slices that lie on each other, an entry a pair.

    Parameters
    ----------
    one, other
        Their numbers.
    iou
        Intersection over union, 0..1.
    covered
        Intersection over the smaller area, 0..1.
    """

    one: NDArray[np.int64]
    other: NDArray[np.int64]
    iou: NDArray[np.float64]
    covered: NDArray[np.float64]


def overlaps(
    one: NDArray[Any], other: NDArray[Any], taken: NDArray[np.bool_] | None = None
) -> Overlaps:
    """Find the objects that lie on each other in two label images of one shape ``(y, x)``.

    Parameters
    ----------
    one, other
        The label images.
    taken
        ``(y, x)``: pixels that count in no intersection, as something else lies there.
    """
    both = (one > 0) & (other > 0)
    if taken is not None:
        both &= ~taken
    area_one, area_other = np.bincount(one.ravel()), np.bincount(other.ravel())
    keys, shared = np.unique(
        one[both].astype(np.int64) * area_other.size + other[both], return_counts=True
    )
    first, second = np.divmod(keys, max(area_other.size, 1))
    areas = area_one[first], area_other[second]
    iou = shared / (areas[0] + areas[1] - shared)
    return Overlaps(first, second, iou, shared / np.minimum(*areas))
