"""Resumable runs whose objects can be told only when later slices are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.inference.local_slices import (
    LocalSlice,
    finished_locally,
    note_locally,
    write_locally,
)
from napari_slicewise.inference.request import Request
from napari_slicewise.inference.resume import ResumableRun, missing_stretches, recall_pins
from napari_slicewise.instances.stack_numbers import StackNumbers
from napari_slicewise.io.atomic_file import explain_output
from napari_slicewise.io.local_labels import LocalLabels
from napari_slicewise.io.source import SliceIndex

__all__ = ["RoundsRun", "needs_rounds"]


def needs_rounds(request: Request) -> bool:
    """Whether an object may be left out for what later slices show.

    What an interrupted run has written then no longer tells which objects were there,
    so that one that goes on could link others. Such a run keeps each slice as the network
    gave it, and numbers them when all are there.
    """
    return request.output == "labels" and request.objects.waits


@dataclass(eq=False)
class RoundsRun(ResumableRun):
    """A :class:`~napari_slicewise.inference.resume.ResumableRun` for such a request.

    The draft needs room for the labels twice. Its record is that of a run on a cluster.
    ``parents`` are the mothers of daughters, in a movie that was tracked.
    """

    parents: dict[int, int] = field(default_factory=dict)

    @property
    def there(self) -> int:
        """Slices that are segmented."""
        return len(finished_locally(self.writer))

    def __iter__(self) -> Iterator[SliceIndex]:
        request = recall_pins(self.writer, self.request, self._plan)
        local = finished_locally(self.writer)
        with explain_output(self.writer.path):
            shape = None if local else self.writer.shape
            labels = LocalLabels(self.writer.draft.work, shape)
        runner = self._runner(request)
        details = runner.report().details
        fallbacks: tuple[str, ...] = ()
        for stretch in missing_stretches(request.indices, local):
            alone = replace(request, indices=stretch, objects=request.objects.alone())
            runner = self._runner(alone)
            for done in write_locally(labels, runner.results()):
                local[done.index] = done
                with explain_output(self.writer.path):
                    note_locally(self.writer, done)
                yield done.index
            fallbacks += runner.report().fallbacks
            details |= {name: runner.report().details[name] for name in _DECIDED_LATE}
        details["objects"] = self._number(request, labels, local)
        if self.parents:
            details["parents"] = self.parents
        self.report = replace(
            runner.report(), outcome="completed", fallbacks=fallbacks, details=details
        )

    def _number(
        self, request: Request, labels: LocalLabels, local: Mapping[SliceIndex, LocalSlice]
    ) -> int:
        """Give the objects the numbers of the stack, write the result, and count them."""
        stack = StackNumbers(set(local), request.objects)
        for index in request.indices:
            stack.add(index, labels.read(index))
        tables, self.parents = stack.numbers()
        for index in request.indices:
            if index not in self.writer.finished:
                numbered = tables[index][labels.read(index)]
                confidence = local[index].confidence_of(tables[index])
                note = {"largest": _largest(tables[index])}
                self.writer.finish(index, numbered, note, confidence)
        return max(map(_largest, tables.values()), default=0)


_DECIDED_LATE = ("precision", "precision_check", "engine", "device", "tile", "batch")
"""What is known only when slices were predicted."""


def _largest(table: NDArray[np.uint32]) -> int:
    return int(table.max(initial=0))
