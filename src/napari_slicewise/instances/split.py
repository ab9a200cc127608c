"""From a foreground map to objects: threshold, then split what only touches.

Touching objects are split by a watershed on a landscape with a summit in each object:
the network's own distance, or else the Euclidean distance to the background. A summit
stands for an object of its own when the pass to its higher neighbour lies low enough
beneath it (the dynamics of Grimaud 1992, 10.1117/12.60650, here relative to the
summit's height), so that the ripples of a landscape split nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.segmentation import watershed

from napari_slicewise.instances.mask import Labels, choose_objects, foreground_mask

__all__ = ["label_objects"]

SMOOTHING = 1.0  # px, standard deviation
NETWORK_PASS = 0.8  # a pass above this fraction of the lower summit joins two regions
EUCLIDEAN_PASS = 0.9
NEIGHBOURS = np.ones((3, 3), bool)


def label_objects(
    foreground: NDArray[np.floating[Any]],  # (y, x)
    distance: NDArray[np.floating[Any]] | None = None,  # (y, x)
    *,
    threshold: float,
    split: bool,
    smallest: int,
    largest: int | None = None,
    core_threshold: float | None = None,
    smoothing: float = 0.0,
    holes: int = 0,
    border: bool = True,
) -> Labels:
    """Find and number the objects of a slice.

    Parameters
    ----------
    foreground
        ``(y, x)`` probability of belonging to an object, 0..1. NaN is background.
    distance
        ``(y, x)`` landscape, 0 at an object's edge and about 1 in its middle; None
        takes the Euclidean distance to the background, in pixels.
    threshold
        A pixel belongs to an object from this probability on.
    split
        Whether touching objects are split; else each connected region (of four
        neighbours) is one object.
    smallest
        Objects of fewer pixels are left out.
    largest, core_threshold, smoothing, holes, border
        See :class:`~napari_slicewise.instances.pipeline.ShapeOptions`.

    Returns
    -------
    ndarray of uint32
        ``(y, x)``, 0 the background, objects 1 to n in the order of their first pixel.
    """
    mask = foreground_mask(
        foreground, threshold, core_threshold=core_threshold, smoothing=smoothing, holes=holes
    )
    regions, count = ndi.label(mask)
    if count and split:
        regions = _split_regions(regions, count, mask, distance)
    return choose_objects(regions, smallest, largest, border=border)


def _split_regions(
    regions: NDArray[np.int32],
    count: int,
    mask: NDArray[np.bool_],
    distance: NDArray[np.floating[Any]] | None,
) -> NDArray[np.int32]:
    """Split each connected region that holds several summits."""
    if distance is None:
        landscape = ndi.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1].astype(np.float32)
        highest_pass = EUCLIDEAN_PASS
    else:
        landscape = np.where(mask, np.clip(distance, 0.0, None), 0.0).astype(np.float32)
        highest_pass = NETWORK_PASS
    landscape = ndi.gaussian_filter(landscape, SMOOTHING, truncate=3.0)
    summits = (landscape == ndi.maximum_filter(landscape, 3)) & mask & (landscape > 0)
    seeds, seed_count = ndi.label(summits, NEIGHBOURS)
    if seed_count < 2:
        return regions
    of_seed = np.zeros(seed_count + 1, np.int32)
    of_seed[seeds[summits]] = regions[summits]
    crowded = np.bincount(of_seed[1:], minlength=count + 1) > 1
    crowded[0] = False
    if not crowded.any():
        return regions
    inside = crowded[regions]
    basins = watershed(-landscape, np.where(inside, seeds, 0), mask=inside)  # type: ignore[no-untyped-call]
    joined = _join_basins(basins, seed_count, landscape, highest_pass)
    return np.where(inside, joined[basins] + np.int32(count), regions)


def _join_basins(
    basins: NDArray[np.int32],
    count: int,
    landscape: NDArray[np.float32],
    highest_pass: float,
) -> NDArray[np.int32]:
    """Join basins over passes that are high compared with the lower summit.

    Returns
    -------
    ndarray of int32
        ``(count + 1,)``: for each basin the number of the one it belongs to.
    """
    first, second, height = _find_passes(basins, landscape)
    summit = np.zeros(count + 1, np.float32)
    inside = basins > 0
    np.maximum.at(summit, basins[inside], landscape[inside])
    root = np.arange(count + 1, dtype=np.int32)

    def find(basin: int) -> int:
        while root[basin] != basin:
            root[basin] = root[root[basin]]
            basin = int(root[basin])
        return basin

    # From the highest pass down: by then each side holds all that lies above the pass.
    for index in np.argsort(-height, kind="stable"):
        one, other = find(int(first[index])), find(int(second[index]))
        if one == other:
            continue
        low, high = sorted((one, other), key=lambda basin: (summit[basin], -basin))
        if height[index] >= highest_pass * summit[low]:
            root[low] = high
    return np.array([find(basin) for basin in range(count + 1)], np.int32)


def _find_passes(
    basins: NDArray[np.int32], landscape: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Find the highest pass between each two neighbouring basins.

    Returns
    -------
    first, second, height
        One entry for each pair of neighbours, ``first < second``.
    """
    size = int(basins.max()) + 1
    keys, heights = [], []
    for one, other in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        a, b = basins[one], basins[other]
        meet = np.flatnonzero((a != b) & (a > 0) & (b > 0))
        a, b = a.ravel()[meet].astype(np.int64), b.ravel()[meet].astype(np.int64)
        keys.append(np.minimum(a, b) * size + np.maximum(a, b))
        heights.append(np.minimum(landscape[one].ravel()[meet], landscape[other].ravel()[meet]))
    pairs, position = np.unique(np.concatenate(keys), return_inverse=True)
    height = np.zeros(pairs.size, np.float32)
    np.maximum.at(height, position, np.concatenate(heights))
    return pairs // size, pairs % size, height
