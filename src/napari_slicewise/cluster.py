"""One run on many workers: the same plan on dask.distributed, to the same result.

The workers read the image and write the result themselves; through the client go only
counts, checksums and links. Labels are made in three rounds: each slice numbered for
itself into a work array; the links between neighbouring slices; and, when the client has
numbered the objects of the stack, the result. All of it is noted in the draft's record, so
that a run that was stopped goes on.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

from napari_slicewise.errors import SlicewiseError, WorkerError
from napari_slicewise.inference.blocks import (
    BlockWork,
    Segmented,
    link_block,
    number_block,
    pinned,
    probe,
    segment_block,
)
from napari_slicewise.inference.local_slices import (
    LocalSlice,
    finished_locally,
    note_locally,
    volumes_of,
)
from napari_slicewise.inference.request import Request, RunReport
from napari_slicewise.inference.resume import missing_stretches
from napari_slicewise.instances.link import Links, number_objects
from napari_slicewise.io.atomic_file import explain_output
from napari_slicewise.io.local_labels import LocalLabels
from napari_slicewise.io.source import SliceIndex
from napari_slicewise.io.zarr_resumable import ResumableZarrWriter

__all__ = ["ClusterRun"]

_LARGEST_BLOCK = 16
"""Slices. A lost worker costs a block, and linking holds one in memory."""


@dataclass(eq=False)
class ClusterRun:
    """A run to iterate over: it yields each slice when it is segmented; ``report`` tells more.

    Parameters
    ----------
    client
        Of dask.
    work
        What to do; the request as asked for, the places in the draft still open.
    writer
        Where the slices go.
    """

    client: Any
    work: BlockWork
    writer: ResumableZarrWriter
    report: RunReport | None = None
    _details: dict[str, Any] = field(default_factory=dict)
    _fallbacks: list[str] = field(default_factory=list)

    @property
    def request(self) -> Request:
        """What was asked for."""
        return self.work.request

    @property
    def there(self) -> int:
        """Slices that an earlier run has segmented."""
        labels = self.work.request.output == "labels"
        return len(finished_locally(self.writer)) if labels else len(self.writer.finished)

    def __iter__(self) -> Iterator[SliceIndex]:
        draft = self.writer.draft
        for old in draft.place.glob("alive-*"):
            old.unlink(missing_ok=True)  # whoever still works for a run that is gone stops
        alive = draft.place / f"alive-{uuid.uuid4().hex}"
        with explain_output(self.writer.path):
            alive.touch()
        try:
            work = replace(
                self.work,
                store=str(draft.folder.resolve()),
                local=str(draft.work.resolve()),
                alive=str(alive.resolve()),
            )
            began = time.monotonic()
            yield from self._rounds(self._probed(work))
            seconds, count = time.monotonic() - began, len(self.request.indices)
            self.report = RunReport(
                "completed",
                count,
                seconds,
                fallbacks=tuple(self._fallbacks),
                details=self._details,
            )
        finally:
            alive.unlink(missing_ok=True)

    def _probed(self, work: BlockWork) -> BlockWork:
        """Let one worker decide for all what is open, and note it."""
        known = [entry["pinned"] for entry in self.writer.draft.entries if "pinned" in entry]
        (found,) = self._gather(probe, [(work, known[-1] if known else None)])
        if not known:
            self.writer.draft.note({"pinned": found.pins})
        self._details = {**found.details, "objects": None}
        return replace(
            work,
            request=pinned(work.request, found.pins),
            engine=found.pins["engine"],
            intensities=found.intensities,
        )

    def _rounds(self, work: BlockWork) -> Iterator[SliceIndex]:
        if work.request.output != "labels":
            jobs = [(work.of(block),) for block in self._blocks(self.writer.finished)]
            for block in self._gather(segment_block, jobs):
                self._note_fallbacks(block)
                for stored in block.slices:
                    self.writer.note_finished(stored, {"largest": 0})
                    yield stored.index
            self._check_complete(self.writer.finished)
            return
        local = finished_locally(self.writer)
        if not local:
            LocalLabels(self.writer.draft.work, self.writer.shape)
        jobs = [(work.of(block),) for block in self._blocks(local)]
        for block in self._gather(segment_block, jobs):
            self._note_fallbacks(block)
            for done in block.slices:
                local[done.index] = done
                with explain_output(self.writer.path):
                    note_locally(self.writer, done)
                yield done.index
        self._check_complete(local)
        self._number(work, local)

    def _note_fallbacks(self, block: Segmented) -> None:
        """Remember what a worker had to do otherwise, once for all that had to."""
        for text in block.fallbacks:
            told = f"A worker: {text}"
            if told not in self._fallbacks:
                self._fallbacks.append(told)

    def _check_complete(self, done: Mapping[SliceIndex, Any]) -> None:
        """Refuse to end as if all were done when workers took themselves for stopped."""
        missing = sum(index not in done for index in self.request.indices)
        if missing:
            raise WorkerError(
                f"Workers left out {missing} slices: they do not see {self.writer.draft.place}.",
                "Put the result where all nodes have the same path, and repeat the command.",
            )

    def _number(self, work: BlockWork, local: Mapping[SliceIndex, LocalSlice]) -> None:
        """Find the objects of the stack, and have the result written."""
        links: Links = {}
        if work.request.objects.link:
            for found in self._gather(link_block, self._link_jobs(work)):
                links |= found
        counts = {index: done.count for index, done in local.items()}
        least = work.request.links.least_slices if work.request.objects.link else 1
        tables = number_objects(counts, links, least, volumes_of(local, work.request.links))
        jobs = [
            (work.of(block), {index: tables[index] for index in block})
            for block in self._blocks(self.writer.finished)
        ]
        for block in self._gather(number_block, jobs):
            for stored, largest in block:
                confidence = local[stored.index].confidence_of(tables[stored.index])
                self.writer.know(stored.index, confidence)
                self.writer.note_finished(stored, {"largest": largest})
        objects = max((int(table.max(initial=0)) for table in tables.values()), default=0)
        self._details = {**self._details, "objects": objects}

    def _link_jobs(self, work: BlockWork) -> list[tuple[Any, ...]]:
        """Return blocks, each with the slices after it that its objects may reach into."""
        indices = set(work.request.indices)
        reach = work.request.links.reach
        jobs = []
        for block in self._blocks({}):
            last = block[-1]
            steps = range(1, reach + 1) if last else ()
            near = [(*last[:-1], last[-1] + step) for step in steps]
            jobs.append((work.of(block), tuple(index for index in near if index in indices)))
        return jobs

    def _blocks(self, done: Mapping[SliceIndex, Any]) -> list[tuple[SliceIndex, ...]]:
        """Cut what is missing into blocks, so that all workers are busy to the end."""
        indices = self.work.request.indices
        share = -(-len(indices) // (4 * max(1, len(self._workers()))))
        size = max(1, min(_LARGEST_BLOCK, share))
        return [
            stretch[start : start + size]
            for stretch in missing_stretches(indices, done)
            for start in range(0, len(stretch), size)
        ]

    def _workers(self) -> Sequence[str]:
        return list(self.client.scheduler_info(n_workers=-1)["workers"])

    def _gather(self, task: Callable[..., Any], jobs: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
        """Give tasks to the workers, and yield their results as they come."""
        distributed: Any = import_module("distributed")
        # A key of its own for each: nothing is taken from an earlier run that is still known.
        futures = [self.client.submit(task, *job, pure=False) for job in jobs]
        try:
            for future in distributed.as_completed(futures, loop=self.client.loop):
                yield future.result()
                future.release()
        except distributed.KilledWorker as error:
            raise WorkerError(
                "The same slices have ended several workers, perhaps for lack of memory.",
                "Give each worker more memory, or take fewer of them.",
            ) from error
        except (SlicewiseError, OSError, GeneratorExit):
            raise
        except Exception as error:
            # Anything: a worker without this package, or with other versions of what it uses.
            raise WorkerError(
                f"A worker failed: {type(error).__name__}: {str(error).splitlines()[0]}",
                "Install the same versions on all nodes, and look into the worker's log.",
            ) from error
        finally:
            self.client.cancel(futures, force=True)
