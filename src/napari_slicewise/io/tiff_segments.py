"""Regions of one TIFF page: plain rows, or the strips and tiles that touch the region."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Region", "blank", "read_plain", "read_segments"]

Region = tuple[slice, slice]
"""Rows and columns, both with whole numbers for start and stop."""

_JPEG_FAMILY = {6, 7, 34892, 33007}


def blank(keyframe: Any, region: Region) -> NDArray[Any]:
    """Return a region of the value that stands for "no data".

    Parameters
    ----------
    keyframe
        A tifffile ``TiffPage``.
    region
        Rows and columns.

    Returns
    -------
    ``(separate sample, depth, y, x, contiguous sample)``, as all functions here.
    """
    separate, depth, _, _, contiguous = keyframe.shaped
    rows, columns = region
    shape = (separate, depth, rows.stop - rows.start, columns.stop - columns.start, contiguous)
    return np.full(shape, keyframe.nodata, keyframe.dtype)


def read_plain(handle: Any, keyframe: Any, offset: int, region: Region) -> NDArray[Any]:
    """Read pixels that lie in the file as they are.

    Parameters
    ----------
    handle
        The open tifffile ``FileHandle``.
    keyframe
        The page, or one like it.
    offset
        Where the page's pixels begin.
    region
        Rows and columns; no others are read where rows follow each other.

    Raises
    ------
    EOFError
        When the file ends first.
    """
    separate, depth, height, width, contiguous = keyframe.shaped
    rows, columns = region
    stored = np.dtype(keyframe.parent.byteorder + np.dtype(keyframe.dtype).char)
    bands = separate == 1 and depth == 1
    start = rows.start if bands else 0
    count = rows.stop - start if bands else height
    row_bytes = width * contiguous * stored.itemsize
    wanted = separate * depth * count * width * contiguous
    with handle.lock:
        handle.seek(offset + start * row_bytes)
        flat: NDArray[Any] = handle.read_array(stored, wanted)
    if flat.size < wanted:
        raise EOFError(f"{wanted - flat.size} values are missing")
    block = flat.reshape(separate, depth, count, width, contiguous)
    block = block[:, :, rows.start - start : rows.stop - start, columns]
    return block.astype(stored.newbyteorder("="), copy=False)


def read_segments(handle: Any, page: Any, region: Region) -> NDArray[Any]:
    """Decode the strips or tiles that touch the region; all of them if most do.

    Parameters
    ----------
    handle
        The open tifffile ``FileHandle``.
    page
        A ``TiffPage`` or ``TiffFrame``.
    region
        Rows and columns.
    """
    keyframe = page.keyframe
    rows, columns = region
    whole = keyframe.shaped[2] * keyframe.shaped[3]
    wanted = (rows.stop - rows.start) * (columns.stop - columns.start)
    if 2 * wanted >= whole or keyframe.jpegheader is not None:
        everything: NDArray[Any] = page.asarray(squeeze=False)
        return everything[:, :, rows, columns]
    block = blank(keyframe, region)
    with handle.lock:
        keyframe.init_decode()
    for index in _touching(keyframe, region):
        _paste(handle, page, index, block, region)
    return block


def _touching(keyframe: Any, region: Region) -> Iterator[int]:
    """Numbers of the strips or tiles that touch the region."""
    separate, depth, height, width, _ = keyframe.shaped
    rows, columns = region
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


def _paste(handle: Any, page: Any, index: int, block: NDArray[Any], region: Region) -> None:
    """Decode one strip or tile and copy what lies in the region into the block."""
    keyframe = page.keyframe
    if index >= len(page.dataoffsets) or not page.databytecounts[index]:
        return  # a sparse file leaves empty tiles out
    with handle.lock:
        handle.seek(page.dataoffsets[index])
        data = handle.read(page.databytecounts[index])
    arguments: dict[str, Any] = {"_fullsize": False}
    if keyframe.compression in _JPEG_FAMILY:
        arguments |= {"jpegtables": page.jpegtables, "jpegheader": keyframe.jpegheader}
    segment, (sample, depth, top, left, _), shape = keyframe.decode(data, index, **arguments)
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
        : keyframe.shaped[1] - depth,
        y.start - top : y.stop - top,
        x.start - left : x.stop - left,
    ]
