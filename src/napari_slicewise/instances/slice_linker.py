"""One number for one object through a stack, while the slices arrive in any order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.instances.link import (
    Index,
    LinkFinder,
    LinkOptions,
    Links,
    check_number,
)

__all__ = ["LinkedSlice", "NumberedSlices", "SliceLinker"]


@dataclass(frozen=True, eq=False)
class LinkedSlice:
    """A slice with the numbers of its stack, and what it told about earlier slices.

    Parameters
    ----------
    local
        ``(y, x)``, objects 1..n.
    table
        ``(n + 1,)``: the numbers of the stack, by local number.
    renamed
        Numbers given out earlier that this slice has shown to be the same object as
        another one: old number to the one that holds now, in all slices given out; 0
        where the object turned out to be in too few slices. No new number is an old one.
    """

    local: NDArray[Any]
    table: NDArray[np.uint32]
    renamed: Mapping[int, int] = field(default_factory=dict)

    @property
    def labels(self) -> NDArray[np.uint32]:
        """``(y, x)``, the numbers of the stack."""
        labels: NDArray[np.uint32] = self.table[self.local]
        return labels


@dataclass(frozen=True, eq=False)
class NumberedSlices:
    """What must be known of an interrupted run to go on with its numbers.

    Parameters
    ----------
    slices
        Those to prime a :class:`SliceLinker` with, ``(y, x)`` each, as they were written.
    largest
        The largest number in all that was written.
    """

    slices: Mapping[Index, NDArray[Any]] = field(default_factory=dict)
    largest: int = 0


class SliceLinker:
    """Gives objects numbers that hold through the last leading axis.

    A slice gets its numbers at once. Where slices come out of order, a slice may show
    that two objects of earlier ones are one: the larger number is then renamed to the
    smaller. When all have come and all renames are made, the objects are those of
    :func:`~napari_slicewise.instances.link.number_objects`, whatever the order; where
    the slices come in order, the numbers are too, and nothing is ever renamed. A number
    that was renamed is not used again. Objects of too few slices (``least_slices``) are
    renamed to 0 as soon as it is known that no more slices follow.

    Parameters
    ----------
    indices
        The slices that will come.
    link
        Whether to look for partners at all; without, numbers are unique in the stack.
    options
        When objects are one.
    largest
        The largest number that an earlier run has given out, which this one goes on after.
    """

    def __init__(
        self,
        indices: Collection[Index],
        *,
        link: bool,
        options: LinkOptions | None = None,
        largest: int = 0,
    ) -> None:
        self._options = options or LinkOptions()
        self._finder = LinkFinder(indices, self._options)
        self._link = link
        self._all = set(indices)
        self._young: dict[int, set[Index]] = {}  # objects of too few slices so far, and which
        self._tables: dict[Index, NDArray[np.uint32]] = {}  # of the slices that wait
        self._next = largest + 1
        self._gone = 0  # numbers that were given out and hold no more

    @property
    def reach(self) -> int:
        """How far apart two linked slices can be, in slices."""
        return self._options.reach

    @property
    def count(self) -> int:
        """Objects so far, those of primed slices and all before them included."""
        return self._next - 1 - self._gone

    def prime(self, index: Index, numbered: NDArray[Any]) -> None:
        """Take a slice that an earlier run has numbered, to go on after it.

        A run that was interrupted goes on as if it had not been, when the ``reach`` slices
        before the first new one are primed in order (those of them that the run has, and
        that differ in the last leading axis only), and the linker was made with the
        largest number of all that is written. This holds for runs that go in order. Where
        slices on both sides of a new one are written already, write local numbers and
        use :func:`~napari_slicewise.instances.link.number_objects` at the end; so too where
        objects are left out, since what was written does not tell where they were.

        Parameters
        ----------
        index, numbered
            The slice ``(y, x)`` as it was written.

        Raises
        ------
        ValueError
            Where objects are left out.
        """
        if self._options.waits:
            raise ValueError("what was left out cannot be linked to")
        # The same local numbers as in the earlier run, so that ties are broken as they were.
        numbers, first, where = np.unique(numbered, return_index=True, return_inverse=True)
        order = np.argsort(np.where(numbers == 0, -1, first))
        table = numbers[order].astype(np.uint32)
        local = np.argsort(order)[where]
        if not numbers.size or numbers[0] != 0:
            table = np.concatenate([np.zeros(1, np.uint32), table])
            local = local + 1
        self._next = max(self._next, int(table.max(initial=0)) + 1)
        self._all.add(index)
        if self._link:
            self._finder.add(index, local.reshape(numbered.shape), table)
            self._keep(index, table)

    def link(self, index: Index, labels: NDArray[Any]) -> LinkedSlice:
        """Renumber the objects 1..n of one slice, ``(y, x)``, to the numbers of the stack.

        Raises
        ------
        OutputError
            When there are more objects than numbers.
        """
        table = np.zeros(int(labels.max(initial=0)) + 1, np.uint32)
        renamed: dict[int, int] = {}
        if self._link:
            links = self._finder.add(index, labels)
            renamed = self._take_numbers(index, table, links)
        fresh = np.flatnonzero(table[1:] == 0) + 1
        check_number(self._next + len(fresh) - 1)
        table[fresh] = np.arange(self._next, self._next + len(fresh), dtype=np.int64)
        self._next += len(fresh)
        if self._link:
            self._keep(index, table)
            new = set(table[fresh].tolist())
            removed = self._leave_out(index, table, new, renamed)
            self._gone += len(renamed) + len(removed)
            renamed = {old: 0 if now in removed else now for old, now in renamed.items()}
            renamed |= dict.fromkeys(removed - new, 0)
            table[np.isin(table, list(removed))] = 0
        return LinkedSlice(labels, table.copy(), renamed)

    def settled(self, index: Index) -> bool:
        """Whether no object of a slice may still be left out."""
        return not any(index in places for places in self._young.values())

    def _take_numbers(
        self, index: Index, table: NDArray[np.uint32], links: Links
    ) -> dict[int, int]:
        """Fill a new slice's table from its neighbours', and find which of theirs are one."""
        same: dict[int, int] = {}  # a number to a smaller one of the same object

        def current(number: int) -> int:
            while number in same:
                number = same[number]
            return number

        for (below, above), pairs in links.items():
            tables = [table if i == index else self._tables[i] for i in (below, above)]
            for lower, upper in pairs.tolist():
                ends = current(int(tables[0][lower])), current(int(tables[1][upper]))
                if 0 in ends:  # an end in the new slice
                    tables[0][lower] = tables[1][upper] = max(ends)
                elif ends[0] != ends[1]:
                    same[max(ends)] = min(ends)
        renamed = {number: current(number) for number in same}
        for old, new in renamed.items():
            for each in (table, *self._tables.values()):
                each[each == old] = new
        return renamed

    def _leave_out(
        self, index: Index, table: NDArray[np.uint32], new: set[int], renamed: Mapping[int, int]
    ) -> set[int]:
        """Find the objects that are known by now to be in too few slices."""
        least = self._options.least_slices
        if least == 1 or not index:
            return set()
        young = self._young
        young.update((number, set()) for number in new)
        for old, now in renamed.items():
            places = young.pop(old, None)
            if places is None or now not in young:
                young.pop(now, None)
            else:
                young[now] |= places
        sides = {(*index[:-1], index[-1] + step) for step in (-1, 1)}
        for number in young.keys() & set(table.tolist()):
            young[number].add(index)
        for number, places in list(young.items()):
            if len(places) >= least or (index in places and not sides <= self._all):
                del young[number]
        removed = {n for n, places in young.items() if not places & self._finder.remembered}
        for number in removed:
            del young[number]
        return removed

    def _keep(self, index: Index, table: NDArray[np.uint32]) -> None:
        remembered = self._finder.remembered
        kept = {**self._tables, index: table}
        self._tables = {i: kept[i] for i in remembered}
