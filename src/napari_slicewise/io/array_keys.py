"""Indexing as numpy does it, for arrays that read what they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["dropped", "full_key", "is_scalar", "positions", "span"]


def full_key(key: Any, shape: Sequence[int]) -> list[Any]:
    """Return one key an axis, ellipses and missing axes filled in.

    Parameters
    ----------
    key
        Whole numbers, slices, index arrays and an ellipsis, alone or in a tuple.
    shape
        Shape of the array.

    Raises
    ------
    IndexError
        When there are more keys than axes.
    """
    keys = list(key) if isinstance(key, tuple) else [key]
    at = next((i for i, k in enumerate(keys) if k is Ellipsis), None)
    if at is not None:
        keys[at : at + 1] = [slice(None)] * (len(shape) - len(keys) + 1)
    keys += [slice(None)] * (len(shape) - len(keys))
    if len(keys) != len(shape):
        raise IndexError(f"{len(keys)} indices for an image with {len(shape)} axes")
    return keys


def is_scalar(key: Any) -> bool:
    """Whether a key picks one position and so drops its axis."""
    return not isinstance(key, slice) and np.ndim(key) == 0


def positions(key: Any, size: int) -> Sequence[int]:
    """Return the positions on an axis of that size which a key picks; a range for a slice."""
    if isinstance(key, slice):
        return range(size)[key]
    if is_scalar(key):
        return [range(size)[key]]
    return [int(position) for position in np.arange(size)[key]]


def span(picked: Sequence[int]) -> slice:
    """Return the shortest slice that holds all positions."""
    if not picked:
        return slice(0, 0)
    ends = (picked[0], picked[-1]) if isinstance(picked, range) else picked
    return slice(min(ends), max(ends) + 1)


def dropped(keys: Sequence[Any]) -> tuple[Any, ...]:
    """Return the key that drops the axes of which one position was picked."""
    return tuple(0 if is_scalar(key) else slice(None) for key in keys)
