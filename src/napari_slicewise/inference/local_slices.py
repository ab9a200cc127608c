"""Slices whose objects are numbered for themselves, kept until those of the stack are known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.inference.request import SliceResult
from napari_slicewise.instances.link_options import LinkOptions
from napari_slicewise.instances.volumes import Volumes
from napari_slicewise.io.local_labels import LocalLabels
from napari_slicewise.io.packed_numbers import pack_numbers, unpack_numbers
from napari_slicewise.io.source import SliceIndex
from napari_slicewise.io.zarr_resumable import ResumableZarrWriter

__all__ = ["LocalSlice", "finished_locally", "note_locally", "volumes_of", "write_locally"]


@dataclass(frozen=True)
class LocalSlice:
    """A slice whose objects are numbered for itself.

    Parameters
    ----------
    index, count, checksum
        Which, how many objects, and of its pixels.
    confidence, pixels
        How sure the network is of each object, and how large it is; packed.
    """

    index: SliceIndex
    count: int
    checksum: int
    confidence: str = ""
    pixels: str = ""

    def confidence_of(self, table: NDArray[np.uint32]) -> dict[int, float]:
        """Return how sure the network is of each object that stays, by the stack's numbers.

        Parameters
        ----------
        table
            ``(n + 1,)``: the number of each local one; 0 for those that are left out.
        """
        means = unpack_numbers(self.confidence).items()
        return {int(table[local]): mean for local, mean in means if table[local]}


def write_locally(local: LocalLabels, results: Iterable[SliceResult]) -> Iterator[LocalSlice]:
    """Write the objects of each slice as 1..n; without links a run counts them through."""
    before = 0
    for done in results:
        count = max(int(done.values.max(initial=0)) - before, 0)
        labels = np.where(done.values > 0, done.values - np.uint32(before), np.uint32(0))
        checksum = local.write(done.index, labels)
        confidence = {number - before: mean for number, mean in done.confidence.items()}
        pixels = dict(enumerate(np.bincount(labels.ravel())[1:].tolist(), start=1))
        packed = pack_numbers(confidence), pack_numbers(pixels)
        yield LocalSlice(done.index, count, checksum, *packed)
        before += count


def volumes_of(local: Mapping[SliceIndex, LocalSlice], links: LinkOptions) -> Volumes | None:
    """Return which volumes are kept; None where all are."""
    if not links.by_volume:
        return None
    pixels = {}
    for index, done in local.items():
        pixels[index] = np.zeros(done.count + 1)
        for number, count in unpack_numbers(done.pixels).items():
            pixels[index][number] = count
    return Volumes(pixels, links.smallest, links.largest)


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
    found = (LocalSlice(**{**each, "index": tuple(each["index"])}) for each in noted)
    return {done.index: done for done in found if labels.holds(done.index, done.checksum)}
