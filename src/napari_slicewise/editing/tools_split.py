"""Tools that make several objects of one: by a drawn line, by seeds.

The largest part keeps the number. See :mod:`napari_slicewise.editing.tools`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.draw import line
from skimage.segmentation import watershed

from napari_slicewise.editing.edits import Edit, Patch
from napari_slicewise.editing.errors import EditError
from napari_slicewise.editing.wording import counted
from napari_slicewise.editing.workpiece import Volume, Workpiece
from napari_slicewise.io.source import SliceIndex

__all__ = ["split_by_line", "split_by_seeds"]

Mask = NDArray[np.bool_]
Point = tuple[int, int]


def split_by_line(
    work: Workpiece,
    index: SliceIndex,
    points: Sequence[Point],
    number: int | None = None,
    indices: Iterable[SliceIndex] | None = None,
) -> Edit:
    """Cut objects along a drawn line.

    Parameters
    ----------
    work
        The labels.
    index
        The slice that the line was drawn on.
    points
        Corners of the line, (row, column); they may lie outside of the slice.
    number
        The object to cut; None for all that the line cuts in two.
    indices
        The slices to cut, all along the same line; None for the one it was drawn on.

    Raises
    ------
    EditError
        When the line cuts no object, or what it cuts is locked.
    """
    cut = _drawn(points, work.labels.slice_shape)
    under = work.labels.read_slice(index)[0][cut]
    numbers = [number] if number is not None else [int(n) for n in np.unique(under[under > 0])]
    free = [n for n in numbers if n not in work.locks.objects]
    if not free:
        reason = "What the line cuts is locked." if numbers else "There is no object on the line."
        raise EditError(reason, "Unlock it first." if numbers else "Draw it across one.")
    places = [index] if indices is None else list(indices)
    patches: list[Patch] = []
    fresh = work.next_free
    made = 0
    split: list[int] = []
    for own_number in free:
        volume = work.volume(own_number, places)
        own = volume.values == own_number
        parts = _parts(own, np.broadcast_to(cut[volume.box], own.shape))
        count = int(parts.max(initial=0))
        if count:
            patches += _numbered(work, volume, parts, fresh)
            fresh, made = fresh + count, made + count
            split.append(own_number)
    what = f"object {split[0]}" if len(split) == 1 else counted(len(split), "object")
    slices = counted(len({patch.start for patch in patches}), "slice")
    return work.edit(
        patches,
        f"split {what} by a line, {counted(made, 'new object')} on {slices}",
        "The line does not cut an object in two. Draw it from background to background.",
    )


def split_by_seeds(
    work: Workpiece,
    number: int,
    seeds: Sequence[tuple[SliceIndex, Point]],
    indices: Iterable[SliceIndex] | None = None,
    steps: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Edit:
    """Split an object into one part a seed, by watershed on the distance to its border.

    Parameters
    ----------
    work
        The labels.
    number
        The object.
    seeds
        Slice and (row, column) of each seed, within the object.
    indices
        The slices to split, the seeds' own for 2D; None for all of the object, in 3D.
    steps
        Distance from slice to slice, row to row, column to column, in one unit.

    Raises
    ------
    EditError
        When fewer than two seeds lie in the object, or it is locked.
    """
    volume = work.volume(number, indices)
    own = volume.values == number
    markers = np.zeros(own.shape, np.int32)
    for place, (row, column) in seeds:
        if place in volume.indices:
            z = volume.indices.index(place)
            y, x = row - volume.box[0].start, column - volume.box[1].start
            if 0 <= y < own.shape[1] and 0 <= x < own.shape[2] and own[z, y, x]:
                markers[z, y, x] = markers.max() + 1 if not markers[z, y, x] else markers[z, y, x]
    if markers.max() < 2:
        raise EditError(
            f"Object {number} holds fewer than two seeds.", "Click into each part of it."
        )
    # A border of background, or an object as wide as its box would have no rim there.
    flat = own.shape[0] == 1
    padded = np.pad(own, [(0, 0) if flat else (1, 1), (1, 1), (1, 1)])
    distance = ndimage.distance_transform_edt(padded, (1e9 if flat else steps[0], *steps[1:]))
    inner = distance[(slice(None) if flat else slice(1, -1)), 1:-1, 1:-1]
    connectivity = ndimage.generate_binary_structure(3, 3)
    parts = watershed(-inner, markers, mask=own, connectivity=connectivity)  # type: ignore[no-untyped-call]
    areas = np.bincount(parts.ravel(), minlength=markers.max() + 1)[1:]
    order = _without(parts, int(areas.argmax()) + 1)
    patches = _numbered(work, volume, order, work.next_free)
    new = counted(int(order.max()), "new object")
    words = f"split object {number} by seeds, {new} on {counted(len(patches), 'slice')}"
    return work.edit(patches, words, f"Object {number} was not split.")


def _drawn(points: Sequence[Point], shape: tuple[int, int]) -> Mask:
    """Draw a line that no path over corners slips through, ``(y, x)``."""
    canvas = np.zeros(shape, bool)
    for (r0, c0), (r1, c1) in pairwise(points):
        rows, columns = line(int(r0), int(c0), int(r1), int(c1))  # type: ignore[no-untyped-call]
        rows = np.concatenate([rows, rows[1:]])  # each step over a corner becomes two
        columns = np.concatenate([columns, columns[:-1]])
        inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
        canvas[rows[inside], columns[inside]] = True
    return canvas


def _parts(own: Mask, cut: Mask) -> NDArray[np.int32]:
    """Return the new parts 1..n of an object, ``(z, y, x)``; 0 what keeps the number."""
    structure = np.ones((3, 3, 3))
    whole, _ = ndimage.label(own, structure)
    pieces, count = ndimage.label(own & ~cut, structure)
    parts = np.zeros(own.shape, np.int32)
    if not count:
        return parts
    areas = np.bincount(pieces.ravel(), minlength=count + 1)
    home = ndimage.maximum(whole, pieces, np.arange(1, count + 1)).astype(int)
    made = 0
    for before in np.unique(whole[own & cut]):
        inner = np.flatnonzero(home == before) + 1
        if inner.size < 2:
            continue
        kept = inner[areas[inner].argmax()]
        for piece in inner[inner != kept]:
            made += 1
            parts[pieces == piece] = made
        # The cut itself goes to the piece that is nearest.
        near = ndimage.distance_transform_edt(
            ~np.isin(pieces, inner), return_distances=False, return_indices=True
        )
        on_cut = (whole == before) & cut
        parts[on_cut] = parts[tuple(near)][on_cut]
    return parts


def _without(parts: NDArray[Any], kept: int) -> NDArray[np.int32]:
    """Count the parts 1..n without the one that keeps its number, which becomes 0."""
    table = np.zeros(int(parts.max()) + 1, np.int32)
    others = [number for number in range(1, table.size) if number != kept]
    table[others] = np.arange(1, len(others) + 1)
    counted_anew: NDArray[np.int32] = table[parts]
    return counted_anew


def _numbered(work: Workpiece, volume: Volume, parts: NDArray[np.int32], fresh: int) -> list[Patch]:
    new = np.where(parts > 0, parts.astype(np.int64) + (fresh - 1), volume.values)
    return work.put(volume, new)
