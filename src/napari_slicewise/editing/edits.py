"""One change of the labels: which voxels, what they held, what they hold now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.editing.errors import check_numbers
from napari_slicewise.io.source import ArraySource, SliceIndex

__all__ = ["Edit", "Patch", "SlicePatch", "slice_patch"]


@dataclass(frozen=True, eq=False)
class Patch:
    """Voxels within a box, in the axes of the array.

    Parameters
    ----------
    start
        First voxel of the box, one position an axis.
    mask
        Which voxels of the box are meant; its shape is the box's.
    old, new
        What they held and hold, one value a voxel of the mask, in C order.
    """

    start: tuple[int, ...]
    mask: NDArray[np.bool_]
    old: NDArray[Any]
    new: NDArray[Any]

    @property
    def box(self) -> tuple[slice, ...]:
        """The box as an index."""
        shape = self.mask.shape
        return tuple(slice(a, a + n) for a, n in zip(self.start, shape, strict=True))

    def points(self) -> tuple[NDArray[np.int64], ...]:
        """Positions of the voxels, one array an axis."""
        axes = np.nonzero(self.mask)
        return tuple(axis + a for axis, a in zip(axes, self.start, strict=True))

    def put(self, data: Any, values: NDArray[Any]) -> None:
        """Write values, one a voxel, into an array by its box alone, which any array takes."""
        block = np.array(data[self.box])
        block[self.mask] = values
        data[self.box] = block

    def unfold(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the box with values, one a voxel, at their places; zeros elsewhere."""
        block = np.zeros(self.mask.shape, values.dtype)
        block[self.mask] = values
        return block

    def indices(self, labels: ArraySource) -> set[SliceIndex]:
        """Return the slices that it touches, without cutting it."""
        leading = labels.leading_axes
        others = tuple(axis for axis in range(self.mask.ndim) if axis not in leading)
        found = np.argwhere(self.mask.any(axis=others)) + [self.start[axis] for axis in leading]
        return {tuple(int(n) for n in index) for index in found}

    def slices(self, labels: ArraySource) -> Iterator[SlicePatch]:
        """Cut along the leading axes of the labels."""
        order = (*labels.leading_axes, *labels.plane)
        mask = self.mask.transpose(order)
        places = self.unfold(np.arange(self.old.size)).transpose(order)
        start = [self.start[axis] for axis in order]
        for inner in np.ndindex(mask.shape[:-2]):
            if mask[inner].any():
                index = tuple(a + i for a, i in zip(start, inner, strict=False))
                rows, columns = (
                    slice(a, a + n) for a, n in zip(start[-2:], mask.shape[-2:], strict=True)
                )
                yield SlicePatch(index, (rows, columns), mask[inner], places[inner][mask[inner]])


@dataclass(frozen=True, eq=False)
class SlicePatch:
    """The part of a patch on one slice.

    Parameters
    ----------
    index
        The slice.
    box
        Rows and columns.
    mask
        Which pixels of the box, ``(y, x)``.
    order
        Where the values of these pixels stand among the patch's.
    """

    index: SliceIndex
    box: tuple[slice, slice]
    mask: NDArray[np.bool_]
    order: NDArray[np.int64]


def slice_patch(
    labels: ArraySource,
    index: SliceIndex,
    corner: tuple[int, int],
    old: NDArray[Any],  # (y, x)
    new: NDArray[Any],  # (y, x)
    *,
    mask: NDArray[np.bool_] | None = None,  # (y, x)
) -> Patch | None:
    """Make a patch from a piece of a slice before and after.

    Parameters
    ----------
    labels
        The labels.
    index
        The slice.
    corner
        Row and column of the piece's first pixel.
    old, new
        The piece before and after, ``(y, x)``.
    mask
        Pixels that count though they did not change; None for those that changed.

    Returns
    -------
    Patch or None
        None when nothing changed.
    """
    changed = old != new if mask is None else mask
    if not changed.any():
        return None
    rows, columns = (np.flatnonzero(changed.any(axis=axis)) for axis in (1, 0))
    tight = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    old, new, changed = old[tight], new[tight], changed[tight]
    start = [0] * len(labels.data.shape)
    for axis, position in zip(labels.leading_axes, index, strict=True):
        start[axis] = position
    start[labels.plane[0]] = corner[0] + int(rows[0])
    start[labels.plane[1]] = corner[1] + int(columns[0])
    if labels.plane[0] > labels.plane[1]:
        old, new, changed = old.T, new.T, changed.T
    shape = [1] * len(start)
    for axis in labels.plane:
        shape[axis] = changed.shape[0 if axis == min(labels.plane) else 1]
    dtype = labels.data.dtype
    new_values = new[changed]
    check_numbers(int(new_values.max(initial=0)), np.dtype(dtype))
    return Patch(
        tuple(start),
        np.ascontiguousarray(changed).reshape(shape),
        old[changed].astype(dtype, copy=False),
        new_values.astype(dtype, copy=False),
    )


@dataclass(frozen=True, eq=False)
class Edit:
    """What one action of the human changed; one step of undo.

    Parameters
    ----------
    patches
        The voxels.
    words
        What was done, as a sentence without a full stop.
    by_hand
        Whether the voxels count as the human's afterwards; bringing the machine's version
        back gives them to the machine.
    """

    patches: tuple[Patch, ...]
    words: str = ""
    by_hand: bool = True

    @classmethod
    def of_points(
        cls,
        points: Sequence[NDArray[Any]],
        old: NDArray[Any] | int,
        new: NDArray[Any] | int,
        words: str = "painted",
    ) -> Edit:
        """Make an edit from flat positions, one array an axis; no position may come twice."""
        axes = [np.asarray(axis, np.int64).ravel() for axis in points]
        if not axes or not axes[0].size:
            return cls((), words)
        check_numbers(int(np.max(new)), np.asarray(old).dtype)
        start = tuple(int(axis.min()) for axis in axes)
        shape = tuple(int(axis.max()) + 1 - a for axis, a in zip(axes, start, strict=True))
        mask = np.zeros(shape, bool)
        inner = tuple(axis - a for axis, a in zip(axes, start, strict=True))
        mask[inner] = True
        order = np.argsort(np.ravel_multi_index(inner, shape), kind="stable")
        old, new = (
            np.broadcast_to(np.asarray(v).ravel(), axes[0].shape)[order] for v in (old, new)
        )
        return cls((Patch(start, mask, old, new),), words)

    @classmethod
    def of_box(
        cls,
        box: Sequence[slice],
        mask: NDArray[np.bool_] | None,
        old: NDArray[Any],
        new: NDArray[Any] | int,
        words: str = "painted",
    ) -> Edit:
        """Make an edit from a box, as napari's brush reports it; see :class:`Patch`."""
        shape = tuple(part.stop - part.start for part in box)
        inside = np.ones(shape, bool) if mask is None else np.asarray(mask, bool)
        values = np.array(old).ravel()  # a copy: what napari hands out may be a view
        check_numbers(int(np.max(new)), values.dtype)
        fresh = np.broadcast_to(np.asarray(new, values.dtype).ravel(), values.shape).copy()
        return cls((Patch(tuple(p.start for p in box), inside, values, fresh),), words)

    @classmethod
    def joined(cls, edits: Iterable[Edit], words: str) -> Edit:
        """Make one step of several, in their order."""
        parts = list(edits)
        patches = tuple(patch for part in parts for patch in part.patches)
        return cls(patches, words, all(part.by_hand for part in parts))

    def __len__(self) -> int:
        return sum(patch.old.size for patch in self.patches)

    def apply(self, data: Any) -> None:
        """Write the new values into an array, numpy or zarr.

        Raises
        ------
        WideningError
            When a number does not fit; nothing was written.
        """
        for patch in self.patches:
            check_numbers(int(patch.new.max(initial=0)), np.dtype(data.dtype))
        for patch in self.patches:
            patch.put(data, patch.new)

    def revert(self, data: Any) -> None:
        """Write the old values."""
        for patch in reversed(self.patches):
            patch.put(data, patch.old)

    def inverse(self) -> Edit:
        """Return the edit that takes this one back."""
        turned = (replace(p, old=p.new, new=p.old) for p in reversed(self.patches))
        return Edit(tuple(turned), self.words, self.by_hand)

    def atoms(self) -> list[tuple[tuple[NDArray[np.int64], ...], NDArray[Any], NDArray[Any]]]:
        """Return ``(positions, old, new)`` a patch: what one entry of napari's history holds."""
        return [(patch.points(), patch.old, patch.new) for patch in self.patches]

    def slices(self, labels: ArraySource) -> set[SliceIndex]:
        """Return the slices that it touches."""
        return {index for patch in self.patches for index in patch.indices(labels)}
