"""The numbers of a stack's objects, or of a movie's, once all slices have come."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.instances.link import Index, LinkFinder, Links, number_objects
from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.instances.tracking import Division, find_spots, parents_of, track
from napari_slicewise.instances.volumes import Volumes

__all__ = ["StackNumbers"]


class StackNumbers:
    """Looks at each slice once; pixels are not remembered.

    Parameters
    ----------
    indices
        The slices that will come.
    options
        When objects are one, and which are left out.
    """

    def __init__(self, indices: Collection[Index], options: ObjectOptions) -> None:
        self._options = options
        self._finder = None if options.track else LinkFinder(indices, options.links)
        self._links: Links = {}
        self._spots: dict[Index, NDArray[np.float64]] = {}
        self._pixels: dict[Index, NDArray[np.int64]] = {}

    def add(self, index: Index, labels: NDArray[Any]) -> None:
        """Take a slice, ``(y, x)`` with objects 1..n."""
        self._pixels[index] = np.bincount(labels.ravel())
        if self._finder is None:
            self._spots[index] = find_spots(labels)
        else:
            self._links |= self._finder.add(index, labels)

    def numbers(self) -> tuple[dict[Index, NDArray[np.uint32]], dict[int, int]]:
        """Return the numbers of the objects of all slices.

        Returns
        -------
        tables
            For each slice ``(n + 1,)``: the number of each local one, 0 for those left out.
        parents
            In a movie that was tracked: of daughters of a division, their mother.

        Raises
        ------
        OutputError
            When there are more objects than numbers.
        """
        links, options = self._links, self._options.links
        divisions: list[Division] = []
        if self._options.track:
            links, divisions = track(self._spots, options.gap)
        counts = {index: pixels.size - 1 for index, pixels in self._pixels.items()}
        volumes = None
        if options.by_volume:
            volumes = Volumes(self._pixels, options.smallest, options.largest)
        tables = number_objects(counts, links, options.least_slices, volumes)
        return tables, parents_of(divisions, tables)
