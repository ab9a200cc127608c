"""Tools on the shape of one object: fill, smooth, grow, shrink, clean, interpolate.

None of them takes a pixel from a neighbour. See :mod:`napari_slicewise.editing.tools`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_slicewise.editing.edits import Edit, Patch
from napari_slicewise.editing.errors import EditError
from napari_slicewise.editing.wording import counted
from napari_slicewise.editing.workpiece import Workpiece, enlarged
from napari_slicewise.io.source import SliceIndex

__all__ = [
    "fill_holes",
    "grow",
    "interpolate",
    "keep_largest_piece",
    "shrink",
    "smooth",
]

Mask = NDArray[np.bool_]
Indices = Iterable[SliceIndex] | None


def _reshape(
    work: Workpiece,
    number: int,
    indices: Indices,
    border: int,
    change: Callable[[Mask], Mask],
) -> list[Patch | None]:
    """Change the mask of an object on each slice, ``(y, x)``, around its neighbours."""
    patches = []
    for index, box in work.pieces(number, indices):
        place = enlarged(box, border, work.labels.slice_shape)
        old = work.read(index, place)
        own = old == number
        wanted = change(own)
        new = np.where(own & ~wanted, 0, old)
        new = np.where(wanted & (old == 0), number, new)
        patches.append(work.patch(index, place, new))
    return patches


def _on(patches: list[Patch | None]) -> str:
    return counted(sum(patch is not None for patch in patches), "slice")


def fill_holes(work: Workpiece, number: int, indices: Indices = None) -> Edit:
    """Fill the background that an object encloses on a slice; objects in it stay.

    Raises
    ------
    EditError
        When there is no hole, or the object is locked.
    """
    patches = _reshape(work, number, indices, 0, ndimage.binary_fill_holes)
    return work.edit(
        patches, f"filled holes of object {number} on {_on(patches)}", f"Object {number} is whole."
    )


def smooth(work: Workpiece, number: int, radius: float = 2.0, indices: Indices = None) -> Edit:
    """Round the outline of an object on each slice.

    Parameters
    ----------
    work, number, indices
        The labels, the object, and the slices; None for all.
    radius
        Standard deviation of the Gaussian that the outline is smoothed with, in pixels.

    Raises
    ------
    EditError
        When nothing changes, or the object is locked.
    """
    border = int(np.ceil(2 * radius))

    def rounded(own: Mask) -> Mask:
        # Beyond the edge of the image the object goes on as it ends: no corner is cut there.
        found: Mask = ndimage.gaussian_filter(own.astype(np.float32), radius, mode="nearest") > 0.5
        return found if (found & own).any() else own  # a thin object stays rather than vanishes

    patches = _reshape(work, number, indices, border, rounded)
    return work.edit(
        patches,
        f"smoothed object {number} on {_on(patches)}",
        f"Object {number} is as smooth as it gets.",
    )


def grow(work: Workpiece, number: int, pixels: int = 1, indices: Indices = None) -> Edit:
    """Grow an object into the background around it, by a distance in pixels, slice by slice.

    Raises
    ------
    EditError
        When there is no room, or the object is locked.
    """

    def larger(own: Mask) -> Mask:
        near: Mask = ndimage.distance_transform_edt(~own) <= pixels
        return near

    patches = _reshape(work, number, indices, pixels, larger)
    words = f"grew object {number} by {counted(pixels, 'pixel')} on {_on(patches)}"
    return work.edit(patches, words, f"Object {number} has no room to grow.")


def shrink(work: Workpiece, number: int, pixels: int = 1, indices: Indices = None) -> Edit:
    """Take a border of some pixels off an object, slice by slice.

    On a slice where nothing would be left, the object stays as it is. The edge of the image
    is no border of the object.

    Raises
    ------
    EditError
        When nothing would be left of the object, or it is locked.
    """

    def smaller(own: Mask) -> Mask:
        padded = np.pad(own, 1, mode="edge")
        inner: Mask = (ndimage.distance_transform_edt(padded) > pixels)[1:-1, 1:-1]
        return inner if inner.any() else own

    patches = _reshape(work, number, indices, 1, smaller)
    words = f"shrank object {number} by {counted(pixels, 'pixel')} on {_on(patches)}"
    return work.edit(
        patches,
        words,
        f"Nothing would be left of object {number}. Shrink it by less, or delete it.",
    )


def keep_largest_piece(
    work: Workpiece,
    number: int,
    indices: Indices = None,
    *,
    within: Literal["slice", "stack"] = "stack",
) -> Edit:
    """Delete all but the largest connected piece of an object.

    Parameters
    ----------
    work, number, indices
        The labels, the object, and the slices; None for all.
    within
        ``stack`` keeps one piece through all slices, ``slice`` one on each.

    Raises
    ------
    EditError
        When it is of one piece, or locked.
    """
    patches: list[Patch | None]
    if within == "slice":
        patches = _reshape(work, number, indices, 0, _largest)
    else:
        volume = work.volume(number, indices)
        own = volume.values == number
        patches = list(work.put(volume, np.where(own & ~_largest(own), 0, volume.values)))
    return work.edit(
        patches,
        f"kept the largest piece of object {number} on {_on(patches)}",
        f"Object {number} is of one piece.",
    )


def _largest(own: Mask) -> Mask:
    pieces, count = ndimage.label(own, np.ones((3,) * own.ndim))
    if count <= 1:
        return own
    kept: Mask = pieces == np.bincount(pieces.ravel())[1:].argmax() + 1
    return kept


def interpolate(work: Workpiece, number: int, first: SliceIndex, second: SliceIndex) -> Edit:
    """Draw an object on the slices between two on which it is there.

    The outline between is where the weighted mean of the two signed distances is zero
    (shape-based interpolation, Raya and Udupa, IEEE Trans. Med. Imaging 9:32, 1990). What
    the object was between is replaced; neighbours stay.

    Raises
    ------
    EditError
        When the slices are no pair with others between, or the object is not on both.
    """
    low, high = sorted((first, second))
    if not low or low[:-1] != high[:-1] or high[-1] - low[-1] < 2:
        raise EditError("There is no slice between.", "Choose two slices with others between.")
    ends = work.objects.of_object(number, [low, high])
    if len(ends) < 2:
        raise EditError(
            f"Object {number} is not on both slices.", "Draw it on both, with one number."
        )
    if number in work.locks.objects:
        raise EditError(f"Object {number} is locked.", "Unlock it first.")
    span = [(*low[:-1], z) for z in range(low[-1], high[-1] + 1)]
    boxes = [box for _, box in work.objects.of_object(number, span)]
    rows, columns = (
        slice(min(b[a].start for b in boxes), max(b[a].stop for b in boxes)) for a in (0, 1)
    )
    box = enlarged((rows, columns), 1, work.labels.slice_shape)
    start, end = (_signed_distance(work.read(index, box) == number) for index in (low, high))
    patches = []
    for index in span[1:-1]:
        weight = (index[-1] - low[-1]) / (high[-1] - low[-1])
        wanted = (1 - weight) * start + weight * end > 0
        old = work.read(index, box)
        new = np.where((old == number) & ~wanted, 0, old)
        patches.append(work.patch(index, box, np.where(wanted & (old == 0), number, new)))
    return work.edit(
        patches,
        f"interpolated object {number} on {_on(patches)}",
        f"Object {number} is there already.",
    )


def _signed_distance(own: Mask) -> NDArray[Any]:
    """Return the distance to the outline, above 0 inside, in pixels."""
    padded = np.pad(own, 1)
    inside = ndimage.distance_transform_edt(padded) - 0.5
    outside = ndimage.distance_transform_edt(~padded) - 0.5
    signed: NDArray[Any] = np.where(padded, inside, -outside)[1:-1, 1:-1]
    return signed
