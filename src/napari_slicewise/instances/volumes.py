"""Which linked objects are kept for their volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Volumes"]


@dataclass(frozen=True, eq=False)
class Volumes:
    """The volumes of linked objects that are kept: of what is seen, where the stack cuts them.

    Parameters
    ----------
    pixels
        For each slice, by its place, ``(n + 1,)``: how many pixels each object has there.
    smallest, largest
        In voxels; None for no limit.
    """

    pixels: Mapping[tuple[int, ...], NDArray[Any]]
    smallest: int = 0
    largest: int | None = None

    def fit(
        self, parts: NDArray[Any], order: Sequence[tuple[int, ...]], count: int
    ) -> NDArray[np.bool_]:
        """Say which objects are kept, ``(count,)``.

        Parameters
        ----------
        parts
            Which of them each object of a slice is part of, slice by slice.
        order
            Of these slices.
        count
            Of the objects.
        """
        pixels = np.concatenate([np.zeros(0), *(self.pixels[index][1:] for index in order)])
        volume = np.bincount(parts, weights=pixels, minlength=count)
        fits: NDArray[np.bool_] = volume >= self.smallest
        return fits if self.largest is None else fits & (volume <= self.largest)
