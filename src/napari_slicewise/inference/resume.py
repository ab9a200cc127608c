"""Runs to a zarr store that go on where an earlier one stopped, to the same result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from napari_slicewise.errors import OutputError
from napari_slicewise.inference.device import DevicePolicy, LocalDevices
from napari_slicewise.inference.loading import LoadedModel
from napari_slicewise.inference.plan import Plan, resolve
from napari_slicewise.inference.request import Request, RunReport
from napari_slicewise.inference.runner import Runner
from napari_slicewise.inference.stream import CancelToken
from napari_slicewise.instances.slice_linker import NumberedSlices
from napari_slicewise.io.source import SliceIndex, SliceSource
from napari_slicewise.io.zarr_resumable import ResumableZarrWriter

__all__ = ["ResumableRun", "missing_stretches", "pin", "recall_pins"]

_INT8_PAYS = (1 << 26) * 256
"""Pixels times squared first filters; about ten seconds in bfloat16 on two cores."""


def pin(plan: Plan) -> dict[str, Any]:
    """Return what ``auto`` became, so that another run can be told the same.

    Whether int8 pays is else decided by the clock, while the run goes on; a run that must
    give the same result after an interruption decides it before it begins.
    """
    request = plan.request
    work = len(request.indices) * plan.padded[0] * plan.padded[1] * plan.spec.first_filters**2
    pays = plan.quantize == "if it pays" and work >= _INT8_PAYS
    return {
        "device": plan.device.key,
        "engine": plan.engine,
        "precision": "int8" if pays or plan.quantize == "asked" else plan.precision,
        "tile": max(32, *plan.tile),
        "batch": plan.batch,
    }


def recall_pins(
    writer: ResumableZarrWriter, request: Request, plan: Callable[[Request], Plan]
) -> Request:
    """Return the request with nothing left open that would change the result.

    Parameters
    ----------
    writer
        Knows what an earlier run has decided; else it is told what this one does.
    request
        As asked for.
    plan
        Resolves a request.

    Raises
    ------
    OutputError
        When this machine cannot run as the earlier run did.
    """
    known = [entry["pinned"] for entry in writer.draft.entries if "pinned" in entry]
    pins = known[-1] if known else pin(plan(request))
    decided = {name: pins[name] for name in ("device", "precision", "tile", "batch")}
    pinned = replace(request, **decided)
    if not known:
        writer.draft.note({"pinned": pins})
    elif plan(pinned).engine != pins["engine"]:
        raise OutputError(
            f"The unfinished run to {writer.path.name} was begun with {pins['engine']}, which "
            "is not here.",
            "Go on where it was begun, or give --restart to begin anew.",
        )
    return pinned


def missing_stretches(
    indices: Sequence[SliceIndex], finished: Mapping[SliceIndex, Any]
) -> list[tuple[SliceIndex, ...]]:
    """Return the slices that are not finished, those in a row together."""
    groups = groupby(indices, key=lambda index: index in finished)
    return [tuple(group) for there, group in groups if not there]


@dataclass(eq=False)
class ResumableRun:
    """A run to iterate over; it yields the slices that are written, ``report`` says how it ended.

    Objects get the numbers that an unbroken run gives them, for slices are taken in order,
    and each stretch of missing ones is numbered after what was written before it.

    Parameters
    ----------
    request
        All slices of the run, in ascending order.
    source, model
        What to segment, and how.
    writer
        Where the slices go.
    policy, token, on_status
        See :class:`~napari_slicewise.inference.runner.Runner`.
    """

    request: Request
    source: SliceSource
    model: LoadedModel
    writer: ResumableZarrWriter
    policy: DevicePolicy = field(default_factory=LocalDevices)
    token: CancelToken = field(default_factory=CancelToken)
    on_status: Callable[[str], None] = lambda _text: None
    report: RunReport | None = None

    @property
    def there(self) -> int:
        """Slices that are finished."""
        return len(self.writer.finished)

    def __iter__(self) -> Iterator[SliceIndex]:
        request = recall_pins(self.writer, self.request, self._plan)
        runner = self._runner(request)
        fallbacks: tuple[str, ...] = ()
        for stretch in missing_stretches(request.indices, self.writer.finished):
            before = self._before(stretch[0])
            largest = before.largest
            runner = self._runner(replace(request, indices=stretch), before)
            for result in runner.results():
                largest = self._largest(result.values, largest)
                note = {"largest": largest}
                self.writer.finish(result.index, result.values, note, result.confidence)
                yield result.index
            fallbacks += runner.report().fallbacks
        report = runner.report()
        details = {**report.details, "objects": self._objects()}
        self.report = replace(report, outcome="completed", fallbacks=fallbacks, details=details)

    def _plan(self, request: Request) -> Plan:
        return resolve(request, self.model.spec, self.source, self.policy)

    def _runner(self, request: Request, after: NumberedSlices | None = None) -> Runner:
        return Runner(
            request, self.source, self.model, self.policy, self.token, self.on_status, after=after
        )

    def _largest(self, values: Any, largest: int) -> int:
        """Return the largest number up to a slice: none is given out before a smaller one."""
        return max(largest, int(values.max(initial=0))) if self.request.output == "labels" else 0

    def _before(self, first: SliceIndex) -> NumberedSlices:
        """Return what the numbers of a stretch follow from."""
        position = self.request.indices.index(first)
        if self.request.output != "labels" or position == 0:
            return NumberedSlices()
        largest = self.writer.finished[self.request.indices[position - 1]]["largest"]
        reach = self.request.links.reach if self.request.objects.link and first else 0
        near = [(*first[:-1], first[-1] - step) for step in range(reach, 0, -1)]
        finished = self.writer.finished
        return NumberedSlices(
            {index: self.writer.read(index) for index in near if index in finished}, largest
        )

    def _objects(self) -> int | None:
        if self.request.output != "labels":
            return None
        return max((note["largest"] for note in self.writer.finished.values()), default=0)
