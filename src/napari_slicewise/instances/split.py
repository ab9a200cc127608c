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

from napari_slicewise.instances.landscape import (
    flood,
    highest_around,
    number_plateaus,
    smoothed,
)
from napari_slicewise.instances.mask import Labels, choose_objects, foreground_mask
from napari_slicewise.instances.options import ObjectOptions

__all__ = [
    "Pieces",
    "find_pieces",
    "join_pieces",
    "label_objects",
    "what_pieces_depend_on",
]

NETWORK_PASS = 0.8  # a pass above this fraction of the lower summit joins two regions
EUCLIDEAN_PASS = 0.9


def label_objects(
    foreground: NDArray[np.floating[Any]],  # (y, x)
    distance: NDArray[np.floating[Any]] | None,  # (y, x)
    options: ObjectOptions,
) -> Labels:
    """Find and number the objects of a slice.

    Parameters
    ----------
    foreground
        ``(y, x)`` probability of belonging to an object, 0..1. NaN is background.
    distance
        ``(y, x)`` landscape, 0 at an object's edge and about 1 in its middle; None
        takes the Euclidean distance to the background, in pixels.
    options
        What counts as an object. Without splitting, each connected region (of four
        neighbours) is one.

    Returns
    -------
    ndarray of uint32
        ``(y, x)``, 0 the background, objects 1 to n in the order of their first pixel.
    """
    regions = join_pieces(find_pieces(foreground, distance, options), options.split_strength)
    return choose_objects(regions, *options.areas, border=options.border)


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
    options: ObjectOptions,
) -> Pieces:
    """Find the regions of a slice, and cut them at every pass; see :func:`label_objects`."""
    mask = foreground_mask(
        foreground,
        options.cut,
        core_threshold=options.core_threshold,
        smoothing=options.smoothing,
        holes=options.hole_pixels,
    )
    regions, count = ndi.label(mask)
    whole = Pieces(regions, count)
    if not (count and options.split):
        return whole
    if distance is None:
        landscape = ndi.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1].astype(np.float32)
    else:
        landscape = np.where(mask, distance, 0.0).astype(np.float32, copy=False)
        np.maximum(landscape, 0.0, out=landscape)
    landscape = smoothed(landscape)
    summits = (landscape == highest_around(landscape)) & mask & (landscape > 0)
    positions = np.flatnonzero(summits)
    numbers, seed_count = number_plateaus(positions, mask.shape[1])
    of_seed = np.zeros(seed_count + 1, np.int32)
    of_seed[numbers] = regions.ravel()[positions]
    crowded = np.bincount(of_seed[1:], minlength=count + 1) > 1
    crowded[0] = False
    if not crowded.any():
        return whole
    seeds = np.zeros(mask.shape, np.int32)
    seeds.ravel()[positions] = numbers
    basins = flood(landscape, seeds, regions, crowded)
    summit = np.zeros(seed_count + 1, np.float32)
    summit[numbers] = landscape.ravel()[positions]  # a seed is a plateau: one height
    usual = EUCLIDEAN_PASS if distance is None else NETWORK_PASS
    passes = _find_passes(basins, landscape)
    return Pieces(regions, count, crowded, basins, summit, passes, usual)


def what_pieces_depend_on(options: ObjectOptions) -> tuple[Any, ...]:
    """Return what of the options :func:`find_pieces` looks at; the rest comes after it."""
    return (
        options.cut,
        options.split,
        options.core_threshold,
        options.smoothing,
        options.hole_pixels,
    )


def join_pieces(pieces: Pieces, split_strength: float = 0.5) -> NDArray[np.int32]:
    """Join the basins over passes that are high compared with the lower summit.

    Parameters
    ----------
    pieces
        Of a slice.
    split_strength
        See :class:`~napari_slicewise.instances.options.ObjectOptions`.

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
    width, flat, height_of = basins.shape[1], basins.ravel(), landscape.ravel()
    size = int(basins.max()) + 1
    inside = np.flatnonzero(flat)  # few pixels of many
    keys, heights = [], []
    for step in (1, width):
        near = inside[inside % width < width - 1] if step == 1 else inside
        near = near[near < flat.size - step]
        a, b = flat[near].astype(np.int64), flat[near + step].astype(np.int64)
        meet = (a != b) & (b > 0)
        near, a, b = near[meet], a[meet], b[meet]
        keys.append(np.minimum(a, b) * size + np.maximum(a, b))
        heights.append(np.minimum(height_of[near], height_of[near + step]))
    pairs, position = np.unique(np.concatenate(keys), return_inverse=True)
    height = np.zeros(pairs.size, np.float32)
    np.maximum.at(height, position, np.concatenate(heights))
    return pairs // size, pairs % size, height
