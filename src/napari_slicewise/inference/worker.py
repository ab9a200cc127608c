"""The process that loads torch and stays warm: requests in, finished slices out.

It ends when the desktop closes its pipe, however the desktop ended: the operating
system closes the pipe of a killed process too.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, Queue
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import ImageError, SlicewiseError, WorkerError
from napari_slicewise.inference.cache import ActivationCache
from napari_slicewise.inference.device import DevicePolicy, LocalDevices
from napari_slicewise.inference.loading import ModelCache
from napari_slicewise.inference.memory import SharedSlots
from napari_slicewise.inference.messages import (
    BeginRun,
    Channel,
    Inspect,
    Inspected,
    ReadSlice,
    Ready,
    ResultTaken,
    RunEnded,
    SliceDone,
    SliceRead,
    SourceNote,
    Status,
    StopRun,
)
from napari_slicewise.inference.request import RunReport
from napari_slicewise.inference.runner import Runner
from napari_slicewise.inference.stream import CancelToken
from napari_slicewise.io.room import in_memory, scratch_place
from napari_slicewise.models.answers import inquire

__all__ = ["SideWork", "Worker", "serve_desktop"]

_CACHE_BYTES = 64 * 1024**2  # of memory: it must not grow with the depth of a stack
_CACHE_DISK_BYTES = 8 * 1024**3
_NICENESS = 15  # far below the desktop: where cores are few, the window must win them
INPUT_SLOT = 0
OUTPUT_SLOTS = (1, 2)


@dataclass(frozen=True, eq=False)
class _DesktopSource:
    """A SliceSource whose slices the desktop reads."""

    note: SourceNote
    channel: Channel
    slots: SharedSlots
    answers: Queue[SliceRead]

    @property
    def leading_shape(self) -> tuple[int, ...]:
        return self.note.leading_shape

    @property
    def slice_shape(self) -> tuple[int, int]:
        return self.note.slice_shape

    @property
    def channels(self) -> int:
        return self.note.channels

    @property
    def rgb(self) -> bool:
        return self.note.rgb

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.note.dtype)

    @property
    def pixel_um(self) -> tuple[float, float] | None:
        return self.note.pixel_um

    def read_slice(self, index: tuple[int, ...]) -> NDArray[Any]:
        """Ask for a slice and wait; one at a time, as the one input slot wants it."""
        self.channel.send(ReadSlice(index, INPUT_SLOT))
        answer = self.answers.get()
        if answer.error is not None:
            raise answer.error
        if answer.note is None:
            raise ImageError(f"Slice {index} of the image did not arrive.")
        return self.slots.take(answer.note)


@dataclass(frozen=True, eq=False)
class _Job:
    """A run to do, and the memory for its slices; None when the desktop took that away."""

    begin: BeginRun
    slots: SharedSlots | None


class SideWork(Protocol):
    """Work that goes on while there is no run, a piece at a time."""

    @property
    def busy(self) -> bool:
        """Whether there is anything to do."""

    def take(self, message: object) -> None:
        """Hear a message that is not about runs."""

    def work(self) -> None:
        """Do the next piece. Runs wait for it, so that it must be short."""


class Worker:
    """Takes messages, one run at a time.

    Parameters
    ----------
    channel
        To the desktop.
    policy
        The devices; tests inject their own.
    side
        What is done between runs, in this same thread: a training.
    """

    def __init__(
        self, channel: Channel, policy: DevicePolicy, side: SideWork | None = None
    ) -> None:
        self._channel = channel
        self._policy = policy
        self._side = side
        self._models = ModelCache()
        scratch = scratch_place()
        on_disk = 0 if in_memory(scratch) else _CACHE_DISK_BYTES
        spare = policy.free_bytes("cpu") // 16
        self._cache = ActivationCache(min(spare, _CACHE_BYTES), on_disk, scratch)
        self._jobs: Queue[Any] = Queue()
        self._answers: Queue[SliceRead] = Queue()
        self._free_slots: Queue[int] = Queue()
        self._token = CancelToken()

    def serve(self) -> None:
        """Work until the desktop is gone; never returns."""
        threading.Thread(target=self._receive, name="slicewise-receive", daemon=True).start()
        self._channel.send(Ready(self._policy.devices()))
        while True:
            job = self._next_job()
            if isinstance(job, _Job):
                self._channel.send(RunEnded(self._run(job)))
            elif isinstance(job, Inspect):
                self._channel.send(self._inspect(job))
            elif self._side is not None:
                self._side.take(job)

    def _next_job(self) -> Any:
        """Wait for the next message; until there is one, work on the side."""
        while self._side is not None and self._side.busy:
            try:
                return self._jobs.get_nowait()
            except Empty:
                self._side.work()
        return self._jobs.get()

    def _receive(self) -> None:
        """Sort messages as they come; end the process when the desktop is gone."""
        while True:
            try:
                message = self._channel.receive()
            except EOFError:
                os._exit(0)  # at once, also in the middle of a convolution
            if isinstance(message, StopRun):
                self._token.cancel()
            elif isinstance(message, SliceRead):
                self._answers.put(message)
            elif isinstance(message, ResultTaken):
                self._free_slots.put(message.slot)
            elif isinstance(message, BeginRun):
                self._token = CancelToken()
                self._jobs.put(_Job(message, _open_memory(message)))
            else:
                self._jobs.put(message)

    def _run(self, job: _Job) -> RunReport:
        runner: Runner | None = None
        request, slots = job.begin.request, job.slots
        if slots is None:
            return _failure(WorkerError("The memory for slices is gone.", "Press Segment again."))
        try:
            self._free_slots = Queue()
            for slot in OUTPUT_SLOTS:
                self._free_slots.put(slot)
            source = _DesktopSource(job.begin.source, self._channel, slots, self._answers)
            self._status(f"Loading the model {request.model}")
            model = self._models.get(request.model, request.answers)
            runner = Runner(
                request,
                source,
                model,
                self._policy,
                self._token,
                self._status,
                self._cache,
                numbers="provisional",  # the slice on screen waits for no other
            )
            for result in runner.results():
                note = slots.put(self._free_slots.get(), result.values)
                done = SliceDone(
                    result.index, note, result.seconds, result.renamed, result.confidence
                )
                self._channel.send(done)
            return runner.report()
        except Exception as error:  # noqa: BLE001 - whatever it is, the desktop must hear of it
            if not isinstance(error, SlicewiseError):
                traceback.print_exc()
            if runner is not None:
                return runner.report(error)
            return _failure(error)
        finally:
            slots.close()

    def _inspect(self, job: Inspect) -> Inspected:
        try:
            model = self._models.get(job.path, job.answers)
        except SlicewiseError as error:
            return Inspected(job.path, error)
        questions, given = model.questions, dict(job.answers)
        inquiry = inquire(model.path, model.sha256, questions, given, model.notices)
        return Inspected(job.path, model.spec, inquiry)

    def _status(self, text: str) -> None:
        self._channel.send(Status(text))


def _open_memory(message: BeginRun) -> SharedSlots | None:
    """Open the memory at once, and take its name away: then nobody can leave it behind."""
    try:
        slots = SharedSlots.attach(message.memory, message.slot_bytes)
    except OSError:
        return None
    slots.remove_name()
    return slots


def _failure(error: Exception) -> RunReport:
    if isinstance(error, SlicewiseError):
        return RunReport("failed", 0, 0.0, error.message, error.hint)
    return RunReport("failed", 0, 0.0, f"{type(error).__name__}: {error}")


def serve_desktop(side: Callable[[Channel], SideWork] | None = None) -> None:
    """Serve the process that started this one, over its standard streams.

    Parameters
    ----------
    side
        Makes what is done between runs.
    """
    incoming = os.fdopen(os.dup(0), "rb")
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not end up among the messages
    sys.stdout = sys.stderr
    # Ctrl+C in the desktop's terminal reaches this process too; its end is the pipe's.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    channel = Channel(incoming, outgoing)
    Worker(channel, LocalDevices(), None if side is None else side(channel)).serve()
