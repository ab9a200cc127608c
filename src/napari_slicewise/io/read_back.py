"""Whether a file that was written holds what it should."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_slicewise.errors import SlicewiseError
from napari_slicewise.io.tiff_reader import open_image

__all__ = ["same_as_file"]


def same_as_file(data: Any, path: Path) -> bool:
    """Whether a file holds the same numbers as an array, read back from the disk."""
    try:
        with open_image(path, 0) as image:
            stored = image.data
            if _long(stored.shape) != _long(data.shape):
                return False
            if tuple(stored.shape) != tuple(data.shape):
                whole = np.asarray(stored).reshape(data.shape)
                return bool(np.array_equal(whole, np.asarray(data)))
            return all(
                np.array_equal(np.asarray(stored[index]), np.asarray(data[index]))
                for index in np.ndindex(*data.shape[:-2])
            )
    except (SlicewiseError, OSError, ValueError, IndexError):
        return False


def _long(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the sizes of axes that are longer than one."""
    return tuple(int(n) for n in shape if int(n) != 1)
