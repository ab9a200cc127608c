"""One number for one object through a stack, while the slices arrive in any order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SliceLinker", "overlaps"]


def overlaps(
    one: NDArray[Any], other: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Find the objects that lie on each other in two label images of one shape ``(y, x)``.

    Returns
    -------
    one_ids, other_ids, iou
        A row a pair that overlaps; intersection over union in 0..1.
    """
    both = (one > 0) & (other > 0)
    pairs, shared = np.unique(
        np.stack([one[both], other[both]]).astype(np.int64), axis=1, return_counts=True
    )
    area_one, area_other = np.bincount(one.ravel()), np.bincount(other.ravel())
    union = area_one[pairs[0]] + area_other[pairs[1]] - shared
    return pairs[0], pairs[1], shared / union


class SliceLinker:
    """Gives objects numbers that hold through the last leading axis.

    Slices next to each other are matched by intersection over union, the best pairs
    first, one to one. An object without a partner gets a new number. Only slices that
    still wait for a neighbour are remembered, so the memory does not grow with the stack.

    Parameters
    ----------
    indices
        The slices that will come.
    link
        Whether to look for partners at all; without, numbers are unique in the stack.
    least_iou
        Smallest intersection over union of two slices of one object.
    """

    def __init__(
        self, indices: Iterable[tuple[int, ...]], *, link: bool, least_iou: float = 0.25
    ) -> None:
        self._waiting = set(indices)
        self._link = link
        self._least_iou = least_iou
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
                own, theirs, iou = overlaps(labels, self._done[neighbour])
                candidates += zip(iou.tolist(), own.tolist(), theirs.tolist(), strict=True)
        found: dict[int, int] = {}
        taken: set[int] = set()
        for iou_, own_, partner in sorted(candidates, key=lambda c: (-c[0], c[1], c[2])):
            if iou_ >= self._least_iou and own_ not in found and partner not in taken:
                found[own_] = partner
                taken.add(partner)
        return list(found.items())

    def _remember(self, index: tuple[int, ...], linked: NDArray[np.uint32]) -> None:
        self._waiting.discard(index)
        if not self._link:
            return
        self._done[index] = linked
        for done in [index, *self._neighbours(index)]:
            if done in self._done and not self._waiting.intersection(self._neighbours(done)):
                del self._done[done]
