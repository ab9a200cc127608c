"""Numbers for objects that can be told only when all slices are there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.inference.request import SliceResult
from napari_slicewise.instances.link import Index
from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.instances.stack_numbers import StackNumbers
from napari_slicewise.io.label_store import create_labels

__all__ = ["LaterNumbers"]


@dataclass(frozen=True)
class _Known:
    """What is known of a slice that waits, without its pixels."""

    place: int
    seconds: float
    confidence: NDArray[np.float32]  # (n + 1,)


class LaterNumbers:
    """Keeps slices until the objects of the stack are known, in memory or on disk.

    An object that is left out for its volume may reach through the whole stack, and one that
    is tracked through a whole movie. What waits is kept as
    :func:`~napari_slicewise.io.label_store.create_labels` does it: on disk where it is large.

    Parameters
    ----------
    indices
        The slices that will come.
    slice_shape
        Rows and columns, in pixels.
    options
        When objects are one, and which are left out.

    Attributes
    ----------
    count, parents
        In the end: how many objects there are, and the mothers of daughters.
    """

    def __init__(
        self, indices: Sequence[Index], slice_shape: tuple[int, int], options: ObjectOptions
    ) -> None:
        self._indices = indices
        self._shape = slice_shape
        self._options = options
        self.count = 0
        self.parents: dict[int, int] = {}

    def numbered(self, shaped: Iterable[SliceResult]) -> Iterator[SliceResult]:
        """Take all slices, with objects 1..n each, then yield them with the stack's numbers.

        Raises
        ------
        OutputError
            When there is no room on disk, or there are more objects than numbers.
        """
        labels = create_labels((len(self._indices), *self._shape))
        stack = StackNumbers(self._indices, self._options)
        known: dict[Index, _Known] = {}
        for result in shaped:
            labels[len(known)] = result.values
            means = np.zeros(int(result.values.max(initial=0)) + 1, np.float32)
            for number, mean in result.confidence.items():
                means[number] = mean
            known[result.index] = _Known(len(known), result.seconds, means)
            stack.add(result.index, result.values)
        tables, self.parents = stack.numbers()
        self.count = max((int(table.max()) for table in tables.values()), default=0)
        for index, one in known.items():
            confidence = dict(enumerate(one.confidence.tolist()[1:], start=1))
            local = SliceResult(index, labels[one.place], one.seconds, confidence=confidence)
            yield local.numbered(tables[index])
