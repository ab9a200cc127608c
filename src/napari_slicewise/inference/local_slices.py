"""Slices whose objects are numbered for themselves, kept until those of the stack are known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

import numpy as np

from napari_slicewise.inference.request import SliceResult
from napari_slicewise.io.local_labels import LocalLabels
from napari_slicewise.io.source import SliceIndex
from napari_slicewise.io.zarr_resumable import ResumableZarrWriter

__all__ = ["LocalSlice", "finished_locally", "note_locally", "write_locally"]


@dataclass(frozen=True)
class LocalSlice:
    """A slice whose objects are numbered for itself: how many, and a checksum."""

    index: SliceIndex
    count: int
    checksum: int


def write_locally(local: LocalLabels, results: Iterable[SliceResult]) -> Iterator[LocalSlice]:
    """Write the objects of each slice as 1..n; without links a run counts them through."""
    before = 0
    for done in results:
        count = max(int(done.values.max(initial=0)) - before, 0)
        labels = np.where(done.values > 0, done.values - np.uint32(before), np.uint32(0))
        yield LocalSlice(done.index, count, local.write(done.index, labels))
        before += count


def note_locally(writer: ResumableZarrWriter, done: LocalSlice) -> None:
    """Note in the record of a draft that a slice is written.

    Raises
    ------
    OSError
        When the disk is full.
    """
    writer.draft.note({"local": asdict(done)})


def finished_locally(writer: ResumableZarrWriter) -> dict[SliceIndex, LocalSlice]:
    """Find the slices whose local labels are there, and as they were written."""
    noted = [entry["local"] for entry in writer.draft.entries if "local" in entry]
    labels = LocalLabels.find(writer.draft.work) if noted else None
    if labels is None:
        return {}
    found = (LocalSlice(tuple(each["index"]), each["count"], each["checksum"]) for each in noted)
    return {done.index: done for done in found if labels.holds(done.index, done.checksum)}
