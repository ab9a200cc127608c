"""The chain of pages of a TIFF: followed once to its end, which tifffile trusts to exist."""

from __future__ import annotations

import struct
from typing import Any

__all__ = ["follow_pages"]

_MOST_TAGS = 4096  # tifffile's own limit
_READ_AHEAD = 20  # tags of a page that are read at once


def follow_pages(tif: Any) -> tuple[str, ...]:
    """Follow the links from page to page, and stop tifffile where they run in a circle.

    tifffile reads on for ever in a chain that comes back to itself, and stops without a
    word where a link points out of the file.

    Parameters
    ----------
    tif
        The open ``TiffFile``.

    Returns
    -------
    What is wrong with the chain, in at most one sentence.
    """
    handle, form = tif.filehandle, tif.tiff
    ahead = form.tagnosize + _READ_AHEAD * form.tagsize + form.offsetsize
    offset = tif.pages.first.offset
    offsets: list[int] = []
    seen: set[int] = set()
    while offset:
        if offset in seen:
            _end_at(tif.pages, offsets)
            return (_told(len(offsets), "the list of pages runs in a circle"),)
        if not 0 < offset < handle.size:
            return (_told(len(offsets), "the link to the next page leads out of the file"),)
        seen.add(offset)
        offsets.append(offset)
        handle.seek(offset)
        head = handle.read(ahead)
        try:
            (tags,) = struct.unpack_from(form.tagnoformat, head)
            if tags > _MOST_TAGS:
                return (_told(len(offsets) - 1, "the next page is damaged"),)
            link = form.tagnosize + tags * form.tagsize
            if link + form.offsetsize > len(head):
                handle.seek(offset + link)
                head, link = handle.read(form.offsetsize), 0
            (offset,) = struct.unpack_from(form.offsetformat, head, link)
        except struct.error:
            return (_told(len(offsets), "the list of pages is cut off"),)
    return ()


def _told(count: int, what: str) -> str:
    return f"Behind page {count - 1} {what}; there may have been more"


def _end_at(pages: Any, offsets: list[int]) -> None:
    """Tell tifffile where the chain ends; it has no public way to be told."""
    pages._offsets[:] = offsets
    pages._indexed = True
