"""From a path to the tags and lazy arrays of its series; files are closed again at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tifffile

from napari_slicewise.errors import ImageError
from napari_slicewise.io.file_lease import FileLease
from napari_slicewise.io.image_info import ImageInfo
from napari_slicewise.io.ome_sets import Located, is_companion, locate
from napari_slicewise.io.tiff_chain import follow_pages
from napari_slicewise.io.tiff_complaints import listening
from napari_slicewise.io.tiff_damage import corrupt, explain_damage, short_name
from napari_slicewise.io.tiff_metadata import FileNotes, file_notes, series_info
from napari_slicewise.io.tiff_pages import PageArray
from napari_slicewise.io.tiff_series import is_scene

__all__ = ["look_into", "reopen"]

_MANY_PAGES = 1000
_KINDS = (
    *("shaped", "lsm", "mmstack", "ome", "imagej", "ndtiff", "fluoview", "stk", "sis", "svs"),
    *("scn", "qpi", "ndpi", "bif", "avs", "eer", "philips", "scanimage", "nih", "mdgel"),
)
"""Flavours that tifffile lays out in their own way."""


def look_into(
    path: Path, series: int | None, name: str, most: int | None = None
) -> list[tuple[ImageInfo, list[PageArray]]]:
    """Read the tags of a file, or of the master of the set that it belongs to.

    Parameters
    ----------
    path
        A TIFF or a companion file.
    series
        The one series that is wanted; None for all but thumbnails.
    name
        The path as the user gave it.
    most
        Of a file with more scenes than this, only the first is opened.

    Returns
    -------
    For each series its description and the arrays of its pyramid. No file stays open.

    Raises
    ------
    ImageError
        When the file is missing, damaged, no TIFF, or has no such series.
    """
    if not path.exists():
        raise ImageError(f"There is no file {path}.", "Check its name and folder.")
    with explain_damage(path, "open it"):
        located = locate(path) if is_companion(path) else Located(path)
        for _ in range(2):
            with listening() as complaints, _opened_file(located) as tif:
                again = locate(located.path, tif.pages.first.description or "")
                if located.xml is not None or (again.path == located.path and again.xml is None):
                    said = (*(located.warnings or again.warnings), *_misnamed(located, tif))
                    images = _series_of(tif, name, _Wanted(series, most), said)
                    return _with_warnings(images, complaints.told())
            located = again
        raise corrupt(path, "the files of its set point at each other")


def reopen(path: str, series: int, level: int) -> PageArray:
    """Open one level of one series again, in another process.

    Parameters
    ----------
    path, series, level
        Which file, which of its series, and which level of the pyramid.

    Raises
    ------
    ImageError
        When the file is not what it was.
    """
    return look_into(Path(path), series, path)[0][1][level]


@contextmanager
def _opened_file(located: Located) -> Iterator[Any]:
    """Open a TIFF with the OME-XML that belongs to it."""
    if located.path.stat().st_size == 0:
        raise corrupt(located.path, "it is empty")
    with tifffile.TiffFile(located.path, omexml=located.xml) as tif:
        yield tif


def _misnamed(located: Located, tif: Any) -> tuple[str, ...]:
    """Say where a file's name promises what belongs to a set, and its content does not."""
    name = located.path.name.lower()
    if located.xml is None and ".ome.tif" in name and not tif.is_ome:
        return ("Its name says OME-TIFF, but no OME-XML could be read; it is opened by its pages",)
    if "ndtiffstack" in name and not tif.is_ndtiff:
        return ("Its name says NDTiff, but its header does not; it is opened by its pages",)
    return ()


def _with_warnings(
    images: list[tuple[ImageInfo, list[PageArray]]], said: tuple[str, ...]
) -> list[tuple[ImageInfo, list[PageArray]]]:
    if not said:
        return images
    return [(replace(info, warnings=(*info.warnings, *said)), levels) for info, levels in images]


@dataclass(frozen=True)
class _Wanted:
    """Which series to open: one, or all scenes unless they are too many."""

    series: int | None
    most: int | None

    def of(self, tif: Any, path: str) -> list[int]:
        every = range(len(tif.series))
        if self.series is None:
            scenes = [index for index in every if is_scene(tif.series[index])] or [0]
            return scenes if self.most is None or len(scenes) <= self.most else scenes[:1]
        if self.series not in every:
            raise ImageError(
                f"There is no series {self.series}: {short_name(path)} has {len(tif.series)}.",
                f"They are counted from 0, the last is {len(tif.series) - 1}.",
            )
        return [self.series]


def _series_of(
    tif: Any, path: str, wanted: _Wanted, found: tuple[str, ...]
) -> list[tuple[ImageInfo, list[PageArray]]]:
    """Open one series of a file, or all that are scenes."""
    chain = follow_pages(tif)
    _find_series(tif)
    notes = file_notes(tif)
    lease = FileLease()
    images: list[tuple[ImageInfo, list[PageArray]]] = []
    for index in wanted.of(tif, path):
        series = tif.series[index]
        mended = _uncut(series, notes) if index == 0 else None
        levels = _levels(mended or series, index, lease, path, notes.own)
        lost = _lost_planes(levels[0]) if mended is not None else ()
        said = found + (lost or chain)
        info = series_info(tif, index, mended or series, levels, notes, path)
        images.append((replace(info, warnings=said + info.warnings), levels))
    return images


def _find_series(tif: Any) -> None:
    """Let tifffile find the series, but for two kinds of files where it needs help.

    It reads the header of each page of a plain stack, three seconds for a hundred
    thousand; here they are looked up on first use. And it gives up on stacks with a
    page of another size among pages that look alike at the first samples.
    """
    if tif.is_uniform and not any(getattr(tif, f"is_{kind}", False) for kind in _KINDS):
        count = len(tif.pages)
        if count > _MANY_PAGES:
            page = tif.pages.first
            tif.pages.useframes = True
            tif.pages.set_keyframe(0)
            axes, shape = "I" + page.axes, (count, *page.shape)
            tif.series = [
                tifffile.TiffPageSeries([page], shape, page.dtype, axes, parent=tif, kind="uniform")
            ]
            return
    try:
        tif.series  # noqa: B018 (found once, kept by tifffile)
    except RuntimeError:
        tif.is_uniform = False
        tif.pages.useframes = False


def _lost_planes(level: PageArray) -> tuple[str, ...]:
    held, promised = level.planes_held, level.page_count
    if held == promised:
        return ()
    last = f"planes 0-{held - 1}" if held > 1 else "plane 0"
    return (f"It is cut off: {last} of {promised} could be read, the others are shown as zeros",)


def _uncut(series: Any, notes: FileNotes) -> Any | None:
    """Return the whole stack that an ImageJ file promises where its later pages are lost.

    ImageJ writes the pixels of all planes in one piece behind the first header, so the
    planes before a cut can be had although the headers after it cannot.
    """
    imagej, page = notes.imagej, series.keyframe
    promised = imagej.get("images", 1)
    sizes = {
        letter: int(imagej.get(key, 1))
        for letter, key in (("T", "frames"), ("Z", "slices"), ("C", "channels"))
    }
    if (
        series.kind == "imagej"
        or not page.is_final
        or page.ndim != 2
        or math.prod(sizes.values()) != promised
        or len(series) >= promised
    ):
        return None
    kept = {letter: size for letter, size in sizes.items() if size > 1}
    return tifffile.TiffPageSeries(
        [page],
        (*kept.values(), *page.shape),
        page.dtype,
        "".join(kept) + "YX",
        parent=page.parent,
        kind="imagej",
        truncated=True,
    )


def _levels(
    series: Any, index: int, lease: FileLease, path: str, own: Mapping[str, Any]
) -> list[PageArray]:
    """Return the pyramid; in our own files with the axes of size 1 that tifffile drops."""
    shape = own.get("shape")
    place = str(Path(path).absolute())
    levels = [
        PageArray(level, lease, path, (reopen, (place, index, number)))
        for number, level in enumerate(series.levels)
    ]
    for level in levels:
        if series.is_truncated:
            level.forgive_cut()
        level.check()
    if isinstance(shape, list) and len(levels) == 1:
        levels[0].unsqueeze(tuple(shape))
    return levels
