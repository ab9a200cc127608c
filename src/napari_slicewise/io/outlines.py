"""Outlines of objects along the edges of their pixels: exact, and valid as polygons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["Outline", "outlines", "slice_outlines"]

Ring = NDArray[np.int64]
"""Corners (x, y), the first not repeated; a pixel reaches from its number to the next."""


@dataclass(frozen=True, eq=False)
class Outline:
    """One piece of an object.

    Parameters
    ----------
    shell
        The outer ring.
    holes
        The rings of the holes, which run the other way round.
    """

    shell: Ring
    holes: tuple[Ring, ...] = ()


def slice_outlines(
    labels: NDArray[Any],  # (y, x)
) -> Iterator[tuple[int, list[Outline]]]:
    """Trace every object of a slice, in the order of the numbers.

    Parameters
    ----------
    labels
        ``(y, x)``.
    """
    numbers = np.unique(labels)
    numbers = numbers[numbers > 0]
    places = np.where(labels > 0, np.searchsorted(numbers, labels) + 1, 0).astype(np.int32)
    for place, box in enumerate(ndimage.find_objects(places, len(numbers)), 1):
        corner = (box[0].start, box[1].start)
        yield int(numbers[place - 1]), outlines(places[box] == place, corner)


def outlines(
    mask: NDArray[np.bool_],  # (y, x)
    corner: tuple[int, int] = (0, 0),
) -> list[Outline]:
    """Trace the edges of the pixels of a mask.

    Pixels that touch at a corner alone are pieces of their own. So no ring touches itself, and
    every piece is a valid polygon whose area is its number of pixels.

    Parameters
    ----------
    mask
        ``(y, x)``.
    corner
        Row and column of its first pixel in the whole slice.
    """
    pieces, count = ndimage.label(mask)  # connected by edges
    found = []
    for place, box in enumerate(ndimage.find_objects(pieces, count), 1):
        origin = np.array([corner[1] + box[1].start, corner[0] + box[0].start])
        rings = [ring + origin for ring in _rings(pieces[box] == place)]
        shells = [ring for ring in rings if _area(ring) > 0]
        holes = tuple(ring for ring in rings if _area(ring) < 0)
        found.append(Outline(shells[0], holes))
    return found


def _rings(mask: NDArray[np.bool_]) -> list[Ring]:
    """Chain the edges between inside and outside to rings, the inside on the right of each."""
    following = _edges(mask)
    rings = []
    while following:
        start = min(following)
        point, step = start, following[start][0]
        ring: list[tuple[int, int]] = []
        while True:
            ring.append(point)
            following[point].remove(step)
            if not following[point]:
                del following[point]
            point = (point[0] + step[0], point[1] + step[1])
            if point == start:
                break
            choices = following[point]
            # Where two pixels touch at a corner, keep the same pixel of the outside.
            step = choices[0] if len(choices) == 1 else (step[1], -step[0])
        rings.append(_corners(np.array(ring, np.int64)))
    return rings


def _edges(mask: NDArray[np.bool_]) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Return the steps (dx, dy) along edges that lead away from each corner (x, y)."""
    inside = np.pad(mask, 1)
    own = inside[1:-1, 1:-1]
    sides = (
        (~inside[:-2, 1:-1], (0, 0), (1, 0)),  # above: to the right
        (~inside[1:-1, 2:], (1, 0), (0, 1)),  # on the right: down
        (~inside[2:, 1:-1], (1, 1), (-1, 0)),  # below: to the left
        (~inside[1:-1, :-2], (0, 1), (0, -1)),  # on the left: up
    )
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for outside, (dx, dy), step in sides:
        rows, columns = np.nonzero(own & outside)
        for x, y in zip((columns + dx).tolist(), (rows + dy).tolist(), strict=True):
            following.setdefault((x, y), []).append(step)
    return following


def _corners(ring: Ring) -> Ring:
    """Leave out the points on straight lines."""
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    kept: Ring = ring[(before != after).any(axis=1)]
    return kept


def _area(ring: Ring) -> float:
    """Return the area, below 0 for holes."""
    x, y = ring.T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2
