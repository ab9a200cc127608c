"""TIFF pages as one lazy array: opened to read, closed again, safe across threads."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import ImageError
from napari_slicewise.io.array_keys import dropped, full_key, positions, span
from napari_slicewise.io.file_lease import FileLease
from napari_slicewise.io.file_stamp import FileStamp, changed
from napari_slicewise.io.lazy_array import LazyArray
from napari_slicewise.io.tiff_damage import corrupt, explain_damage
from napari_slicewise.io.tiff_segments import Region, blank, read_plain, read_segments

__all__ = ["PageArray"]

_WHOLE_PAGE_BYTES = 4 << 20  # a page up to this size is one chunk
_LARGE_PAGE_BYTES = 256 << 20
_CHUNK_SIDE = 1024  # of larger tiled pages


class PageArray(LazyArray):
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
    reopen
        Makes this array anew in another process: a function, and its arguments.
    """

    def __init__(
        self, level: Any, lease: FileLease, path: str, reopen: tuple[Callable[..., Any], Any]
    ) -> None:
        self._reopen = reopen
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
        self.planes_held = self.page_count
        self._stamp = FileStamp(self._keyframe.parent.filehandle.path)
        self._newer: PageArray | None = None

    def __reduce__(self) -> tuple[Callable[..., Any], Any]:
        """Travel to other processes as the name of the file."""
        return self._reopen

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
                shape[axis] = min(shape[axis], max(1, side, _CHUNK_SIDE // max(1, side) * side))
        elif self._keyframe.is_final or self._keyframe.rowsperstrip < self.page_shape[0]:
            strip = 1 if self._keyframe.is_final else max(1, self._keyframe.rowsperstrip)
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
        whole = all(isinstance(n, Integral) for n in (*keyframe.shaped, *self.shape))
        if 0 in self.shape or keyframe.dtype is None or not whole:
            raise corrupt(self._path, f"it claims an image of shape {self.shape}")
        parts, separate = len(keyframe.dataoffsets), keyframe.shaped[0]
        if 0 < parts < separate:  # each sample has a strip of its own at least
            raise corrupt(self._path, f"it claims {separate} samples a pixel, and holds {parts}")
        page_bytes = math.prod(self.page_shape) * self.dtype.itemsize
        stored = sum(keyframe.databytecounts)
        if page_bytes > _LARGE_PAGE_BYTES and page_bytes > 5000 * max(1, stored):
            raise corrupt(self._path, f"{stored} bytes cannot hold a plane of {self.page_shape}")
        if self._dataoffset is not None:
            planes = self._dataoffset + self.planes_held * keyframe.nbytes
            self._check_end(keyframe, planes)
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

    def forgive_cut(self) -> None:
        """Show zeros for the planes of a plain stack that the file has lost at its end."""
        if self._dataoffset is not None:
            room = self._keyframe.parent.filehandle.size - self._dataoffset
            held = min(self.page_count, room // self._keyframe.nbytes)
            self.planes_held = max(1, held)

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
            if count == 1 and part.flags.c_contiguous:
                pages = part[np.newaxis]  # one plane, as when stepping: not copied again
                break
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
            wanted = span(positions(keys[axis], self.page_shape[axis]))
            spans.append(wanted)
            if isinstance(keys[axis], slice):
                inner[axis] = slice(None, None, keys[axis].step)
            else:
                inner[axis] = np.asarray(keys[axis]) % self.page_shape[axis] - wanted.start
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
        current = self._current()
        if current is not self:
            return current.read_page(number, rows, columns)
        _, _, height, width, _ = self._keyframe.shaped
        rows = slice(*rows.indices(height)[:2])
        columns = slice(*columns.indices(width)[:2])
        with explain_damage(self._path, f"read plane {number} of {self.page_count}"):
            block = self._read_block(number, (rows, columns))
        block = np.moveaxis(block, 0, 3)  # (depth, y, x, separate, contiguous)
        block = block.reshape(*block.shape[:3], self._samples)
        if self._transform is not None:  # gel scanners store the square root of what they measure
            block = self._transform(block)
        if self._samples == 1:
            block = block[..., 0]
        return block if self._keyframe.shaped[1] > 1 else block[0]

    def _current(self) -> PageArray:
        """Return the array of the file as it is now; self unless the file was written anew.

        A layer that is saved over its own file goes on with the new one. A file that grows while
        it is recorded keeps its earlier pages where they are.
        """
        current = self._newer or self
        if current._stamp.still_holds() or current._stamp.is_gone():
            return current  # of a file that is gone the read itself will tell
        now = FileStamp(current._stamp.path)
        make, arguments = self._reopen
        try:
            fresh: PageArray = make(*arguments)
        except (ImageError, LookupError) as error:
            if now.may_have_grown(current._stamp):
                return current
            raise changed(self._path) from error
        if fresh.shape == self.shape and fresh.dtype == self.dtype:
            self._newer = fresh
            return fresh
        if now.may_have_grown(current._stamp) and fresh.page_shape == self.page_shape:
            current._stamp = now
            return current
        raise changed(self._path)

    def _read_block(self, number: int, region: Region) -> NDArray[Any]:
        """Read a region of a page as ``(separate sample, depth, y, x, contiguous sample)``."""
        keyframe = self._keyframe
        if number >= self.planes_held:
            return blank(keyframe, region)
        own = keyframe.parent.filehandle
        with self._lease.reading(own) as handle:
            if self._dataoffset is not None:
                offset = self._dataoffset + number * keyframe.nbytes
                return read_plain(handle, keyframe, offset, region)
            with handle.lock:  # pages of long stacks are looked up on first use
                page = self._series[number]
            if page is not None and page.parent.filehandle is own:
                return self._read_page_of(handle, page, region)
        if page is None:
            return blank(keyframe, region)
        with self._lease.reading(page.parent.filehandle) as handle:
            return self._read_page_of(handle, page, region)

    def _read_page_of(self, handle: Any, page: Any, region: Region) -> NDArray[Any]:
        """Read a region of a page that is there."""
        if not self._keyframe.is_final:
            return read_segments(handle, page, region)
        if not any(page.dataoffsets):
            return blank(self._keyframe, region)
        return read_plain(handle, self._keyframe, page.dataoffsets[0], region)


def _leading_shape(level: Any) -> tuple[int, ...]:
    """Return the axes of a series before those of its pages, as the series squeezes them."""
    page_axes = len(level.keyframe.shape)
    shape = tuple(int(n) for n in level.shape)
    if shape[len(shape) - page_axes :] != tuple(level.keyframe.shape):
        raise ValueError(f"pages of shape {level.keyframe.shape} do not make up {shape}")
    return shape[: len(shape) - page_axes]
