"""What Ctrl+Z brings back under a stroke that was painted before the machine's answer.

napari remembers for each stroke the values that it covered. A stroke on a slice that
was still blank covered zeros; once the machine has filled the slice around the stroke,
undoing it would punch a hole into the machine's objects. So the remembered zeros become
what the machine says is there.

napari 0.9 has no public access to this history; the private names are used here only,
and an unknown kind of entry is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray

from napari_slicewise.editing.edits import Edit, Patch
from napari_slicewise.editing.numbering import renumbered
from napari_slicewise.io.source import ArraySource, SliceIndex

__all__ = [
    "append_step",
    "edit_of_step",
    "fill_blanks_under_strokes",
    "forget_history",
    "has_history",
    "has_own_history",
    "move_step",
    "painted_numbers",
    "rename_in_history",
    "replace_last_step",
    "steps",
    "unfinished_stroke",
]

MOST_MASKS = 4  # new numbers in a patch; with more of them, a list of points is smaller


def fill_blanks_under_strokes(
    layer: Labels,
    view: ArraySource,
    index: SliceIndex,
    machine: NDArray[Any],  # (y, x)
) -> None:
    """Replace the zeros that strokes on one slice remember by the machine's labels.

    Parameters
    ----------
    layer
        The labels.
    view
        The layer's array as slices.
    index
        The slice that the machine has just filled.
    machine
        Its labels there, ``(y, x)``, numbered as they were written.
    """
    full = list(view.data.shape)
    place: list[slice] = [slice(0, size) for size in full]
    for axis, position in zip(view.leading_axes, index, strict=True):
        place[axis] = slice(position, position + 1)
    rows, columns = view.plane
    plane = machine if rows < columns else machine.T
    box = plane.reshape([1 if axis not in view.plane else full[axis] for axis in range(len(full))])
    for item in _items(layer):
        for number, atom in enumerate(item):
            item[number] = _filled(atom, box, place)


def rename_in_history(layer: Labels, mapping: Mapping[int, int]) -> None:
    """Give what strokes remember and what they painted the numbers that hold now.

    Parameters
    ----------
    layer
        The labels.
    mapping
        Old to new numbers, as they are in the labels.
    """
    for item in _items(layer):
        for number, atom in enumerate(item):
            item[number] = _renamed(atom, mapping)


def has_own_history(layer: Labels) -> bool:
    """Whether this napari keeps its history as the one does that this was written for."""
    names = ("_undo_history", "_redo_history", "_append_to_undo_history")
    return all(hasattr(layer, name) for name in names)


def steps(layer: Labels) -> tuple[int, int]:
    """Return how many steps can be taken back, and how many done again."""
    return len(getattr(layer, "_undo_history", ())), len(getattr(layer, "_redo_history", ()))


def append_step(layer: Labels, edit: Edit) -> None:
    """Make an edit, which the labels hold already, the last step of napari's history.

    A stroke that is being drawn becomes a step of its own before it.
    """
    if unfinished_stroke(layer):
        layer._commit_staged_history()
    layer._redo_history.clear()
    layer._append_to_undo_history([atom for patch in edit.patches for atom in _atoms(patch)])


def replace_last_step(layer: Labels, edit: Edit) -> None:
    """Make the last step of napari's history another one; of an edit of nothing, leave none."""
    if has_own_history(layer):
        layer._undo_history.pop()
        if len(edit):
            layer._undo_history.append([a for patch in edit.patches for a in _atoms(patch)])


def move_step(layer: Labels, *, undo: bool) -> None:
    """Move the last step from the one list to the other, as undo and redo do, writing nothing."""
    before, after = layer._undo_history, layer._redo_history
    if not undo:
        before, after = after, before
    after.append(list(reversed(before.pop())))


def edit_of_step(item: list[Any], data: Any, words: str) -> Edit:
    """Return one step of the history as an edit with a single patch.

    A brush leaves an entry for each move of the mouse, most of them on the same pixels.

    Parameters
    ----------
    item
        What napari's event ``paint`` brings, or an entry of its lists.
    data
        The labels, for the type of their numbers.
    words
        What was done.
    """
    boxes = [_box_of(atom) for atom in item]
    start = tuple(min(box[axis].start for box in boxes) for axis in range(len(boxes[0])))
    stop = tuple(max(box[axis].stop for box in boxes) for axis in range(len(boxes[0])))
    shape = tuple(b - a for a, b in zip(start, stop, strict=True))
    mask = np.zeros(shape, bool)
    old, new = (np.zeros(shape, data.dtype) for _ in range(2))
    for atom in item:
        where, before, after = _voxels(atom, start)
        blank = old[where]
        known = mask[where]
        old[where] = np.where(known, blank, before)
        new[where] = after
        mask[where] = True
    return Edit((Patch(start, mask, old[mask], new[mask]),), words)


def has_history(layer: Labels) -> bool:
    """Whether there is anything to undo or redo."""
    return any(_items(layer))


def forget_history(layer: Labels) -> None:
    """Leave nothing to undo; of a napari that has no such method, leave the layer as it is."""
    reset = getattr(layer, "_reset_history", None)
    if reset is not None:
        reset()


def unfinished_stroke(layer: Labels) -> list[Any]:
    """Return what the mouse has painted since its button went down."""
    return getattr(layer, "_staged_history", [])


def painted_numbers(item: list[Any]) -> set[int]:
    """Return the numbers that one step of the history painted with, 0 left out."""
    painted: set[int] = set()
    for atom in item:
        new = getattr(atom, "new_value", None)
        values = np.unique(atom[2] if new is None else new)
        painted.update(int(value) for value in values if value)
    return painted


def _items(layer: Labels) -> Iterator[list[Any]]:
    """Iterate over the steps of the history, the stroke that is being drawn included."""
    yield from getattr(layer, "_undo_history", ())
    yield from getattr(layer, "_redo_history", ())
    yield unfinished_stroke(layer)


def _renamed(atom: Any, mapping: Mapping[int, int]) -> Any:
    if hasattr(atom, "slice_key"):
        new = mapping.get(int(atom.new_value), atom.new_value)
        return atom._replace(old_values=renumbered(atom.old_values, mapping), new_value=new)
    if isinstance(atom, tuple) and len(atom) == 3:
        indices, old, new = atom
        return indices, renumbered(np.asarray(old), mapping), renumbered(np.asarray(new), mapping)
    return atom


def _filled(atom: Any, machine: NDArray[Any], place: list[slice]) -> Any:
    """Return an entry of the history with its zeros on the slice at ``place`` filled."""
    if hasattr(atom, "slice_key"):
        return _filled_box(atom, machine, place)
    if isinstance(atom, tuple) and len(atom) == 3:
        return _filled_points(atom, machine, place)
    return atom


def _filled_box(atom: Any, machine: NDArray[Any], place: list[slice]) -> Any:
    """Fill a bounding box with a mask, as brush, fill and polygon leave it."""
    shared = [
        slice(max(a.start, b.start), min(a.stop, b.stop))
        for a, b in zip(atom.slice_key, place, strict=True)
    ]
    if any(part.start >= part.stop for part in shared):
        return atom
    here = tuple(
        slice(p.start - key.start, p.stop - key.start)
        for p, key in zip(shared, atom.slice_key, strict=True)
    )
    there = tuple(
        slice(p.start - at.start, p.stop - at.start) for p, at in zip(shared, place, strict=True)
    )
    shape = tuple(key.stop - key.start for key in atom.slice_key)
    mask = np.ones(shape, bool) if atom.mask is None else atom.mask
    old = np.zeros(shape, np.asarray(atom.old_values).dtype)
    old[mask] = np.asarray(atom.old_values).ravel() if atom.mask is None else atom.old_values
    part = old[here]
    old[here] = np.where(part == 0, machine[there], part)
    return atom._replace(old_values=old if atom.mask is None else old[mask])


def _filled_points(atom: Any, machine: NDArray[Any], place: list[slice]) -> Any:
    """Fill a list of points, as ``Labels.data_setitem`` leaves it."""
    indices, old, new = atom
    if any(isinstance(axis, slice) for axis in indices):
        return atom
    where = np.broadcast_arrays(*(np.asarray(axis) for axis in indices))
    inside = np.ones(where[0].shape, bool)
    for axis, at in zip(where, place, strict=True):
        inside &= (axis >= at.start) & (axis < at.stop)
    old = np.array(np.broadcast_to(old, inside.shape))
    blank = inside & (old == 0)
    old[blank] = machine[
        tuple(axis[blank] - at.start for axis, at in zip(where, place, strict=True))
    ]
    return indices, old, new


def _atoms(patch: Patch) -> Iterator[Any]:
    """Return a patch as entries of napari's, which paint one number each where they can."""
    make = _masked_entry()
    numbers = np.unique(patch.new)
    if make is None or numbers.size > MOST_MASKS:
        yield patch.points(), patch.old, patch.new
        return
    for number in numbers:
        chosen = patch.new == number
        mask = np.zeros(patch.mask.shape, bool)
        mask[patch.mask] = chosen
        yield make(patch.box, mask, patch.old[chosen], int(number))


def _masked_entry() -> Any:
    """Return napari's class of an entry with a mask; None where there is no such class."""
    from napari.layers.labels import labels

    return getattr(labels, "_MaskedPaintAtom", None)


def _box_of(atom: Any) -> tuple[slice, ...]:
    if hasattr(atom, "slice_key"):
        return tuple(atom.slice_key)
    axes = [np.asarray(axis) for axis in atom[0]]
    return tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in axes)


def _voxels(atom: Any, start: tuple[int, ...]) -> tuple[Any, Any, Any]:
    """Return where an entry lies from ``start`` on, its old values and its new ones."""
    if not hasattr(atom, "slice_key"):
        indices, old, new = atom
        return tuple(np.asarray(a) - s for a, s in zip(indices, start, strict=True)), old, new
    shape = tuple(part.stop - part.start for part in atom.slice_key)
    mask = np.ones(shape, bool) if atom.mask is None else atom.mask
    inner = tuple(
        axis + part.start - first
        for axis, part, first in zip(np.nonzero(mask), atom.slice_key, start, strict=True)
    )
    return inner, np.asarray(atom.old_values).ravel(), atom.new_value
