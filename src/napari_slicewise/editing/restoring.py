"""Bringing the machine's own version back."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from napari_slicewise.editing.edits import Edit, Patch, slice_patch
from napari_slicewise.editing.errors import EditError
from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.ownership import Ownership
from napari_slicewise.editing.wording import counted
from napari_slicewise.io.source import ArraySource, SliceIndex

__all__ = ["locked_part", "machine_version"]

_WHOLE = (slice(None), slice(None))


def machine_version(
    labels: ArraySource,
    ownership: Ownership,
    locks: Locks,
    indices: Iterable[SliceIndex],
    box: tuple[slice, slice] | None = None,
    number: int | None = None,
) -> Edit:
    """Return the edit that gives voxels back to the machine.

    Parameters
    ----------
    labels
        The labels.
    ownership
        What the machine says of them.
    locks
        Voxels that stay.
    indices, box, number
        See ``EditSession.restore``.

    Raises
    ------
    EditError
        When nothing of it is the human's, or all of it is locked.
    """
    patches: list[Patch] = []
    held = False
    for index in indices:
        current = labels.read_slice(index)[0]
        machine = ownership.machine.get(index)
        wanted = np.zeros(current.shape, bool)
        wanted[_WHOLE if box is None else box] = True
        if number is not None:
            wanted &= (current == number) | (machine == number)
        wanted &= ownership.edited(index, current)
        locked = locks.mask(index, current)
        if locked is not None:
            held = held or bool((wanted & locked).any())
            wanted &= ~locked
        patch = slice_patch(labels, index, (0, 0), current, machine, mask=wanted)
        if patch is not None:
            patches.append(patch)
    if patches:
        words = f"restored {counted(len(patches), 'slice')}"
        return Edit(tuple(patches), words, by_hand=False)
    if held:
        raise EditError("What was changed by hand there is locked.", "Unlock it first.")
    raise EditError("Nothing was changed by hand there.")


def locked_part(edit: Edit, labels: ArraySource, locks: Locks) -> Edit | None:
    """Return what of a stroke must be taken back because it touched something locked.

    Tools leave locked voxels alone; a viewer's brush does not know of locks. Applying what is
    returned gives locked slices and objects their voxels back, and takes from a locked object
    what was painted with its number.

    Parameters
    ----------
    edit
        The stroke, already in the labels.
    labels
        The labels.
    locks
        What is locked.

    Returns
    -------
    Edit or None
        None when nothing locked was touched.
    """
    if not locks:
        return None
    numbers = sorted(locks.objects)
    patches: list[Patch] = []
    for patch in reversed(edit.patches):
        held = np.isin(patch.old, numbers) | np.isin(patch.new, numbers)
        for part in patch.slices(labels):
            if locks.holds_slice(part.index):
                held[part.order] = True
        if held.any():
            mask = patch.unfold(held)
            patches.append(Patch(patch.start, mask, patch.new[held], patch.old[held]))
    return Edit(tuple(patches), "left alone what is locked", edit.by_hand) if patches else None
