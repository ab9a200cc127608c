"""Where each object is, remembered slice by slice until the slice changes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy import ndimage

from napari_slicewise.editing.numbering import distinct
from napari_slicewise.editing.pulse import Pulse
from napari_slicewise.io.source import ArraySource, SliceIndex

__all__ = ["Box", "ObjectBoxes"]

Box = tuple[slice, slice]
"""Rows and columns of a piece of a slice."""


class ObjectBoxes:
    """Bounding boxes of the objects of each slice.

    Slices are looked at when they are asked for, and again after :meth:`forget`.

    Parameters
    ----------
    labels
        The labels.
    """

    def __init__(self, labels: ArraySource) -> None:
        self._labels = labels
        self._boxes: dict[SliceIndex, dict[int, Box]] = {}
        self.pulse = Pulse()  # of who looks through many slices

    def of_slice(self, index: SliceIndex) -> dict[int, Box]:
        """Return the boxes of the objects of one slice, by their numbers in rising order."""
        if index not in self._boxes:
            values = self._labels.read_slice(index)[0]
            numbers = distinct(values)
            if numbers.size and int(numbers[-1]) > 4 * numbers.size + 1000:
                # find_objects answers for each number up to the largest, used or not.
                places = np.searchsorted(numbers, values.ravel()).astype(np.int32) + 1
                values = np.where(values == 0, 0, places.reshape(values.shape))
                found = ndimage.find_objects(values, numbers.size)
            else:
                slots = ndimage.find_objects(values.astype(np.int64, copy=False))
                found = [slots[number - 1] for number in numbers]
            self._boxes[index] = dict(zip(numbers.tolist(), found, strict=True))
        return self._boxes[index]

    def of_object(
        self, number: int, indices: Iterable[SliceIndex] | None = None
    ) -> list[tuple[SliceIndex, Box]]:
        """Return the slices with an object and its box on each, in order."""
        looked_at = list(self._labels.indices()) if indices is None else sorted(set(indices))
        walk = self.pulse.over(looked_at)
        found = ((index, self.of_slice(index).get(number)) for index in walk)
        return [(index, box) for index, box in found if box is not None]

    def numbers(self, indices: Iterable[SliceIndex] | None = None) -> list[int]:
        """Return all numbers on some slices, or on all, in order."""
        looked_at = list(self._labels.indices() if indices is None else indices)
        walk = self.pulse.over(looked_at)
        return sorted({number for index in walk for number in self.of_slice(index)})

    @property
    def largest(self) -> int:
        """The largest number; 0 where there is no object."""
        walk = self.pulse.over(list(self._labels.indices()))
        tops = [max(boxes) for index in walk if (boxes := self.of_slice(index))]
        return max(tops, default=0)

    def forget(self, indices: Iterable[SliceIndex] | None = None) -> None:
        """Look at some slices again when they are next asked for; None for all."""
        if indices is None:
            self._boxes.clear()
        else:
            for index in indices:
                self._boxes.pop(index, None)
