"""What a tool works on: labels, where the objects are, and what is locked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.editing.edits import Edit, Patch, slice_patch
from napari_slicewise.editing.errors import EditError
from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.object_boxes import Box, ObjectBoxes
from napari_slicewise.editing.pulse import Pulse
from napari_slicewise.io.source import ArraySource, SliceIndex

__all__ = ["Volume", "Workpiece", "enlarged"]


def enlarged(box: Box, pixels: int, shape: tuple[int, int]) -> Box:
    """Return a box with a border around it, as far as the slice reaches."""
    rows, columns = (
        slice(max(part.start - pixels, 0), min(part.stop + pixels, size))
        for part, size in zip(box, shape, strict=True)
    )
    return rows, columns


@dataclass(frozen=True, eq=False)
class Volume:
    """A box of labels through consecutive slices.

    Parameters
    ----------
    values
        ``(z, y, x)``.
    indices
        The slice of each z.
    box
        Rows and columns.
    """

    values: NDArray[Any]
    indices: tuple[SliceIndex, ...]
    box: Box


@dataclass(eq=False)
class Workpiece:
    """Labels as the tools see them. Tools change nothing; they return an :class:`Edit`.

    Parameters
    ----------
    labels
        The labels, ``(..., y, x)``.
    locks
        Voxels that no tool changes.
    boxes
        Where the objects are; made anew where not given.
    taken
        Numbers up to this one are not given to new objects, whether in use or not.
    pulse
        How far a tool is; see :meth:`heeding`.
    """

    labels: ArraySource
    locks: Locks = field(default_factory=Locks)
    boxes: ObjectBoxes | None = None
    taken: int = 0
    pulse: Pulse = field(default_factory=Pulse)

    @property
    def objects(self) -> ObjectBoxes:
        """Where the objects are."""
        if self.boxes is None:
            self.boxes = ObjectBoxes(self.labels)
        return self.boxes

    @property
    def next_free(self) -> int:
        """A number that no object has."""
        return max(self.taken, self.objects.largest) + 1

    def heeding(self, pulse: Pulse) -> Workpiece:
        """Return this workpiece; the next tool counts its steps, and may be given up."""
        self.pulse = self.objects.pulse = pulse
        return self

    def read(self, index: SliceIndex, box: Box) -> NDArray[Any]:
        """Return a piece of a slice, ``(y, x)``."""
        piece: NDArray[Any] = self.labels.read_slice(index)[0][box]
        return piece

    def pieces(
        self, number: int, indices: Iterable[SliceIndex] | None = None
    ) -> list[tuple[SliceIndex, Box]]:
        """Return the slices with an object that may be changed there, and its boxes.

        Raises
        ------
        EditError
            When there is no such object, or it is locked.
        """
        if number <= 0:
            raise EditError("There is no object there.", "Choose an object.")
        if number in self.locks.objects:
            raise EditError(f"Object {number} is locked.", "Unlock it first.")
        found = self.objects.of_object(number, indices)
        if not found:
            where = "" if indices is None else " there"
            raise EditError(f"There is no object {number}{where}.", "Choose another object.")
        free = [piece for piece in found if not self.locks.holds_slice(piece[0])]
        if not free:
            raise EditError(f"Object {number} lies on locked slices only.", "Unlock them first.")
        self.pulse.begin(len(free))
        return free

    def patch(self, index: SliceIndex, box: Box, new: NDArray[Any]) -> Patch | None:
        """Return what changes when a piece of a slice becomes ``new``; locked pixels stay."""
        self.pulse.step()
        old = self.read(index, box)
        locked = self.locks.mask(index, old)
        if locked is not None:
            new = np.where(locked, old, new)
        return slice_patch(self.labels, index, (box[0].start, box[1].start), old, new)

    def volume(self, number: int, indices: Iterable[SliceIndex] | None = None) -> Volume:
        """Read an object with all slices between its first and its last, ``(z, y, x)``.

        Raises
        ------
        EditError
            When it is not there, locked, or of several points in time.
        """
        pieces = self.pieces(number, indices)
        if len({index[:-1] for index, _ in pieces}) > 1:
            raise EditError(
                f"Object {number} lies at several positions along the first axes.",
                "Choose the slices of one of them.",
            )
        rows, columns = (
            slice(min(b[a].start for _, b in pieces), max(b[a].stop for _, b in pieces))
            for a in (0, 1)
        )
        first, last = pieces[0][0], pieces[-1][0]
        span = [(*first[:-1], z) for z in range(first[-1], last[-1] + 1)] if first else [first]
        values = np.stack([self.read(index, (rows, columns)) for index in span])
        return Volume(values, tuple(span), (rows, columns))

    def put(self, volume: Volume, new: NDArray[Any]) -> list[Patch]:
        """Return what changes when a volume becomes ``new``, ``(z, y, x)``."""
        pairs = zip(volume.indices, new, strict=True)
        patches = (self.patch(index, volume.box, plane) for index, plane in pairs)
        return [patch for patch in patches if patch is not None]

    def edit(self, patches: Sequence[Patch | None], words: str, nothing: str) -> Edit:
        """Make an edit of patches.

        Parameters
        ----------
        patches
            What changes; None where nothing does.
        words
            What was done.
        nothing
            What to say when nothing changes.

        Raises
        ------
        EditError
            When nothing changes.
        """
        changed = tuple(patch for patch in patches if patch is not None)
        if not changed:
            raise EditError(nothing)
        return Edit(changed, words)
