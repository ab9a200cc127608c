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
from dataclasses import dataclass
from queue import Queue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import ImageError, SlicewiseError
from napari_slicewise.inference.cache import ActivationCache
from napari_slicewise.inference.device import DevicePolicy, LocalDevices
from napari_slicewise.inference.loading import ModelCache, load_model_file
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
from napari_slicewise.models.zoo import resolve_model

__all__ = ["Worker", "main"]

_LARGEST_CACHE_BYTES = 2 * 1024**3
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

    def read_slice(self, index: tuple[int, ...]) -> NDArray[Any]:
        """Ask for a slice and wait; one at a time, as the one input slot wants it."""
        self.channel.send(ReadSlice(index, INPUT_SLOT))
        answer = self.answers.get()
        if answer.error is not None:
            raise answer.error
        if answer.note is None:
            raise ImageError(f"Slice {index} of the image did not arrive.")
        return self.slots.take(answer.note)


class Worker:
    """Takes messages, one run at a time.

    Parameters
    ----------
    channel
        To the desktop.
    policy
        The devices; tests inject their own.
    """

    def __init__(self, channel: Channel, policy: DevicePolicy) -> None:
        self._channel = channel
        self._policy = policy
        self._models = ModelCache()
        spare = policy.free_bytes("cpu") // 8
        self._cache = ActivationCache(min(spare, _LARGEST_CACHE_BYTES))
        self._jobs: Queue[BeginRun | Inspect] = Queue()
        self._answers: Queue[SliceRead] = Queue()
        self._free_slots: Queue[int] = Queue()
        self._token = CancelToken()

    def serve(self) -> None:
        """Work until the desktop is gone; never returns."""
        threading.Thread(target=self._receive, name="slicewise-receive", daemon=True).start()
        self._channel.send(Ready(self._policy.devices()))
        while True:
            job = self._jobs.get()
            if isinstance(job, BeginRun):
                self._channel.send(RunEnded(self._run(job)))
            else:
                self._channel.send(Inspected(job.path, self._inspect(job.path)))

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
            else:
                if isinstance(message, BeginRun):
                    self._token = CancelToken()
                self._jobs.put(message)

    def _run(self, job: BeginRun) -> RunReport:
        runner: Runner | None = None
        try:
            slots = SharedSlots.attach(job.memory, job.slot_bytes)
            self._free_slots = Queue()
            for slot in OUTPUT_SLOTS:
                self._free_slots.put(slot)
            source = _DesktopSource(job.source, self._channel, slots, self._answers)
            self._status(f"Loading the model {job.request.model}")
            model = self._models.get(job.request.model)
            runner = Runner(
                job.request,
                source,
                model,
                self._policy,
                self._token,
                self._status,
                self._cache,
            )
            for result in runner.results():
                note = slots.put(self._free_slots.get(), result.values)
                self._channel.send(SliceDone(result.index, note, result.seconds))
            slots.close()
            return runner.report()
        except Exception as error:  # noqa: BLE001 - whatever it is, the desktop must hear of it
            if not isinstance(error, SlicewiseError):
                traceback.print_exc()
            if runner is not None:
                return runner.report(error)
            return _failure(error)

    def _inspect(self, path: str) -> Any:
        try:
            return load_model_file(resolve_model(path)).spec
        except SlicewiseError as error:
            return error

    def _status(self, text: str) -> None:
        self._channel.send(Status(text))


def _failure(error: Exception) -> RunReport:
    if isinstance(error, SlicewiseError):
        return RunReport("failed", 0, 0.0, error.message, error.hint)
    return RunReport("failed", 0, 0.0, f"{type(error).__name__}: {error}")


def main() -> None:
    """Serve the process that started this one, over its standard streams."""
    incoming = os.fdopen(os.dup(0), "rb")
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not end up among the messages
    sys.stdout = sys.stderr
    # Ctrl+C in the desktop's terminal reaches this process too; its end is the pipe's.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(5)  # below the desktop, so that the window stays alive while the network works
    Worker(Channel(incoming, outgoing), LocalDevices()).serve()


if __name__ == "__main__":
    main()
