"""Writing labels and images as TIFF: streamed, verified, and never half a file."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import DTypeLike, NDArray

from napari_slicewise.errors import OutputError
from napari_slicewise.io.atomic_file import check_output, explain_output, replacing
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.object_table import Columns, ObjectCounter, join_columns
from napari_slicewise.io.picture import Kind, Picture
from napari_slicewise.io.slice_spool import SliceSpool, rows_per_strip
from napari_slicewise.io.tiff_dialects import Dialect, choose_dialect

__all__ = ["LabelsWriter"]

PathLike = str | os.PathLike[str]


class LabelsWriter:
    """Takes slices in any order, and writes the file when it is closed.

    Use it in a ``with`` statement: when the block fails, nothing is written and what
    was there before stays. Slices that never come are zeros.

    Parameters
    ----------
    path
        The file. ``.ome.tif``, and what ImageJ cannot hold, becomes OME-TIFF; a plain ``.tif`` an
        ImageJ hyperstack.
    axes
        All axes in the order of the array, rows and columns last.
    dtype
        dtype of the slices; whole numbers are stored as uint16 where they fit, else as uint32.
    provenance
        How the labels were made; anything that JSON can say.
    inputs
        Files that must not be replaced.
    kind
        ``labels`` or ``image``; a probability is an image.

    Raises
    ------
    OutputError
        When the output is an input, or cannot be written there.
    """

    def __init__(
        self,
        path: PathLike,
        axes: Sequence[Axis],
        dtype: DTypeLike = np.uint32,
        provenance: Mapping[str, Any] | None = None,
        *,
        inputs: Sequence[PathLike] = (),
        kind: Kind = "labels",
    ) -> None:
        picture = Picture(tuple(axes), kind, provenance=dict(provenance or {}))
        self._start(Path(path), picture, np.dtype(dtype), inputs)

    def _start(
        self, path: Path, picture: Picture, dtype: np.dtype[Any], inputs: Sequence[PathLike]
    ) -> None:
        self.path = path
        self.picture = picture
        self._dtype = dtype
        check_output(path, inputs)
        likely = _likely_dtype(dtype)
        choose_dialect(path, picture, likely)  # fails now rather than after an hour of work
        self._counter = ObjectCounter(picture.axes)
        self._counted: set[tuple[int, ...]] = set()
        self._recount = False  # a slice came twice
        with explain_output(path):
            self._spool = SliceSpool(
                picture.shape, 3 if picture.rgb else 2, path.parent, narrow=picture.kind == "labels"
            )

    @classmethod
    def for_picture(
        cls, path: PathLike, picture: Picture, dtype: DTypeLike, inputs: Sequence[PathLike] = ()
    ) -> LabelsWriter:
        """Create a writer for images with channels or colours."""
        writer = cls.__new__(cls)
        writer._start(Path(path), picture, np.dtype(dtype), inputs)
        return writer

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
            ``(y, x)``.
        confidence
            How sure the network is of each object, 0..1, by its number; for the table.

        Raises
        ------
        OutputError
            When no space is left.
        ValueError
            When index or shape do not fit.
        """
        index, values = tuple(index), np.asarray(values)
        with explain_output(self.path):
            self._spool.write(index, values)
        if self.picture.kind == "labels" and values.dtype.kind in "ui":
            self._count(index, values, confidence)

    def _count(
        self,
        index: tuple[int, ...],
        values: NDArray[Any],
        confidence: Mapping[int, float] | None,
    ) -> None:
        """Count a slice's objects now, while the next one is computed."""
        if index in self._counted:
            self._recount = True
            return
        self._counter.add(index, values, confidence)
        self._counted.add(index)

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
        """Write the file, read it back, compare, and give it its name.

        Raises
        ------
        OutputError
            When the file cannot be written, or does not come back as it went in.
        """
        try:
            dtype = _stored_dtype(self._dtype, self._spool, self.picture.kind)
            picture = replace(self.picture, objects=self._objects(dtype))
            dialect = choose_dialect(self.path, picture, dtype)
            with replacing(self.path) as temporary:
                _write(temporary, dialect, self._spool, dtype)
                _compare(temporary, self.path, self._spool, dtype)
        finally:
            self._spool.close()

    def _objects(self, dtype: np.dtype[Any]) -> Columns:
        """Return the table of the objects, with what is known of them besides."""
        if self.picture.kind != "labels" or dtype.kind != "u":
            return {}
        if self._recount:
            self._counter = ObjectCounter(self.picture.axes)
            for index in self._counted:
                self._counter.add(index, self._spool.read(index, dtype))
        return join_columns(self._counter.columns(), self.picture.objects)

    def abort(self) -> None:
        """Write nothing."""
        self._spool.close()

    def __enter__(self) -> LabelsWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


def _stored_dtype(dtype: np.dtype[Any], spool: SliceSpool, kind: Kind) -> np.dtype[Any]:
    """Choose the dtype of the file: for labels the smallest that viewers show exactly.

    ImageJ opens uint32 as float32, which is exact up to 2^24 only, so labels are
    uint16 wherever they fit.
    """
    if kind == "image" and dtype.kind in "ui" and dtype.itemsize > 4:
        return _narrower(dtype, spool)
    if kind == "image" or dtype.kind not in "ui":
        return _likely_dtype(dtype)
    if spool.lowest < 0:
        raise OutputError("Labels must not be negative.", "Renumber them from 1.")
    if dtype.itemsize == 1 and spool.highest <= 255:
        return np.dtype(np.uint8)
    if spool.highest <= 65535:
        return np.dtype(np.uint16)
    if spool.highest >= 2**32:
        raise OutputError("Labels beyond 4294967295 fit no TIFF.", "Renumber them from 1.")
    return np.dtype(np.uint32)


def _likely_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of the file as far as it can be told before the values are known."""
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind == "f" and dtype.itemsize < 4:
        return np.dtype(np.float32)
    wide = dtype.kind in "ui" and dtype.itemsize > 4
    return np.dtype(np.uint32) if wide else dtype


def _narrower(dtype: np.dtype[Any], spool: SliceSpool) -> np.dtype[Any]:
    """Return 32 bits for numbers of 64, which no TIFF viewer reads."""
    for narrow in (np.dtype(np.int32), np.dtype(np.uint32)):
        limits = np.iinfo(narrow)
        if limits.min <= spool.lowest and spool.highest <= limits.max:
            return narrow
    raise OutputError(
        f"The values ({spool.lowest:g} to {spool.highest:g}) need {dtype.name}, which TIFF viewers "
        "cannot read.",
        "Save as .ome.zarr, or convert them to float32.",
    )


def _write(path: Path, dialect: Dialect, spool: SliceSpool, dtype: np.dtype[Any]) -> None:
    shape = (*spool.leading_shape, *spool.slice_shape)
    large = math.prod(shape) * dtype.itemsize > 3 << 30
    with tifffile.TiffWriter(
        path, bigtiff=large and dialect.ome, ome=dialect.ome, imagej=not dialect.ome
    ) as tif:
        tif.write(
            spool.strips(dtype),
            shape=shape,
            dtype=dtype,
            rowsperstrip=rows_per_strip(spool.slice_shape, dtype),
            photometric=dialect.photometric,
            compression="zlib",  # with a predictor old ImageJ shows wrong values
            resolution=dialect.resolution,
            resolutionunit=dialect.resolution_unit,
            metadata=dialect.metadata,
            software="napari-slicewise",
        )


def _compare(path: Path, name: Path, spool: SliceSpool, dtype: np.dtype[Any]) -> None:
    """Read the file back and compare it with what was written."""
    with tifffile.TiffFile(path) as tif:
        pages = len(tif.pages)
        wanted = math.prod(spool.leading_shape)
        if pages != wanted:
            raise OutputError(f"{name.name} came back with {pages} planes instead of {wanted}.")
        strips = spool.strips(dtype)
        same = all(
            found == next(strips, None) for page in tif.pages for found in _segments(tif, page)
        )
        first = next(spool.slices(dtype), None)
        if first is not None:  # the strips are the spool's own: one decoded page shows the layout
            decoded = tif.pages[0].asarray()
            same = same and np.array_equal(decoded, first, equal_nan=dtype.kind in "fc")
        if not same or next(strips, None) is not None:
            raise OutputError(f"{name.name} did not come back as it was written.")


def _segments(tif: tifffile.TiffFile, page: Any) -> Iterator[bytes]:
    """Yield a page's compressed strips as they lie in the file."""
    for offset, length in zip(page.dataoffsets, page.databytecounts, strict=True):
        tif.filehandle.seek(offset)
        yield tif.filehandle.read(length)
