"""Which objects of a stack's slices are one object: pure functions, whatever the order of slices.

Slices next to each other are matched by overlap alone. Slices further apart are matched
where an object has no partner in the slices between: a function of these slices only. So
the links of a stack are a set that can be found slice by slice, chunk by chunk or by many
computers, and :func:`number_objects` makes of them the one canonical numbering:

>>> links = {}
>>> for chunk in chunks:  # read ``options.reach`` slices of the next chunk with each
...     links |= find_links(chunk, options)
>>> table = number_objects(counts, links)
>>> stack[index] = table[index][stack[index]]  # local numbers 1..n become the stack's
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from napari_slicewise.errors import OutputError
from napari_slicewise.instances.link_options import LinkOptions
from napari_slicewise.instances.overlap import overlaps
from napari_slicewise.instances.volumes import Volumes

__all__ = [
    "Index",
    "LinkFinder",
    "LinkOptions",
    "Links",
    "check_number",
    "find_links",
    "number_objects",
    "overlaps",
]

Index = tuple[int, ...]
"""Position of a slice on the leading axes."""

Links = dict[tuple[Index, Index], NDArray[np.int64]]
"""Of two slices, the lower first: their objects that are one, ``(pair, 2)`` local numbers."""

BRIDGE_IOU = 0.7
LARGEST_NUMBER = int(np.iinfo(np.uint32).max)


class _Slice:
    """A slice that still waits for neighbours, and which of its objects have none yet."""

    def __init__(self, labels: NDArray[Any], numbers: NDArray[np.uint32] | None) -> None:
        self.labels = labels
        self.numbers = numbers  # (local + 1,), where they are known already
        count = int(labels.max(initial=0))
        self.width = 2 * np.sqrt(np.bincount(labels.ravel(), minlength=count + 1) / np.pi)
        self.free_below = np.ones(count + 1, bool)
        self.free_above = np.ones(count + 1, bool)


class LinkFinder:
    """Finds links while slices come in any order; the set of links does not depend on it.

    Two slices are compared as soon as all between them have come, or are known never to
    come; a slice that never comes counts as one without objects. Only slices that still
    wait for others are remembered: ``reach`` at each end of a range that has come.

    Parameters
    ----------
    indices
        The slices that will come.
    options
        When objects are one.
    """

    def __init__(self, indices: Collection[Index], options: LinkOptions) -> None:
        self._waiting = set(indices)
        self._options = options
        self._slices: dict[Index, _Slice] = {}

    @property
    def remembered(self) -> frozenset[Index]:
        """Slices that still wait for a neighbour."""
        return frozenset(self._slices)

    def add(
        self, index: Index, labels: NDArray[Any], numbers: NDArray[np.uint32] | None = None
    ) -> Links:
        """Take a slice, ``(y, x)`` with objects 1..n, and return the links it decides.

        Parameters
        ----------
        index, labels
            The slice.
        numbers
            ``(n + 1,)``: of a slice that was linked in an earlier run, the numbers its
            objects got. Between two such slices, objects of one number are one object.
        """
        self._waiting.discard(index)
        if not index:
            return {}
        self._slices[index] = _Slice(labels, numbers)
        decided: Links = {}
        reach = self._options.reach
        for step in range(1, reach + 1):
            for below in range(index[-1] - step, index[-1] + 1):
                pair = (*index[:-1], below), (*index[:-1], below + step)
                if self._is_ripe(*pair, index):
                    links = self._match(*pair)
                    if len(links):
                        decided[pair] = links
        for near in self._around(index):
            if near in self._slices and not self._waiting.intersection(self._around(near)):
                del self._slices[near]
        return decided

    def _around(self, index: Index) -> list[Index]:
        reach = self._options.reach
        return [(*index[:-1], index[-1] + step) for step in range(-reach, reach + 1)]

    def _is_ripe(self, below: Index, above: Index, new: Index) -> bool:
        """Whether two slices are there, and the new one was the last missing up to them."""
        if below not in self._slices or above not in self._slices:
            return False
        between = [(*below[:-1], z) for z in range(below[-1] + 1, above[-1])]
        return new in (below, above, *between) and not self._waiting.intersection(between)

    def _match(self, below: Index, above: Index) -> NDArray[np.int64]:
        """Match what is free one to one, the pairs of the largest IoU first."""
        one, other = self._slices[below], self._slices[above]
        if one.numbers is not None and other.numbers is not None:
            links = _same_numbers(one, other)
        else:
            between = [(*below[:-1], z) for z in range(below[-1] + 1, above[-1])]
            links = self._overlapping(one, other, between)
        one.free_above[links[:, 0]] = False
        other.free_below[links[:, 1]] = False
        return links

    def _overlapping(self, one: _Slice, other: _Slice, between: list[Index]) -> NDArray[np.int64]:
        others = [self._slices[i].labels > 0 for i in between if i in self._slices]
        found = overlaps(one.labels, other.labels, np.any(others, axis=0) if others else None)
        width = np.minimum(one.width[found.one], other.width[found.other])
        enough = (
            (found.covered >= self._options.least_covered)
            & one.free_above[found.one]
            & other.free_below[found.other]
            & (width >= len(between) * self._options.anisotropy)
            & (found.iou >= (BRIDGE_IOU if between else self._options.least_iou))
        )
        candidates = np.stack([found.one, found.other], axis=1)[enough]
        order = np.lexsort((candidates[:, 1], candidates[:, 0], -found.iou[enough]))
        taken: tuple[set[int], set[int]] = set(), set()
        links = []
        for lower, upper in candidates[order].tolist():
            if lower not in taken[0] and upper not in taken[1]:
                taken[0].add(lower)
                taken[1].add(upper)
                links.append((lower, upper))
        return np.array(sorted(links), np.int64).reshape(-1, 2)


def _same_numbers(one: _Slice, other: _Slice) -> NDArray[np.int64]:
    assert one.numbers is not None and other.numbers is not None  # noqa: S101, PT018 - types
    _, lower, upper = np.intersect1d(one.numbers[1:], other.numbers[1:], return_indices=True)
    free = one.free_above[lower + 1] & other.free_below[upper + 1]
    return np.stack([lower + 1, upper + 1], axis=1)[free].astype(np.int64)


def find_links(
    slices: Mapping[Index, NDArray[Any]],
    options: LinkOptions,
    indices: Collection[Index] | None = None,
) -> Links:
    """Find the links within a stack, or within a chunk of one.

    Parameters
    ----------
    slices
        Slices ``(y, x)`` with objects 1..n, by their place. To cover a stack chunk by
        chunk, give with each chunk the first ``options.reach`` slices of the next one;
        the union of what comes back is what the whole stack would give.
    options
        When objects are one.
    indices
        All the slices of the run; None takes ``slices``. A slice that is in ``indices``
        and not in ``slices`` is unknown, and nothing is bridged over it.
    """
    finder = LinkFinder(slices if indices is None else indices, options)
    links: Links = {}
    for index in sorted(slices):
        links |= finder.add(index, slices[index])
    return links


def number_objects(
    counts: Mapping[Index, int],
    links: Mapping[tuple[Index, Index], NDArray[np.int64]],
    least_slices: int = 1,
    volumes: Volumes | None = None,
) -> dict[Index, NDArray[np.uint32]]:
    """Give the objects of a stack the numbers 1..N, in the order in which they first appear.

    The order is that of the slices' indices, then of the local numbers; in which order
    the slices or the links came does not matter.

    Parameters
    ----------
    counts
        For each slice the number n of its objects, whose local numbers are 1..n.
    links
        Which are one object, as :func:`find_links` returns them.
    least_slices
        See :class:`LinkOptions`; objects left out get the number 0.
    volumes
        Which volumes are kept; None for all.

    Returns
    -------
    dict
        For each slice a table ``(n + 1,)``: the number of each local one, 0 for 0.

    Raises
    ------
    OutputError
        When there are more objects than numbers.
    """
    order = sorted(counts)
    sizes = np.array([counts[index] for index in order], np.int64)
    starts = dict(zip(order, np.cumsum(sizes) - sizes, strict=True))
    total = int(sizes.sum())
    ends = [np.empty((0, 2), np.int64)]
    for (lower, upper), pairs in links.items():
        if lower[:-1] != upper[:-1]:
            raise ValueError(f"{lower} and {upper} are not along the last leading axis")
        ends.append(pairs + np.array([starts[lower] - 1, starts[upper] - 1]))
    one, other = np.concatenate(ends).T
    graph = coo_array((np.ones(one.size, bool), (one, other)), shape=(total, total))
    count, parts = connected_components(graph, directed=False) if total else (0, np.zeros(0, int))
    kept = np.bincount(parts, minlength=count) >= least_slices
    for position in np.flatnonzero([_is_cut(index, counts) for index in order]):
        start = int(starts[order[position]])
        kept[parts[start : start + sizes[position]]] = True
    if volumes is not None:
        kept &= volumes.fit(parts, order, count)
    check_number(int(kept.sum()))
    _, first = np.unique(parts, return_index=True)
    by_place = np.argsort(first)
    number = np.zeros(count, np.uint32)
    number[by_place] = np.cumsum(kept[by_place]) * kept[by_place]
    numbers = number[parts]
    tables = np.split(numbers, np.cumsum(sizes)[:-1]) if order else []
    zero = np.zeros(1, np.uint32)
    return {i: np.concatenate([zero, table]) for i, table in zip(order, tables, strict=True)}


def _is_cut(index: Index, indices: Collection[Index]) -> bool:
    """Whether an object may go on beyond a slice, where nobody looks."""
    if not index:
        return True
    return any((*index[:-1], index[-1] + step) not in indices for step in (-1, 1))


def check_number(number: int) -> None:
    """Refuse a number that labels of 32 bits cannot hold.

    Raises
    ------
    OutputError
        When it is too large.
    """
    if number > LARGEST_NUMBER:
        raise OutputError(
            f"The stack has more than {LARGEST_NUMBER:,} objects, the most that labels can number.",
            "Leave out small objects, or segment the stack in parts.",
        )
