"""Undo and redo that know that the machine may have written in between."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.editing.edits import Edit, Patch
from napari_slicewise.editing.listening import Change
from napari_slicewise.editing.numbering import renumbered
from napari_slicewise.editing.ownership import Ownership

__all__ = ["EditHistory", "Step"]


@dataclass(frozen=True, eq=False)
class Step:
    """An edit, and whose its voxels were before.

    Parameters
    ----------
    edit
        The edit.
    before
        For each patch and voxel whether it was the human's before the edit.
    """

    edit: Edit
    before: tuple[NDArray[np.bool_], ...]

    def changes(self) -> list[Change]:
        """Return the patches, and whose their voxels are now."""
        after = self.edit.by_hand
        return [(patch, np.full(patch.old.size, after)) for patch in self.edit.patches]


class EditHistory:
    """The steps that can be taken back, the latest last.

    Taking a step back gives the human's voxels what they held before. Voxels that were
    the machine's get what the machine says *now*: a run that came after the step has
    replaced what was under it, and the old labels would be stale.

    Parameters
    ----------
    ownership
        Whose the voxels are.
    limit
        Steps that are remembered; napari remembers 100.
    """

    def __init__(self, ownership: Ownership, limit: int = 100) -> None:
        self._ownership = ownership
        self._done: deque[Step] = deque(maxlen=limit)
        self._undone: deque[Step] = deque(maxlen=limit)

    def __len__(self) -> int:
        return len(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether a step was taken back that can be done again."""
        return bool(self._undone)

    def push(self, edit: Edit) -> list[Change]:
        """Remember an edit that is in the labels now; steps taken back are forgotten."""
        self._undone.clear()
        before = []
        for patch in edit.patches:  # one by one: patches of an edit may lie on each other
            before.append(self._ownership.bits(patch))
            self._ownership.set_bits(patch, np.full(patch.old.size, edit.by_hand))
        step = Step(edit, tuple(before))
        self._done.append(step)
        return step.changes()

    def undo(self) -> tuple[Edit, list[Change]] | None:
        """Take the last step back; the caller writes the edit that is returned."""
        if not self._done:
            return None
        step = self._done.pop()
        self._undone.append(step)
        patches: list[Patch] = []
        changes: list[Change] = []
        pairs = list(zip(step.edit.patches, step.before, strict=True))
        for patch, before in reversed(pairs):
            machine = self._ownership.machine_values(patch).astype(patch.old.dtype)
            back = replace(patch, old=patch.new, new=np.where(before, patch.old, machine))
            self._ownership.set_bits(back, before)
            patches.append(back)
            changes.append((back, before))
        return replace(step.edit, patches=tuple(patches)), changes

    def redo(self) -> tuple[Edit, list[Change]] | None:
        """Do the last step that was taken back again; the caller writes the edit."""
        if not self._undone:
            return None
        step = self._undone.pop()
        patches = []
        for patch, before in zip(step.edit.patches, step.before, strict=True):
            machine = self._ownership.machine_values(patch).astype(patch.old.dtype)
            old = np.where(before, patch.old, machine)  # a run may have been in between
            new = patch.new if step.edit.by_hand else machine
            patches.append(replace(patch, old=old, new=new))
            self._ownership.set_bits(patch, np.full(patch.old.size, step.edit.by_hand))
        step = replace(step, edit=replace(step.edit, patches=tuple(patches)))
        self._done.append(step)
        return step.edit, step.changes()

    def rename(self, mapping: Mapping[int, int]) -> None:
        """Let the remembered values follow objects that got other numbers."""
        for steps in (self._done, self._undone):
            for place, step in enumerate(steps):
                patches = tuple(
                    replace(
                        patch,
                        old=renumbered(patch.old, mapping).astype(patch.old.dtype, copy=False),
                        new=renumbered(patch.new, mapping).astype(patch.new.dtype, copy=False),
                    )
                    for patch in step.edit.patches
                )
                steps[place] = replace(step, edit=replace(step.edit, patches=patches))

    def use(self, dtype: np.dtype[Any]) -> None:
        """Go on with labels of another type; one that cannot hold the old ones forgets all."""
        for steps in (self._done, self._undone):
            for place, step in enumerate(steps):
                if any(not np.can_cast(patch.old.dtype, dtype) for patch in step.edit.patches):
                    self.clear()
                    return
                patches = tuple(
                    replace(patch, old=patch.old.astype(dtype), new=patch.new.astype(dtype))
                    for patch in step.edit.patches
                )
                steps[place] = replace(step, edit=replace(step.edit, patches=patches))

    def clear(self) -> None:
        """Forget all steps."""
        self._done.clear()
        self._undone.clear()
