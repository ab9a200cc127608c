"""Writing labels and images as OME-Zarr: streamed, verified, and never half a folder."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_slicewise.errors import OutputError
from napari_slicewise.io.atomic_file import explain_output
from napari_slicewise.io.atomic_folder import Draft, FolderDraft, check_output_folder
from napari_slicewise.io.object_table import Columns, ObjectCounter, join_columns
from napari_slicewise.io.packed_numbers import pack_numbers, unpack_numbers
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.zarr_document import Version, lay_out_axes, zarr_attributes
from napari_slicewise.io.zarr_labels_group import labels_version, register_labels
from napari_slicewise.io.zarr_levels import (
    StoredSlice,
    ZarrLevels,
    create_levels,
    open_attributes,
)

__all__ = ["ZarrWriter"]

PathLike = str | os.PathLike[str]


class ZarrWriter:
    """Takes slices in any order, and gives the folder its name when it is closed.

    Use it in a ``with`` statement: when the block fails, nothing is written and what was
    there before stays. Slices that never come are zeros. A path such as
    ``image.zarr/labels/nuclei`` adds labels to an image.

    Parameters
    ----------
    path
        The folder.
    picture
        Axes, channels, notes.
    dtype
        dtype of the slices; labels are stored as unsigned whole numbers of 32 bits at most.
    inputs
        Files that must not be replaced.
    version
        Version of OME-Zarr; labels of an image take the image's.

    Raises
    ------
    OutputError
        When the output is an input, or cannot be written there.
    """

    def __init__(
        self,
        path: PathLike,
        picture: Picture,
        dtype: DTypeLike,
        inputs: Sequence[PathLike] = (),
        version: Version = "0.5",
    ) -> None:
        self.path = Path(path)
        self.picture = picture
        if math.prod(picture.shape) == 0:
            raise OutputError(f"There is nothing to write: the shape is {picture.shape}.")
        self._layout = lay_out_axes(picture)
        check_output_folder(self.path, inputs)
        self._version: Version = labels_version(self.path) or version
        self._stored: dict[tuple[int, ...], StoredSlice] = {}
        self._sure: dict[tuple[int, ...], str] = {}  # confidence of the objects, packed
        self._draft = self._begin()
        with explain_output(self.path):
            self._levels = self._open_levels(np.dtype(dtype))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array."""
        return self.picture.shape

    def write(
        self,
        index: tuple[int, ...],
        values: NDArray[Any],
        confidence: Mapping[int, float] | None = None,
    ) -> None:
        """Take one slice.

        Parameters
        ----------
        index
            Position on the axes before rows and columns.
        values
            ``(y, x)``, or ``(y, x, colour)``.
        confidence
            How sure the network is of each object, 0..1, by its number; for the table.

        Raises
        ------
        OutputError
            When no space is left, or labels are negative or too large.
        ValueError
            When index or shape do not fit.
        """
        with explain_output(self.path):
            stored = self._levels.write(index, values)
        self._stored[stored.index] = stored
        self.know(stored.index, confidence or {})

    def know(self, index: tuple[int, ...], confidence: Mapping[int, float]) -> None:
        """Take notice of how sure the network is of the objects of a slice."""
        self._sure[index] = pack_numbers(confidence)

    def describe(self, provenance: Mapping[str, Any], objects: Columns | None = None) -> None:
        """Say how the labels were made, where that is known only after the last slice.

        Parameters
        ----------
        provenance
            Anything that JSON can say.
        objects
            Further columns for the table of objects; None leaves those that it has.
        """
        columns = objects or self.picture.objects
        self.picture = replace(self.picture, provenance=dict(provenance), objects=columns)

    def close(self) -> None:
        """Write the metadata, read everything back, and give the folder its name.

        Raises
        ------
        OutputError
            When the folder cannot be written, or does not come back as it went in.
        """
        try:
            count = len(self._levels.arrays)
            with explain_output(self.path):
                if not all(self._levels.holds(stored) for stored in self._stored.values()):
                    raise OutputError(f"{self.path.name} did not come back as it was written.")
                picture = replace(self.picture, objects=self._objects())
            attributes = zarr_attributes(
                picture, self._layout, count, self._limits(), self._version, self._source()
            )
            with explain_output(self.path):
                open_attributes(self._draft.folder).update(attributes)
            self._draft.commit()
            register_labels(self.path, self._version)
        finally:
            self._draft.close()

    def abort(self) -> None:
        """Give nothing its name."""
        self._draft.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _begin(self) -> Draft:
        """Return the place in which the folder is built."""
        return FolderDraft(self.path)

    def _open_levels(self, dtype: np.dtype[Any]) -> ZarrLevels:
        return create_levels(self._draft.folder, self.picture, dtype, self._version)

    def _source(self) -> str:
        """Return the way from labels to the image that they lie in."""
        return "../../" if labels_version(self.path) is not None else ""

    def _objects(self) -> Columns:
        """Return the table of the objects, with what is known of them besides."""
        if self.picture.kind != "labels" or self._levels.arrays[0].dtype.kind != "u":
            return {}
        counter = ObjectCounter(self.picture.axes)
        for index in self._stored:
            sure = unpack_numbers(self._sure.get(index, ""))
            counter.add(index, self._levels.read(index), sure)
        return join_columns(counter.columns(), self.picture.objects)

    def _limits(self) -> dict[int, tuple[float, float]]:
        """Return each channel's lowest and highest value, for the metadata."""
        if self.picture.rgb:  # shown as it is
            dtype = self._levels.arrays[0].dtype
            top = float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0
            return dict.fromkeys(range(self.picture.rgb), (0.0, top))
        names = [axis.name for axis in self.picture.axes]
        found: dict[int, tuple[float, float]] = {}
        for stored in self._stored.values():
            if stored.limits is not None:
                channel = stored.index[names.index("c")] if "c" in names else 0
                low, high = found.get(channel, (math.inf, -math.inf))
                found[channel] = (min(low, stored.limits[0]), max(high, stored.limits[1]))
        return found
