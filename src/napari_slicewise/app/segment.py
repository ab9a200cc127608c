"""The controller behind the Segment tab: one run at a time, and what the world hears of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, Literal

from psygnal import Signal

from napari_slicewise.errors import RequestError, SlicewiseError, WorkerError
from napari_slicewise.inference.client import WorkerClient
from napari_slicewise.inference.messages import Inspect, Inspected, Ready, Status
from napari_slicewise.inference.request import Progress, Request, RunReport, SliceResult
from napari_slicewise.io.source import SliceSource
from napari_slicewise.models.answers import Inquiry

__all__ = ["Phase", "SegmentController"]

Phase = Literal["idle", "starting", "running", "stopping"]


class SegmentController:
    """Runs requests in the worker process and reports through signals.

    Signals are emitted from a background thread, or from the thread that called a
    method: connect with ``thread="main"`` and let the event loop call
    :func:`psygnal.emit_queued`. After ``run_finished`` nothing more comes from that run.

    Beside the runs, :meth:`peek` asks for the network's answer to one slice. A run does
    not wait for it longer than a batch takes.

    ``phase`` is ``starting`` until the first slice is there, then ``running``;
    ``stopping`` after Stop was asked for.
    """

    phase_changed = Signal(str)
    status_changed = Signal(str)  # one line for the user: what is being done, and where
    devices_changed = Signal(tuple)  # of DeviceInfo
    progressed = Signal(Progress)
    slice_finished = Signal(SliceResult)
    run_finished = Signal(RunReport)
    peeked = Signal(Request, object)  # what was asked for, then SliceResult or RunReport
    model_inquired = Signal(str, Inquiry)  # path, and what is open of it; then comes the next
    model_inspected = Signal(str, object)  # path, then ModelSpec or SlicewiseError
    heard = Signal(object)  # what the worker says that is not about runs
    worker_died = Signal(WorkerError)

    def __init__(self) -> None:
        self.phase: Phase = "idle"
        self._client: WorkerClient | None = None
        # Never held while a signal is emitted: who hears it may wait for the GUI thread,
        # which may be waiting for this lock.
        self._lock = threading.RLock()
        self._peek: Request | None = None  # under way
        self._after_peek: tuple[Request, SliceSource] | None = None  # a run, or another peek
        self._model = ""
        self._total = 0
        self._done = 0
        self._began = 0.0
        self._first_done = 0.0

    @property
    def worker_pid(self) -> int | None:
        """Process number of the worker; None while there is none."""
        with self._lock:
            return self._client.pid if self._client is not None and self._client.alive else None

    def warm_up(self) -> None:
        """Start the worker in the background, so that the first run begins at once.

        Raises
        ------
        WorkerError
            When the process cannot be started.
        """
        self._worker()

    def inspect_model(self, path: str, answers: Mapping[str, str] | None = None) -> None:
        """Ask the worker what a file of weights is; answered by ``model_inspected``.

        Parameters
        ----------
        path
            The file.
        answers
            To what it leaves open, by question; they are remembered. None takes those
            that were remembered earlier.
        """
        self._worker().send(Inspect(path, tuple(sorted((answers or {}).items()))))

    def tell(self, message: object) -> None:
        """Say something to the worker that is not about runs; answered by ``heard``.

        Raises
        ------
        WorkerError
            When the worker cannot be started.
        """
        self._worker().send(message)

    def start(self, request: Request, source: SliceSource) -> None:
        """Begin a run.

        Raises
        ------
        RequestError
            When one is already going on.
        WorkerError
            When the worker cannot be started.
        """
        with self._lock:
            if self.phase != "idle":
                raise RequestError("A run is already going on.", "Stop it first, or wait for it.")
            client = self._worker()
            self._model = request.model
            self._total, self._done = len(request.indices), 0
            self._began = time.monotonic()
            self.phase = "starting"
            waits = self._peek is not None
            if waits:
                self._after_peek = request, source
                client.stop()  # with the lock held, or else it might stop the run
        self.phase_changed.emit("starting")
        self.status_changed.emit("Starting")
        if waits:
            return
        try:
            client.begin(request, source)
        except BaseException:  # a source that cannot even say its shape
            self.phase = "idle"
            self.phase_changed.emit("idle")
            raise

    def peek(self, request: Request, source: SliceSource) -> bool:
        """Ask for what a request gives, beside the runs; answered by ``peeked``.

        A peek that is under way is given up for this one.

        Returns
        -------
        bool
            Whether there will be an answer; not while a run is going on.

        Raises
        ------
        WorkerError
            When the worker cannot be started.
        """
        with self._lock:
            if self.phase != "idle":
                return False
            client = self._worker()
            waits = self._peek is not None
            if waits:
                self._after_peek = request, source
                client.stop()
            else:
                self._peek = request
        if not waits:
            client.begin(request, source)
        return True

    def stop(self) -> None:
        """Ask the run to end; finished slices stay. Does nothing when idle.

        Asked a second time, it ends the process: for a worker that does not answer.
        """
        with self._lock:
            client, phase = self._client, self.phase
            if client is None or phase == "idle":
                return
            self.phase = "stopping"
        self.phase_changed.emit("stopping")
        self.status_changed.emit("Stopping after the tiles under way")
        if phase == "stopping":
            client.kill()
        else:
            client.stop()

    def close(self) -> None:
        """End the run and the worker process; to be called when the viewer closes."""
        with self._lock:
            client, self._client = self._client, None
            self.phase = "idle"
        if client is not None:
            client.close()

    def _worker(self) -> WorkerClient:
        with self._lock:
            if self._client is None:
                self._client = WorkerClient(self._hear, self._mourn)
            return self._client

    def _hear(self, message: Any) -> None:
        """Pass on what the worker says."""
        peek = self._peek
        if peek is not None and isinstance(message, SliceResult | RunReport):
            self._hear_of_peek(peek, message)
        elif isinstance(message, SliceResult):
            self._count(message)
        elif isinstance(message, RunReport):
            self._end(message)
        elif isinstance(message, Status) and peek is not None:
            return  # the line of the last run stays
        elif isinstance(message, Status):
            self.status_changed.emit(message.text)
        elif isinstance(message, Ready):
            self.devices_changed.emit(message.devices)
        elif isinstance(message, Inspected):
            if message.inquiry is not None:
                self.model_inquired.emit(message.path, message.inquiry)
            self.model_inspected.emit(message.path, message.answer)
        else:
            self.heard.emit(message)

    def _hear_of_peek(self, peek: Request, message: SliceResult | RunReport) -> None:
        """Pass the answer on; at the end, begin what had to wait."""
        if isinstance(message, SliceResult):
            self.peeked.emit(peek, message)
            return
        with self._lock:
            waiting, self._after_peek = self._after_peek, None
            client, phase = self._client, self.phase
            self._peek = waiting[0] if waiting is not None and phase == "idle" else None
        if message.outcome != "completed":
            self.peeked.emit(peek, message)
        if waiting is None or client is None:
            return
        if phase == "stopping":
            self._end(RunReport("cancelled", 0, 0.0, details={"model": self._model}))
            return
        try:
            client.begin(*waiting)
        except SlicewiseError as error:
            self._peek = None
            if phase != "idle":
                self._end(RunReport("failed", 0, 0.0, error.message, error.hint))

    def _count(self, result: SliceResult) -> None:
        now = time.monotonic()
        with self._lock:
            self._done += 1
            if self._done == 1:
                self._first_done = now
            begins = self.phase == "starting"
            if begins:
                self.phase = "running"
        if begins:
            self.phase_changed.emit("running")
        # From the second slice on, the time before the first one (loading) does not count.
        if self._done > 1:
            rate = (self._done - 1) / max(now - self._first_done, 1e-6)
        else:
            rate = 1 / max(result.seconds, 1e-6)
        self.slice_finished.emit(result)
        left = (self._total - self._done) / rate
        self.progressed.emit(Progress(self._done, self._total, rate, left))

    def _end(self, report: RunReport) -> None:
        with self._lock:
            self.phase = "idle"
        self.phase_changed.emit("idle")
        self.run_finished.emit(report)

    def _mourn(self, error: WorkerError) -> None:
        """End the run, if there is one, when the worker died; the next one gets a new worker."""
        with self._lock:
            client, self._client = self._client, None
            phase, peek = self.phase, self._peek
            self._peek = self._after_peek = None
        if client is not None:
            client.close()
        self.worker_died.emit(error)
        if peek is not None:
            self.peeked.emit(peek, RunReport("failed", 0, 0.0, error.message, error.hint))
        if phase == "idle":
            self.status_changed.emit("The inference process ended; the next run starts a new one")
            return
        seconds = time.monotonic() - self._began
        details = {"model": self._model}
        if phase == "stopping":  # it was killed by a second Stop
            report = RunReport("cancelled", self._done, seconds, details=details)
        else:
            report = RunReport(
                "failed", self._done, seconds, error.message, error.hint, details=details
            )
        self._end(report)
