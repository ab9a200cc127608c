"""Which pixels are foreground, and which regions of them count as objects."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

__all__ = ["Labels", "choose_objects", "foreground_mask"]

Labels = NDArray[np.uint32]
NEIGHBOURS = np.ones((3, 3), bool)


def foreground_mask(
    foreground: NDArray[np.floating[Any]],  # (y, x)
    threshold: float,
    *,
    core_threshold: float | None = None,
    smoothing: float = 0.0,
    holes: int = 0,
) -> NDArray[np.bool_]:  # (y, x)
    """Find the pixels that belong to objects.

    Parameters
    ----------
    foreground
        ``(y, x)`` probability of belonging to an object, 0..1. NaN is background.
    threshold
        A pixel belongs to an object from this probability on,
    core_threshold
        if a pixel of its region (of four neighbours) has at least this one. None: all do.
    smoothing
        Standard deviation in pixels of a Gaussian that the probability goes through first.
    holes
        Background regions (of eight neighbours) of up to so many pixels are filled,
        unless they touch the border of the slice.
    """
    if smoothing > 0:
        foreground = ndi.gaussian_filter(np.nan_to_num(foreground), smoothing)
    mask = foreground >= threshold
    if core_threshold is not None and core_threshold > threshold:
        regions, count = ndi.label(mask)
        with_core = np.zeros(count + 1, bool)
        with_core[regions[foreground >= core_threshold]] = True
        mask = with_core[regions]
    if holes > 0:
        gaps, _ = ndi.label(~mask, NEIGHBOURS)
        small = np.bincount(gaps.ravel()) <= holes
        small[_at_border(gaps)] = False
        mask = mask | (small[gaps] & ~mask)
    return np.asarray(mask)


def choose_objects(
    regions: NDArray[np.integer[Any]],  # (y, x)
    smallest: int,
    largest: int | None = None,
    *,
    border: bool = True,
) -> Labels:
    """Leave regions out by size and place, and number the others in the order of first pixels.

    Parameters
    ----------
    regions
        ``(y, x)``, 0 the background.
    smallest, largest
        In pixels; None for no limit.
    border
        Whether those at the border of the slice are kept.

    Returns
    -------
    ndarray of uint32
        ``(y, x)``, objects 1 to n.
    """
    flat = regions.ravel()
    areas = np.bincount(flat)
    kept = areas >= max(1, smallest)
    if largest is not None:
        kept &= areas <= largest
    if not border:
        kept[_at_border(regions)] = False
    kept[0] = False
    first = np.full(areas.size, flat.size, np.int64)
    positions = np.flatnonzero(flat)
    first[flat[positions[::-1]]] = positions[::-1]
    order = np.flatnonzero(kept)
    order = order[np.argsort(first[order], kind="stable")]
    number = np.zeros(areas.size, np.uint32)
    number[order] = np.arange(1, order.size + 1, dtype=np.uint32)
    labels: Labels = number[regions]
    return labels


def _at_border(regions: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    edges = regions[0], regions[-1], regions[:, 0], regions[:, -1]
    return np.unique(np.concatenate(edges))
