"""A run that is going on, and the last thing it does: leave out objects of too few slices."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from qtpy.QtCore import QObject, QTimer

from napari_slicewise.inference.request import Progress, Request, RunReport
from napari_slicewise.widgets.inbox import BUDGET_S
from napari_slicewise.widgets.result_layer import ResultLayer

__all__ = ["DepthPass", "RunState", "looks_at_depth"]


@dataclass
class RunState:
    """The run that is going on; ``why_stopped`` once the user's doings ended it."""

    result: ResultLayer
    total: int
    began: float
    over: int = 0  # slices that an earlier run has written
    shown: bool = False  # whether the first slice was drawn
    progress: Progress | None = None  # not shown yet
    stop_asked: float = -math.inf
    why_stopped: str = ""


def looks_at_depth(run: RunState, report: RunReport) -> bool:
    """Whether a run is complete, and may leave objects out that are in too few slices."""
    request: Request = run.result.request
    slices = {index[-1] for index in request.indices if index}
    return (
        report.outcome == "completed"
        and not run.why_stopped
        and request.output == "labels"
        and request.objects.link
        and request.links.least_slices > 1
        and any({z - 1, z + 1} <= slices for z in slices)
    )


class DepthPass(QObject):
    """Takes objects of too few slices out of a result, a few milliseconds at a time.

    Parameters
    ----------
    parent
        Qt parent, on the GUI thread.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._step)
        self._steps: Iterator[int] = iter(())
        self._run: RunState | None = None
        self._removed = 0

    def start(self, run: RunState, report: RunReport, done: Callable[[RunReport], None]) -> None:
        """Begin; ``done`` gets the report, with the objects that are left."""
        self._run, self._report, self._done = run, report, done
        self._steps = run.result.take_out_shallow(run.result.request.links.least_slices)
        self._removed = 0
        self._timer.start(0)

    def stop(self) -> None:
        """Leave the rest as it is."""
        self._timer.stop()
        self._run = None

    def _step(self) -> None:
        run, until = self._run, time.perf_counter() + BUDGET_S
        while run is not None and time.perf_counter() < until:
            removed = None
            if not (run.why_stopped or run.result.replaced):
                removed = next(self._steps, None)
            if removed is None:
                self.stop()
                self._done(_with_less_objects(self._report, self._removed))
                return
            self._removed = removed


def _with_less_objects(report: RunReport, removed: int) -> RunReport:
    objects = report.details.get("objects")
    if objects is None:
        return report
    return replace(report, details={**report.details, "objects": objects - removed})
