"""The same labels in a type that holds larger numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_slicewise.editing.errors import EditError
from napari_slicewise.io.label_store import create_labels
from napari_slicewise.io.source import ArraySource

__all__ = ["widened_labels"]


def widened_labels(labels: ArraySource, dtype: np.dtype[Any] | type) -> Any:
    """Copy labels into an array of a larger type, in memory or on the scratch disk.

    Parameters
    ----------
    labels
        The labels; they are not changed.
    dtype
        The type, from ``WideningError.needed``.

    Returns
    -------
    A numpy array, or a zarr array where the memory has no room, of the labels' shape.

    Raises
    ------
    EditError
        When the larger type cannot hold them, negative labels for instance.
    OutputError
        When there is no room.
    """
    wide = create_labels(labels.data.shape, dtype)
    view = ArraySource(wide, labels.plane, labels.channel_axis, labels.channel)
    for index in labels.indices():
        values = labels.read_slice(index)[0]
        fitting = values.astype(dtype)
        if not np.array_equal(fitting, values):
            raise EditError(f"Labels of type {labels.dtype} do not fit {np.dtype(dtype)}.")
        if fitting.any():
            view.write_slice(index, fitting)
    return wide
