"""Which voxels are the human's, and what the machine says of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.editing.compact import CompactSlices
from napari_slicewise.editing.confidence import Confidence
from napari_slicewise.editing.edits import Patch
from napari_slicewise.editing.left_out import LeftOut
from napari_slicewise.editing.numbering import renumbered
from napari_slicewise.io.source import ArraySource, SliceIndex

__all__ = ["Ownership", "merge_around_edits"]


def merge_around_edits(
    current: NDArray[Any],  # (y, x)
    baseline: NDArray[Any],  # (y, x)
    machine: NDArray[Any],  # (y, x)
) -> NDArray[Any]:
    """Take the machine's new slice, except where a human changed the old one.

    Parameters
    ----------
    current
        The slice as it is now, ``(y, x)``.
    baseline
        What the machine had written there before, ``(y, x)``; zeros where it had not.
    machine
        The machine's new answer, ``(y, x)``.

    Returns
    -------
    NDArray
        ``current`` where it differs from ``baseline``, else ``machine``; dtype of ``current``.
    """
    return np.where(current != baseline, current, machine).astype(current.dtype, copy=False)


class Ownership:
    """The machine's own labels of each slice, and a mask of what the human changed.

    The mask is sticky. Without it, an object that was erased by hand would come back when
    one run says that there is nothing, which makes the eraser look like the machine's
    work, and the next run says that there is something.

    Parameters
    ----------
    labels
        The labels, ``(..., y, x)``.
    """

    def __init__(self, labels: ArraySource) -> None:
        self._labels = labels
        self.machine = CompactSlices(labels.slice_shape, np.uint32)
        self.marked = CompactSlices(labels.slice_shape, np.bool_)
        self.left_out = LeftOut(labels.slice_shape)
        self.confidence = Confidence()

    def edited(self, index: SliceIndex, current: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which pixels of a slice are the human's, ``(y, x)``.

        Those that were marked, and those that differ from the machine's labels, whoever
        wrote them: a stroke needs not be reported to be kept.
        """
        differs: NDArray[np.bool_] = current != self.machine.get(index)
        return differs | self.marked.get(index) if index in self.marked else differs

    def rewrite(self, index: SliceIndex, machine: NDArray[Any]) -> None:
        """Take the machine's labels of a slice, ``(y, x)``, in the place of earlier ones."""
        self.machine.put(index, machine)
        self.left_out.forget(index)
        self.confidence.forget(index)

    def mark(self, index: SliceIndex, edited: NDArray[np.bool_]) -> None:
        """Remember which pixels of a slice are the human's."""
        if edited.any():
            self.marked.put(index, edited)
        else:
            self.marked.discard(index)

    def bits(self, patch: Patch) -> NDArray[np.bool_]:
        """Return for each voxel of a patch whether it was the human's before the patch."""
        found = np.zeros(patch.old.size, bool)
        for part in patch.slices(self._labels):
            marked = self.marked.get(part.index)[part.box][part.mask]
            machine = self.machine.get(part.index)[part.box][part.mask]
            found[part.order] = marked | (patch.old[part.order] != machine)
        return found

    def set_bits(self, patch: Patch, bits: NDArray[np.bool_]) -> None:
        """Say for each voxel of a patch whether it is the human's."""
        for part in patch.slices(self._labels):
            marked = self.marked.get(part.index).copy()
            piece = marked[part.box]
            piece[part.mask] = bits[part.order]
            self.mark(part.index, marked)

    def machine_values(self, patch: Patch) -> NDArray[Any]:
        """Return what the machine says of each voxel of a patch."""
        found = np.zeros(patch.old.size, np.uint32)
        for part in patch.slices(self._labels):
            found[part.order] = self.machine.get(part.index)[part.box][part.mask]
        return found

    def rename(self, mapping: Mapping[int, int], indices: Iterable[SliceIndex]) -> set[SliceIndex]:
        """Give objects of the machine other numbers; returns the slices that changed."""
        changed = set()
        looked_at = list(indices)
        self.confidence.rename(mapping, looked_at)
        for index in looked_at:
            if index in self.machine:
                before = self.machine.get(index)
                after = renumbered(before, mapping)
                if after is not before:
                    self.machine.put(index, after)
                    changed.add(index)
        return changed

    def use(self, labels: ArraySource) -> None:
        """Go on with another array of the same shape."""
        self._labels = labels

    def close(self) -> None:
        """Give the memory back."""
        self.machine.close()
        self.marked.close()
        self.left_out.close()
