"""The objects of one slice, asked for again and again with other options, as by a slider."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.instances.mask import Labels
from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.instances.split import (
    Pieces,
    find_pieces,
    join_pieces,
    what_pieces_depend_on,
)

__all__ = ["TunedObjects"]


class TunedObjects:
    """What ``split.label_objects`` gives, with the work shared between the askings.

    What a change leaves as it is, is not computed again: splitting and sizes of objects
    look at a list of pieces, and at no pixel before the last step.

    Parameters
    ----------
    foreground, distance
        As for :func:`~napari_slicewise.instances.split.label_objects`; not changed by anybody.
    """

    def __init__(
        self,
        foreground: NDArray[np.floating[Any]],  # (y, x)
        distance: NDArray[np.floating[Any]] | None,  # (y, x)
    ) -> None:
        self._foreground, self._distance = foreground, distance
        self._parts: _Parts | None = None
        self._of: tuple[Any, ...] = ()

    def labels(self, options: ObjectOptions) -> Labels:
        """Return the objects with these options.

        Returns
        -------
        ndarray of uint32
            ``(y, x)``, 0 the background, objects 1 to n in the order of their first pixel.
        """
        of = what_pieces_depend_on(options)
        if self._parts is None or of != self._of:
            pieces = find_pieces(self._foreground, self._distance, options)
            self._parts, self._of = _Parts.of(pieces), of
        return self._parts.chosen(options)


@dataclass(frozen=True, eq=False)
class _Parts:
    """Pieces as a list: what each measures, and where its pixels lie.

    Parameters
    ----------
    shape
        Of the slice.
    few
        The pieces, with one entry a part where they have a pixel each.
    part, lengths
        Runs of pixels in the flat slice: the part and the length of each.
    areas, first, at_border
        Of each part: pixels, position of its first one, whether it touches the border.
    """

    shape: tuple[int, ...]
    few: Pieces
    part: NDArray[np.int64]
    lengths: NDArray[np.int64]
    areas: NDArray[np.int64]
    first: NDArray[np.int64]
    at_border: NDArray[np.bool_]

    @classmethod
    def of(cls, pieces: Pieces) -> _Parts:
        regions, basins = pieces.regions, pieces.basins
        count = pieces.count
        total = count + (1 if pieces.summit is None else pieces.summit.size)
        flat = regions.ravel()
        changes = flat[1:] != flat[:-1]
        if basins is not None:
            changes |= basins.ravel()[1:] != basins.ravel()[:-1]
        starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
        lengths = np.diff(np.append(starts, flat.size))
        part = _parts_at(pieces, np.unravel_index(starts, regions.shape))
        areas = np.bincount(part, lengths, total).astype(np.int64)
        first = np.full(total, flat.size, np.int64)
        first[part[::-1]] = starts[::-1]
        at_border = np.zeros(total, bool)
        for edge in ((0, slice(None)), (-1, slice(None)), (slice(None), 0), (slice(None), -1)):
            at_border[_parts_at(pieces, edge)] = True
        every = np.arange(total, dtype=np.int32)
        few = replace(
            pieces,
            regions=np.where(every <= count, every, 0),
            basins=None if basins is None else np.where(every > count, every - count, 0),
        )
        return cls(regions.shape, few, part, lengths, areas, first, at_border)

    def chosen(self, options: ObjectOptions) -> Labels:
        """Join the parts, leave objects out by size and place, and number the others."""
        group = join_pieces(self.few, options.split_strength)
        size = int(group.max(initial=0)) + 1
        areas = np.bincount(group, self.areas, size)
        first = np.full(size, self.first.max(initial=0), np.int64)
        np.minimum.at(first, group, self.first)
        smallest, largest = options.areas
        kept = areas >= max(1, smallest)
        if largest is not None:
            kept &= areas <= largest
        if not options.border:
            kept[group[self.at_border]] = False
        kept[0] = False
        order = np.flatnonzero(kept)
        order = order[np.argsort(first[order], kind="stable")]
        number = np.zeros(size, np.uint32)
        number[order] = np.arange(1, order.size + 1, dtype=np.uint32)
        labels: Labels = np.repeat(number[group][self.part], self.lengths).reshape(self.shape)
        return labels


def _parts_at(pieces: Pieces, where: Any) -> NDArray[np.int64]:
    """Return the parts at some pixels: regions as they are numbered, basins after them."""
    parts: NDArray[np.int64] = pieces.regions[where].astype(np.int64)
    if pieces.basins is not None:
        basins = pieces.basins[where]
        parts = np.where(basins > 0, basins + pieces.count, parts)
    return parts
