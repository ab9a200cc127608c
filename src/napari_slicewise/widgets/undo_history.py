"""What Ctrl+Z brings back under a stroke that was painted before the machine's answer.

napari remembers for each stroke the values that it covered. A stroke on a slice that
was still blank covered zeros; once the machine has filled the slice around the stroke,
undoing it would punch a hole into the machine's objects. So the remembered zeros become
what the machine says is there.

napari 0.9 has no public access to this history; the private names are used here only,
and an unknown kind of entry is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray

from napari_slicewise.io.source import ArraySource, SliceIndex

__all__ = [
    "fill_blanks_under_strokes",
    "forget_history",
    "has_history",
    "painted_numbers",
    "unfinished_stroke",
]


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
