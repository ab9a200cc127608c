"""What the splitting of objects does to a landscape, in array operations on whole slices.

scipy's filters take three to seven times as long on slices of float32, and the window
waits for the splitting while a slider is dragged.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from skimage.segmentation import watershed

__all__ = ["flood", "highest_around", "number_plateaus", "smoothed"]

SMOOTHING_TAPS = 3  # standard deviations
_GAP = 1  # px between pieces that are flooded side by side
_WORTH_PACKING = 0.6  # of the slice's area


def smoothed(
    landscape: NDArray[np.float32],  # (y, x)
) -> NDArray[np.float32]:
    """Smooth with a Gaussian of one pixel's standard deviation, ``(y, x)``."""
    weights = np.exp(-0.5 * np.arange(SMOOTHING_TAPS + 1) ** 2)
    weights = (weights / (weights[0] + 2 * weights[1:].sum())).astype(np.float32)
    for axis in (0, 1):
        widths = [(SMOOTHING_TAPS, SMOOTHING_TAPS) if a == axis else (0, 0) for a in (0, 1)]
        padded = np.moveaxis(np.pad(landscape, widths, mode="symmetric"), axis, 0)
        size = landscape.shape[axis]
        middle = padded[SMOOTHING_TAPS : SMOOTHING_TAPS + size] * weights[0]
        for tap in range(1, SMOOTHING_TAPS + 1):
            before = padded[SMOOTHING_TAPS - tap : SMOOTHING_TAPS - tap + size]
            after = padded[SMOOTHING_TAPS + tap : SMOOTHING_TAPS + tap + size]
            both = before + after
            both *= weights[tap]
            middle += both
        landscape = np.moveaxis(middle, 0, axis)
    return np.ascontiguousarray(landscape)


def highest_around(
    landscape: NDArray[np.float32],  # (y, x)
) -> NDArray[np.float32]:
    """Return for each pixel the highest of it and its eight neighbours, ``(y, x)``."""
    padded = np.pad(landscape, 1, mode="edge")
    columns = np.maximum(padded[:-2], padded[1:-1])
    np.maximum(columns, padded[2:], out=columns)
    rows = np.maximum(columns[:, :-2], columns[:, 1:-1])
    return np.maximum(rows, columns[:, 2:], out=rows)


def number_plateaus(positions: NDArray[np.int64], width: int) -> tuple[NDArray[np.int32], int]:
    """Give pixels numbers, neighbours (of eight) the same one.

    Parameters
    ----------
    positions
        Of the pixels in a flat slice, rising.
    width
        Columns of the slice.

    Returns
    -------
    numbers, count
        A number a pixel, from 1 on, in the order of the plateaus' first pixels.
    """
    size = positions.size
    numbers = np.arange(1, size + 1, dtype=np.int32)
    if not size:
        return numbers, 0
    columns = positions % width
    inside = (columns < width - 1, columns > 0, np.ones(size, bool), columns < width - 1)
    ones, others = [], []
    for step, possible in zip((1, width - 1, width, width + 1), inside, strict=True):
        wanted = positions + step
        place = np.minimum(np.searchsorted(positions, wanted), size - 1)
        near = np.flatnonzero(possible & (positions[place] == wanted))
        ones.append(near)
        others.append(place[near])
    one, other = np.concatenate(ones), np.concatenate(others)
    if not one.size:
        return numbers, size
    graph = coo_matrix((np.ones(one.size, bool), (one, other)), shape=(size, size))
    count, found = connected_components(graph, directed=False)
    return (found + 1).astype(np.int32), int(count)


def flood(
    landscape: NDArray[np.float32],  # (y, x)
    seeds: NDArray[np.int32],  # (y, x)
    regions: NDArray[np.int32],  # (y, x)
    chosen: NDArray[np.bool_],  # (region + 1,)
) -> NDArray[np.int32]:
    """Flood the chosen regions from their seeds, from the summits down.

    The boxes around the regions are put side by side, so that the time depends on what
    there is to split and not on the size of the slice. Regions do not touch each other,
    so the result is that of the whole slice, but for single pixels of exactly the same
    height, which the flooding reaches from two sides at once.

    Parameters
    ----------
    landscape, seeds
        Heights, and the numbers of the summits.
    regions
        Connected regions.
    chosen
        Which regions to flood.

    Returns
    -------
    ndarray of int32
        ``(y, x)``: the number of the seed that each pixel belongs to; 0 elsewhere.
    """
    boxes = ndi.find_objects(regions)
    numbers = np.flatnonzero(chosen).tolist()
    heights = [boxes[n - 1][0].stop - boxes[n - 1][0].start for n in numbers]
    widths = [boxes[n - 1][1].stop - boxes[n - 1][1].start for n in numbers]
    shape = max(heights), sum(widths) + _GAP * len(widths)
    if shape[0] * shape[1] > _WORTH_PACKING * regions.size:
        inside = chosen[regions]
        return _watershed(landscape, np.where(inside, seeds, 0), inside)
    packed = np.zeros(shape, np.float32), np.zeros(shape, np.int32), np.zeros(shape, bool)
    places, start = [], 0
    for number, height, width in zip(numbers, heights, widths, strict=True):
        box, place = boxes[number - 1], np.s_[:height, start : start + width]
        own = regions[box] == number
        packed[0][place] = landscape[box]
        packed[1][place] = np.where(own, seeds[box], 0)
        packed[2][place] = own
        places.append((box, place, own))
        start += width + _GAP
    flooded = _watershed(*packed)
    basins = np.zeros(regions.shape, np.int32)
    for box, place, own in places:
        basins[box][own] = flooded[place][own]
    return basins


def _watershed(
    landscape: NDArray[np.float32], seeds: NDArray[np.int32], inside: NDArray[np.bool_]
) -> NDArray[np.int32]:
    flooded: Any = watershed(-landscape, seeds, mask=inside)  # type: ignore[no-untyped-call]
    return np.asarray(flooded, np.int32)
