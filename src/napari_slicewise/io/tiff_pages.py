"""TIFF pages as one lazy array: opened to read, closed again, safe across threads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.io.array_keys import dropped, full_key, positions
from napari_slicewise.io.file_lease import FileLease
from napari_slicewise.io.tiff_damage import corrupt, explain_damage

__all__ = ["PageArray"]

_WHOLE_PAGE_BYTES = 4 << 20  # a page up to this size is one chunk
_LARGE_PAGE_BYTES = 256 << 20
_CHUNK_SIDE = 1024  # of larger tiled pages


class PageArray:
    """One level of one series as an array; reads what is asked for and nothing else.

    The axes are the series' leading axes, then depth where a page has it, rows,
    columns, and samples where a page has several, whichever way they are stored.

    Parameters
    ----------
    level
        A tifffile ``TiffPageSeries``.
    lease
        Shared by everything that reads the same file.
    path
        For messages.
    """

    def __init__(self, level: Any, lease: FileLease, path: str) -> None:
        self._series = level
        self._lease = lease
        self._path = path
        self._keyframe = level.keyframe
        separate, depth, rows, columns, contiguous = self._keyframe.shaped
        self._samples = separate * contiguous
        self.page_shape: tuple[int, ...] = (
            *((depth,) if depth > 1 else ()),
            rows,
            columns,
            *((self._samples,) if self._samples > 1 else ()),
        )
        self.leading_shape = _leading_shape(level)
        self.dtype = np.dtype(level.dtype).newbyteorder("=")
        self.shape = (*self.leading_shape, *self.page_shape)
        self._dataoffset: int | None = level.dataoffset
        self.page_count = math.prod(self.leading_shape)
        self._transform = level.transform

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(math.prod(self.shape))

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.size * int(self.dtype.itemsize)

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of what is best read at once: a page, or some tiles of a large one."""
        rows_at = len(self.leading_shape) + len(self.page_shape) - (3 if self._samples > 1 else 2)
        shape = [1] * len(self.leading_shape) + list(self.page_shape)
        page_bytes = math.prod(self.page_shape) * self.dtype.itemsize
        if page_bytes <= _WHOLE_PAGE_BYTES:
            return tuple(shape)
        if self._keyframe.is_tiled:
            for axis, side in (
                (rows_at, self._keyframe.tilelength),
                (rows_at + 1, self._keyframe.tilewidth),
            ):
                shape[axis] = min(shape[axis], side * max(1, _CHUNK_SIDE // side))
        elif self._keyframe.is_final or self._keyframe.rowsperstrip < self.page_shape[0]:
            strip = 1 if self._keyframe.is_final else self._keyframe.rowsperstrip
            bands = max(1, page_bytes // (4 * _WHOLE_PAGE_BYTES))
            shape[rows_at] = strip * max(1, math.ceil(shape[rows_at] / bands / strip))
        return tuple(shape)

    def check(self) -> None:
        """Look whether the first and the last page lie within the file.

        Raises
        ------
        ImageError
            When the file ends before its pixels do, or claims an impossible size.
        """
        keyframe = self._keyframe
        if 0 in self.shape or keyframe.dtype is None:
            raise corrupt(self._path, f"it claims an image of shape {self.shape}")
        whole = math.prod(self.page_shape) * self.dtype.itemsize
        stored = sum(keyframe.databytecounts)
        if whole > _LARGE_PAGE_BYTES and whole > 5000 * max(1, stored):
            raise corrupt(self._path, f"{stored} bytes cannot hold a plane of {self.page_shape}")
        if self._dataoffset is not None:
            self._check_end(self._series.keyframe, self._dataoffset + self.page_count * whole)
            return
        for number in {0, len(self._series) - 1}:
            page = self._series[number]
            if page is None or not len(page.dataoffsets):
                continue
            ends = map(sum, zip(page.dataoffsets, page.databytecounts, strict=False))
            self._check_end(page, max(ends, default=0))

    def _check_end(self, page: Any, end: int) -> None:
        size = page.parent.filehandle.size
        if end > size:
            raise corrupt(self._path, f"it is cut off, {end - size} bytes are missing")

    def unsqueeze(self, shape: tuple[int, ...]) -> None:
        """Bring back axes of size 1; a shape that does not fit is left alone."""
        leading = len(shape) - len(self.page_shape)
        if leading < 0 or shape[leading:] != self.page_shape:
            return
        if math.prod(shape[:leading]) == self.page_count:
            self.leading_shape = shape[:leading]
            self.shape = shape

    def missing_pages(self) -> list[int]:
        """Return the numbers of pages that the series knows of but the file lacks."""
        if self._dataoffset is not None or not self._series.is_multifile:
            return []
        return [number for number, page in enumerate(self._series) if page is None]

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        """Read everything."""
        array = self[...]
        return array if dtype is None else array.astype(dtype, copy=False)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read a part; ``key`` holds whole numbers, slices and index arrays as in numpy.

        Raises
        ------
        ImageError
            When the file is gone, cut off or damaged.
        """
        keys = full_key(key, self.shape)
        lead = len(self.leading_shape)
        picks = [positions(k, n) for k, n in zip(keys[:lead], self.leading_shape, strict=True)]
        rows, columns, inner = self._page_region(keys[lead:])
        pages: NDArray[Any] | None = None
        count = math.prod(len(pick) for pick in picks)
        for place, position in enumerate(product(*picks)):
            number = int(np.ravel_multi_index(position, self.leading_shape)) if lead else 0
            part = self.read_page(number, rows, columns)[inner]
            if pages is None:
                pages = np.empty((count, *part.shape), self.dtype)
            pages[place] = part
        if pages is None:
            pages = np.empty((0, *np.empty(self.page_shape, np.bool_)[tuple(keys[lead:])].shape))
            pages = pages.astype(self.dtype)
        result = pages.reshape(*(len(pick) for pick in picks), *pages.shape[1:])
        return np.asarray(result[dropped(keys[:lead])])

    def _page_region(self, keys: list[Any]) -> tuple[slice, slice, tuple[Any, ...]]:
        """Return the rows and columns to read, and the keys within what is read."""
        first = len(self.page_shape) - (3 if self._samples > 1 else 2)
        spans = []
        inner = list(keys)
        for axis in (first, first + 1):
            wanted = positions(keys[axis], self.page_shape[axis])
            low = min(wanted, default=0)
            spans.append(slice(low, max(wanted, default=-1) + 1))
            if isinstance(keys[axis], slice):
                inner[axis] = slice(None, None, keys[axis].step)
            else:
                inner[axis] = np.asarray(keys[axis]) % self.page_shape[axis] - low
        return spans[0], spans[1], tuple(inner)

    def read_page(
        self, number: int, rows: slice = slice(None), columns: slice = slice(None)
    ) -> NDArray[Any]:
        """Read a region of one page.

        Parameters
        ----------
        number
            Position of the page in the series.
        rows, columns
            The region.

        Returns
        -------
        ``(depth, y, x, sample)``, depth and samples only where there are several.
        """
        _, _, height, width, _ = self._keyframe.shaped
        rows = slice(*rows.indices(height)[:2])
        columns = slice(*columns.indices(width)[:2])
        with explain_damage(self._path, f"read plane {number} of {self.page_count}"):
            block = self._read_block(number, rows, columns)  # (separate, depth, y, x, contiguous)
        block = np.moveaxis(block, 0, 3)  # (depth, y, x, separate, contiguous)
        block = block.reshape(*block.shape[:3], self._samples)
        if self._transform is not None:  # gel scanners store the square root of what they measure
            block = self._transform(block)
        if self._samples == 1:
            block = block[..., 0]
        return block if self._keyframe.shaped[1] > 1 else block[0]

    def _read_block(self, number: int, rows: slice, columns: slice) -> NDArray[Any]:
        """Read a region of a page as ``(separate sample, depth, y, x, contiguous sample)``."""
        if self._dataoffset is not None:
            offset = self._dataoffset + number * self._keyframe.nbytes
            with self._lease.reading(self._keyframe.parent.filehandle) as handle:
                return self._read_plain(handle, offset, rows, columns)
        with self._lease.reading(self._keyframe.parent.filehandle) as handle, handle.lock:
            page = self._series[number]
        if page is None or (self._keyframe.is_final and page.dataoffsets[:1] == (0,)):
            return self._blank(rows, columns)
        with self._lease.reading(page.parent.filehandle) as handle:
            if self._keyframe.is_final:
                return self._read_plain(handle, page.dataoffsets[0], rows, columns)
            return self._read_segments(handle, page, rows, columns)

    def _blank(self, rows: slice, columns: slice) -> NDArray[Any]:
        separate, depth, _, _, contiguous = self._keyframe.shaped
        shape = (separate, depth, rows.stop - rows.start, columns.stop - columns.start, contiguous)
        return np.full(shape, self._keyframe.nodata, self._keyframe.dtype)

    def _read_plain(self, handle: Any, offset: int, rows: slice, columns: slice) -> NDArray[Any]:
        """Read rows of pixels that lie in the file as they are."""
        separate, depth, height, width, contiguous = self._keyframe.shaped
        stored = np.dtype(self._keyframe.parent.byteorder + np.dtype(self._keyframe.dtype).char)
        bands = separate == 1 and depth == 1
        start = rows.start if bands else 0
        count = rows.stop - start if bands else height
        row_bytes = width * contiguous * stored.itemsize
        wanted = separate * depth * count * row_bytes
        with handle.lock:
            handle.seek(offset + start * row_bytes)
            data = handle.read(wanted)
        if len(data) < wanted:
            raise corrupt(self._path, f"it ends {wanted - len(data)} bytes before its last pixel")
        block = np.frombuffer(data, stored).reshape(separate, depth, count, width, contiguous)
        block = block[:, :, rows.start - start : rows.stop - start, columns]
        return block.astype(stored.newbyteorder("="))

    def _read_segments(self, handle: Any, page: Any, rows: slice, columns: slice) -> NDArray[Any]:
        """Decode the strips or tiles that touch the region; all of them if most do."""
        whole = self._keyframe.shaped[2] * self._keyframe.shaped[3]
        region = (rows.stop - rows.start) * (columns.stop - columns.start)
        if 2 * region >= whole or self._keyframe.jpegheader is not None:
            block: NDArray[Any] = page.asarray(squeeze=False)
            return block[:, :, rows, columns]
        block = self._blank(rows, columns)
        with handle.lock:
            self._keyframe.init_decode()
        for index in self._segments_in(rows, columns):
            self._paste_segment(handle, page, index, block, (rows, columns))
        return block

    def _segments_in(self, rows: slice, columns: slice) -> Iterator[int]:
        """Numbers of the strips or tiles that touch the region."""
        keyframe = self._keyframe
        separate, depth, height, width, _ = keyframe.shaped
        tile = (
            (max(1, keyframe.tiledepth), keyframe.tilelength, keyframe.tilewidth)
            if keyframe.is_tiled
            else (1, keyframe.rowsperstrip, width)
        )
        counts = [math.ceil(n / t) for n, t in zip((depth, height, width), tile, strict=True)]
        across = range(columns.start // tile[2], math.ceil(columns.stop / tile[2]))
        down = range(rows.start // tile[1], math.ceil(rows.stop / tile[1]))
        for plane in range(separate * counts[0]):
            for y, x in product(down, across):
                yield (plane * counts[1] + y) * counts[2] + x

    def _paste_segment(
        self, handle: Any, page: Any, index: int, block: NDArray[Any], region: tuple[slice, slice]
    ) -> None:
        if index >= len(page.dataoffsets) or not page.databytecounts[index]:
            return  # a sparse file leaves empty tiles out
        with handle.lock:
            handle.seek(page.dataoffsets[index])
            data = handle.read(page.databytecounts[index])
        arguments: dict[str, Any] = {"_fullsize": False}
        if self._keyframe.compression in {6, 7, 34892, 33007}:  # the JPEG family
            arguments |= {"jpegtables": page.jpegtables, "jpegheader": self._keyframe.jpegheader}
        segment, (sample, depth, top, left, _), shape = self._keyframe.decode(
            data, index, **arguments
        )
        if segment is None:
            return
        rows, columns = region
        y = slice(max(top, rows.start), min(top + shape[1], rows.stop))
        x = slice(max(left, columns.start), min(left + shape[2], columns.stop))
        block[
            sample,
            depth : depth + shape[0],
            y.start - rows.start : y.stop - rows.start,
            x.start - columns.start : x.stop - columns.start,
        ] = segment[
            : self._keyframe.shaped[1] - depth,
            y.start - top : y.stop - top,
            x.start - left : x.stop - left,
        ]


def _leading_shape(level: Any) -> tuple[int, ...]:
    """Return the axes of a series before those of its pages, as the series squeezes them."""
    page_axes = len(level.keyframe.shape)
    shape = tuple(int(n) for n in level.shape)
    if shape[len(shape) - page_axes :] != tuple(level.keyframe.shape):
        raise ValueError(f"pages of shape {level.keyframe.shape} do not make up {shape}")
    return shape[: len(shape) - page_axes]
