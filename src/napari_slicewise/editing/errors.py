"""What can go wrong while labels are corrected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import SlicewiseError

__all__ = [
    "EditError",
    "JournalError",
    "JournalWarning",
    "WideningError",
    "check_numbers",
    "widened",
]


class JournalError(SlicewiseError):
    """A journal cannot be read, or belongs to another image."""


class EditError(SlicewiseError):
    """A tool found nothing to do, or may not do it."""


class WideningError(EditError):
    """A number does not fit the labels; nothing was written.

    Parameters
    ----------
    number
        The number.
    dtype
        The type of the labels.

    Attributes
    ----------
    needed
        A type that holds it: make a new array with :func:`widened`.
    """

    def __init__(self, number: int, dtype: np.dtype[Any]) -> None:
        self.number, self.dtype = int(number), np.dtype(dtype)
        self.needed: np.dtype[Any] = np.dtype(np.uint32 if number < 2**32 else np.uint64)
        super().__init__(
            f"The number {number} does not fit labels of type {dtype}.",
            f"Change the labels to {self.needed}, which leaves all numbers as they are.",
        )

    def __reduce__(self) -> tuple[type[WideningError], tuple[int, np.dtype[Any]]]:
        return WideningError, (self.number, self.dtype)


def check_numbers(largest: int, dtype: np.dtype[Any]) -> None:
    """Refuse a number that the labels cannot hold.

    Raises
    ------
    WideningError
        When it does not fit.
    """
    if largest > (1 if dtype.kind == "b" else np.iinfo(dtype).max):
        raise WideningError(largest, dtype)


def widened(labels: Any, dtype: np.dtype[Any] | type = np.uint32) -> NDArray[Any]:
    """Return the same labels in a larger type, in memory.

    Raises
    ------
    EditError
        When the larger type cannot hold them, negative labels for instance.
    """
    values = np.asarray(labels)
    wide = values.astype(dtype)
    if not np.array_equal(wide, values):
        raise EditError(f"Labels of type {values.dtype} do not fit {np.dtype(dtype)}.")
    return wide


class JournalWarning(UserWarning):
    """Edits are not on the disk for the time being; they go on in memory."""

    @classmethod
    def of(cls, error: Exception, folder: Path) -> JournalWarning:
        """Say why, and what to do."""
        reason = getattr(error, "strerror", None) or str(error)
        return cls(
            f"Edits cannot be kept on the disk: {reason} ({folder}). They go on in memory. "
            "Free some space, or save the labels now."
        )
