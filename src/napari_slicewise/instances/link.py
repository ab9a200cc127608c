"""One number for one object through a stack, while the slices arrive in any order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Overlaps", "SliceLinker", "overlaps"]


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Objects of two slices that lie on each other, an entry a pair.

    Parameters
    ----------
    one, other
        Their numbers.
    iou
        Intersection over union, 0..1.
    covered
        Intersection over the smaller area, 0..1.
    """

    one: NDArray[np.int64]
    other: NDArray[np.int64]
    iou: NDArray[np.float64]
    covered: NDArray[np.float64]


def overlaps(one: NDArray[Any], other: NDArray[Any]) -> Overlaps:
    """Find the objects that lie on each other in two label images of one shape ``(y, x)``."""
    both = (one > 0) & (other > 0)
    pairs, shared = np.unique(
        np.stack([one[both], other[both]]).astype(np.int64), axis=1, return_counts=True
    )
    area_one, area_other = np.bincount(one.ravel()), np.bincount(other.ravel())
    areas = area_one[pairs[0]], area_other[pairs[1]]
    iou = shared / (areas[0] + areas[1] - shared)
    return Overlaps(pairs[0], pairs[1], iou, shared / np.minimum(*areas))


class SliceLinker:
    """Gives objects numbers that hold through the last leading axis.

    Slices next to each other are matched one to one, the pairs of the largest
    intersection over union first; a pair must share half of the smaller area. (A bound
    on the intersection over union itself loses the caps of round objects, whose area
    halves from slice to slice.) An object without a partner gets a new number. Only
    slices that still wait for a neighbour are remembered, so the memory does not grow
    with the stack.

    Parameters
    ----------
    indices
        The slices that will come.
    link
        Whether to look for partners at all; without, numbers are unique in the stack.
    least_covered
        Smallest intersection of two slices of one object, over the smaller area.
    """

    def __init__(
        self, indices: Iterable[tuple[int, ...]], *, link: bool, least_covered: float = 0.5
    ) -> None:
        self._waiting = set(indices)
        self._link = link
        self._least_covered = least_covered
        self._done: dict[tuple[int, ...], NDArray[np.uint32]] = {}
        self._next = 1

    @property
    def count(self) -> int:
        """Objects so far."""
        return self._next - 1

    def link(self, index: tuple[int, ...], labels: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Renumber the objects 1..n of one slice, ``(y, x)``, to the numbers of the stack."""
        number = int(labels.max(initial=0))
        table = np.zeros(number + 1, np.uint32)
        if self._link and index:
            for own, partner in self._partners(index, labels):
                table[own] = partner
        fresh = np.flatnonzero(table[1:] == 0) + 1
        table[fresh] = np.arange(self._next, self._next + len(fresh), dtype=np.uint32)
        self._next += len(fresh)
        linked = table[labels]
        self._remember(index, linked)
        return linked

    def _neighbours(self, index: tuple[int, ...]) -> list[tuple[int, ...]]:
        return [(*index[:-1], index[-1] + step) for step in (-1, 1)] if index else []

    def _partners(
        self, index: tuple[int, ...], labels: NDArray[np.uint32]
    ) -> list[tuple[int, int]]:
        candidates: list[tuple[float, int, int]] = []
        for neighbour in self._neighbours(index):
            if neighbour in self._done:
                found = overlaps(labels, self._done[neighbour])
                enough = found.covered >= self._least_covered
                columns = (found.iou, found.one, found.other)
                candidates += zip(*(column[enough].tolist() for column in columns), strict=True)
        partner_of: dict[int, int] = {}
        taken: set[int] = set()
        for _, own, partner in sorted(candidates, key=lambda c: (-c[0], c[1], c[2])):
            if own not in partner_of and partner not in taken:
                partner_of[own] = partner
                taken.add(partner)
        return list(partner_of.items())

    def _remember(self, index: tuple[int, ...], linked: NDArray[np.uint32]) -> None:
        self._waiting.discard(index)
        if not self._link:
            return
        self._done[index] = linked
        for done in [index, *self._neighbours(index)]:
            if done in self._done and not self._waiting.intersection(self._neighbours(done)):
                del self._done[done]
