"""Tools on whole objects: merge, delete, renumber.

Every tool is a function of a :class:`Workpiece`; it changes nothing and returns the
:class:`Edit`, whose ``words`` say what was done. Locked voxels stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from napari_slicewise.editing.edits import Edit, Patch
from napari_slicewise.editing.errors import EditError
from napari_slicewise.editing.numbering import renumbered
from napari_slicewise.editing.wording import counted
from napari_slicewise.editing.workpiece import Workpiece
from napari_slicewise.io.source import SliceIndex

__all__ = ["delete_object", "merge_objects", "objects_under", "relabel_sequentially"]


def objects_under(
    work: Workpiece, index: SliceIndex, points: Sequence[tuple[int, int]]
) -> list[int]:
    """Return the objects under pixels (row, column) of a slice, in the order of the pixels."""
    values = work.labels.read_slice(index)[0]
    rows, columns = values.shape
    inside = [(r, c) for r, c in points if 0 <= r < rows and 0 <= c < columns]
    found = (int(values[r, c]) for r, c in inside)
    return [number for number in dict.fromkeys(found) if number]


def merge_objects(
    work: Workpiece,
    numbers: Iterable[int],
    into: int | None = None,
    indices: Iterable[SliceIndex] | None = None,
) -> Edit:
    """Make one object of several.

    Parameters
    ----------
    work
        The labels.
    numbers
        The objects.
    into
        Whose number it gets; None for the first.
    indices
        Slices; None for all.

    Raises
    ------
    EditError
        When there are not two objects, or one is locked.
    """
    chosen = [number for number in dict.fromkeys(numbers) if number]
    target = into if into is not None else (chosen[0] if chosen else 0)
    others = [number for number in chosen if number != target]
    if not others or not target:
        raise EditError("Merging needs two objects.", "Click a second one.")
    if target in work.locks.objects:
        raise EditError(f"Object {target} is locked.", "Unlock it first.")
    places = None if indices is None else list(indices)
    patches: list[Patch | None] = []
    touched: set[SliceIndex] = set()
    for number in others:
        for index, box in work.pieces(number, places):
            old = work.read(index, box)
            patches.append(work.patch(index, box, np.where(old == number, target, old)))
            touched.add(index)
    objects = counted(len(others) + 1, "object")
    words = f"merged {objects} into {target} on {counted(len(touched), 'slice')}"
    return work.edit(patches, words, "Nothing was left to merge.")


def delete_object(
    work: Workpiece, number: int, indices: Iterable[SliceIndex] | None = None
) -> Edit:
    """Delete an object, on some slices or on all.

    Raises
    ------
    EditError
        When it is not there, or locked.
    """
    patches = []
    for index, box in work.pieces(number, indices):
        old = work.read(index, box)
        patches.append(work.patch(index, box, np.where(old == number, 0, old)))
    words = f"deleted object {number} on {counted(len(patches), 'slice')}"
    return work.edit(patches, words, "Nothing was left to delete.")


def relabel_sequentially(work: Workpiece) -> Edit:
    """Give the objects the numbers 1, 2, 3, ... in the order of their numbers.

    Locked objects, and those on locked slices, keep their numbers.

    Raises
    ------
    EditError
        When they are numbered so already.
    """
    fixed = set(work.locks.objects)
    for index in work.labels.indices():
        if work.locks.holds_slice(index):
            fixed.update(work.objects.of_slice(index))
    mapping: dict[int, int] = {}
    number = 0
    for old in work.objects.numbers():
        if old in fixed:
            continue
        number += 1
        while number in fixed:
            number += 1
        mapping[old] = number
    moved = {old: new for old, new in mapping.items() if old != new}
    patches: list[Patch | None] = []
    whole = tuple(slice(0, size) for size in work.labels.slice_shape)
    for index in work.labels.indices() if moved else ():
        if not moved.keys().isdisjoint(work.objects.of_slice(index)):
            old_values = work.labels.read_slice(index)[0]
            new_values = renumbered(old_values, moved)
            patches.append(work.patch(index, (whole[0], whole[1]), new_values))
    words = f"renumbered {counted(len(moved), 'object')}"
    return work.edit(patches, words, "The objects are numbered in sequence already.")
