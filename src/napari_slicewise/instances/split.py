"""From a foreground map to objects: threshold, then split what only touches.

Touching objects are split by a watershed on a landscape with a summit in each object:
the network's own distance, or else the Euclidean distance to the background. A summit
stands for an object of its own when the pass to its higher neighbour lies low enough
beneath it (the dynamics of Grimaud 1992, 10.1117/12.60650, here relative to the
summit's height), so that the ripples of a landscape split nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_slicewise.instances.landscape import flood, highest_around, smoothed
from napari_slicewise.instances.mask import Labels, choose_objects, foreground_mask

__all__ = ["Pieces", "find_pieces", "join_pieces", "label_objects"]

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
    split_strength: float = 0.5,
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
    split_strength, largest, core_threshold, smoothing, holes, border
        See :class:`~napari_slicewise.instances.pipeline.ShapeOptions`.

    Returns
    -------
    ndarray of uint32
        ``(y, x)``, 0 the background, objects 1 to n in the order of their first pixel.
    """
    pieces = find_pieces(
        foreground,
        distance,
        threshold=threshold,
        split=split,
        core_threshold=core_threshold,
        smoothing=smoothing,
        holes=holes,
    )
    return choose_objects(join_pieces(pieces, split_strength), smallest, largest, border=border)


@dataclass(frozen=True, eq=False)
class Pieces:
    """The regions of a slice, cut at every pass: what does not depend on how easily is split.

    Parameters
    ----------
    regions
        ``(y, x)``, connected regions.
    count
        Of the regions.
    crowded
        ``(count + 1,)``: which of them have several summits.
    basins
        ``(y, x)``: the basins of crowded regions, 0 elsewhere; None where there are none.
    summit
        ``(basins + 1,)``: the height of each basin's summit.
    passes
        Two neighbouring basins, and the height of the pass between them; an entry a pair.
    usual_pass
        A pass above this fraction of the lower summit joins two basins, usually.
    """

    regions: NDArray[np.int32]
    count: int
    crowded: NDArray[np.bool_] | None = None
    basins: NDArray[np.int32] | None = None
    summit: NDArray[np.float32] | None = None
    passes: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]] | None = None
    usual_pass: float = NETWORK_PASS


def find_pieces(
    foreground: NDArray[np.floating[Any]],  # (y, x)
    distance: NDArray[np.floating[Any]] | None,  # (y, x)
    *,
    threshold: float,
    split: bool,
    core_threshold: float | None = None,
    smoothing: float = 0.0,
    holes: int = 0,
) -> Pieces:
    """Find the regions of a slice, and cut them at every pass; see :func:`label_objects`."""
    mask = foreground_mask(
        foreground, threshold, core_threshold=core_threshold, smoothing=smoothing, holes=holes
    )
    regions, count = ndi.label(mask)
    whole = Pieces(regions, count)
    if not (count and split):
        return whole
    if distance is None:
        landscape = ndi.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1].astype(np.float32)
    else:
        landscape = np.where(mask, np.clip(distance, 0.0, None), 0.0).astype(np.float32)
    landscape = smoothed(landscape)
    summits = (landscape == highest_around(landscape)) & mask & (landscape > 0)
    seeds, seed_count = ndi.label(summits, NEIGHBOURS)
    of_seed = np.zeros(seed_count + 1, np.int32)
    of_seed[seeds[summits]] = regions[summits]
    crowded = np.bincount(of_seed[1:], minlength=count + 1) > 1
    crowded[0] = False
    if not crowded.any():
        return whole
    basins = flood(landscape, seeds, regions, crowded)
    summit = np.zeros(seed_count + 1, np.float32)
    summit[seeds[summits]] = landscape[summits]  # a seed is a plateau: one height
    usual = EUCLIDEAN_PASS if distance is None else NETWORK_PASS
    passes = _find_passes(basins, landscape)
    return Pieces(regions, count, crowded, basins, summit, passes, usual)


def join_pieces(pieces: Pieces, split_strength: float = 0.5) -> NDArray[np.int32]:
    """Join the basins over passes that are high compared with the lower summit.

    Parameters
    ----------
    pieces
        Of a slice.
    split_strength
        See :class:`~napari_slicewise.instances.pipeline.ShapeOptions`.

    Returns
    -------
    ndarray of int32
        ``(y, x)``: regions, of which each is one object.
    """
    if pieces.basins is None or pieces.summit is None or pieces.passes is None:
        return pieces.regions
    exponent = 1.0 / split_strength - 1.0 if split_strength > 0 else np.inf
    joined = _joined(pieces.passes, pieces.summit, pieces.usual_pass**exponent)
    numbers = np.where(joined > 0, joined + np.int32(pieces.count), 0).astype(np.int32)
    return np.where(pieces.basins > 0, numbers[pieces.basins], pieces.regions)


def _joined(
    passes: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]],
    summit: NDArray[np.float32],  # (basin + 1,)
    highest_pass: float,
) -> NDArray[np.int32]:
    """Return for each basin the number of the one it belongs to, ``(basin + 1,)``."""
    first, second, height = passes
    root = np.arange(summit.size, dtype=np.int32)

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
    return np.array([find(basin) for basin in range(summit.size)], np.int32)


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
