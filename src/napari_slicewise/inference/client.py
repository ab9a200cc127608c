"""The desktop's end of the worker process. No torch here."""

from __future__ import annotations

import atexit
import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Queue
from typing import Any

from napari_slicewise.errors import ImageError, SlicewiseError, WorkerError
from napari_slicewise.inference.memory import SharedSlots
from napari_slicewise.inference.messages import (
    BeginRun,
    Channel,
    ReadSlice,
    ResultTaken,
    RunEnded,
    SliceDone,
    SliceRead,
    SourceNote,
    StopRun,
)
from napari_slicewise.inference.request import MOST_HEADS, Request, SliceResult
from napari_slicewise.io.source import SliceSource

__all__ = ["WorkerClient"]

_SLOTS = 3  # one for input, two for results: the worker shapes one while the other is taken
_LARGEST_VALUE_BYTES = 4  # of a result: uint32 labels or float32 probability

_BOOTSTRAP = (
    "import sys; sys.path[:] = {path!r}; from napari_slicewise.training.worker import main; main()"
)
"""The worker sees the modules that the desktop sees, and never the folder it happens to be in."""


class WorkerClient:
    """Starts the worker process, talks to it, and reads slices for it.

    A subprocess rather than ``multiprocessing``: that would run the user's main
    script a second time in the child, napari and all.

    Parameters
    ----------
    on_message
        Called on a background thread with what the worker says:
        ``Ready``, ``Status``, ``Inspected``, ``SliceResult`` and ``RunReport``.
    on_death
        Called on a background thread when the process ended without being asked,
        with an error that says how.
    """

    def __init__(
        self, on_message: Callable[[Any], None], on_death: Callable[[WorkerError], None]
    ) -> None:
        self._on_message = on_message
        self._on_death = on_death
        self._closing = False
        atexit.register(self.close)  # for scripts that end without closing
        self._slots: SharedSlots | None = None
        self._source: SliceSource | None = None
        self._reads: Queue[ReadSlice | None] = Queue()
        self._last_words: deque[str] = deque(maxlen=30)
        self._process = _spawn()
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        self._channel = Channel(self._process.stdout, self._process.stdin)
        self._threads = [
            threading.Thread(target=target, name=f"slicewise-{name}", daemon=True)
            for name, target in (
                ("listen", self._listen),
                ("source", self._serve_reads),
                ("stderr", self._keep_last_words),
            )
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """Process number of the worker."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the worker can take requests."""
        return not self._closing and self._process.poll() is None

    def begin(self, request: Request, source: SliceSource) -> None:
        """Send a request whose slices are read from ``source`` by this process."""
        height, width = source.slice_shape
        answer = _LARGEST_VALUE_BYTES * (MOST_HEADS if request.output == "activations" else 1)
        pixel_bytes = max(answer, source.channels * source.dtype.itemsize)
        slot_bytes = height * width * pixel_bytes
        self._slots = SharedSlots.create(_SLOTS, slot_bytes)
        self._source = source
        note = SourceNote(
            source.leading_shape,
            (height, width),
            source.channels,
            source.rgb,
            source.dtype.str,
            source.pixel_um,
        )
        self.send(BeginRun(request, note, self._slots.name, slot_bytes))

    def stop(self) -> None:
        """Ask the run to end after the batch under way."""
        self.send(StopRun())

    def send(self, message: object) -> None:
        """Send a message; that the worker is gone is told by ``on_death`` alone."""
        with suppress(OSError, ValueError):
            self._channel.send(message)

    def kill(self) -> None:
        """End the process at once; ``on_death`` follows."""
        self._process.kill()

    def close(self) -> None:
        """End the process and the threads, and remove the shared memory."""
        self._closing = True
        atexit.unregister(self.close)
        self._process.kill()
        self._process.wait()
        me = threading.current_thread()
        self._reads.put(None)
        for thread in self._threads:
            if thread is not me:  # a slow read of the image may go on; nobody waits for it
                thread.join(timeout=0.5)
        self._forget_run()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with suppress(OSError):  # a message that nobody will read may still be buffered
                    stream.close()

    def _listen(self) -> None:
        while True:
            try:
                message = self._channel.receive()
            except EOFError:
                break
            try:
                self._handle(message)
            except Exception:  # noqa: BLE001 - a listener's fault must not end the listening
                traceback.print_exc()
        code = self._process.wait()
        self._reads.put(None)
        if not self._closing:
            self._forget_run()
            self._on_death(self._obituary(code))

    def _handle(self, message: Any) -> None:
        if isinstance(message, ReadSlice):
            self._reads.put(message)
        elif isinstance(message, SliceDone):
            self._deliver(message)
        elif isinstance(message, RunEnded):
            self._forget_run()
            self._on_message(message.report)
        else:
            self._on_message(message)

    def _deliver(self, message: SliceDone) -> None:
        slots = self._slots
        if slots is None:
            return
        values = slots.take(message.note)
        self.send(ResultTaken(message.note.slot))
        result = SliceResult(
            message.index, values, message.seconds, message.renamed, message.confidence
        )
        self._on_message(result)

    def _serve_reads(self) -> None:
        """Read slices on a thread of their own: a slow disk must not hold up results."""
        while (wanted := self._reads.get()) is not None:
            self.send(self._read(wanted))

    def _read(self, wanted: ReadSlice) -> SliceRead:
        source, slots = self._source, self._slots
        if source is None or slots is None:
            return SliceRead(None, ImageError("The image is gone."))
        try:
            return SliceRead(slots.put(wanted.slot, source.read_slice(wanted.index)))
        except SlicewiseError as error:
            # A plain one: a foreign class, or what it carries, may not survive the pipe.
            return SliceRead(None, ImageError(str(error.message), str(error.hint)))
        except BaseException as error:  # noqa: BLE001 - a reader plugin's array may raise anything
            text = f"Slice {wanted.index} of the image could not be read: {_say(error)}."
            return SliceRead(None, ImageError(text, "Is the file still there, and complete?"))

    def _forget_run(self) -> None:
        slots, self._slots, self._source = self._slots, None, None
        if slots is not None:
            slots.close()

    def _keep_last_words(self) -> None:
        if self._process.stderr is not None:
            for line in self._process.stderr:
                self._last_words.append(line.decode(errors="replace").rstrip())

    def _obituary(self, code: int) -> WorkerError:
        self._threads[2].join(timeout=1.0)
        if code in (-9, 137):
            return WorkerError(
                "The inference process was killed, perhaps by the system for lack of memory.",
                "Finished slices are kept. Choose smaller tiles under Advanced, and press "
                "Segment again.",
            )
        words = next((line for line in reversed(self._last_words) if line.strip()), "no message")
        return WorkerError(
            f"The inference process ended with code {code}: {words}",
            "Finished slices are kept. Press Segment to start it again.",
        )


def _say(error: BaseException) -> str:
    """Put an error in words, even one that cannot say itself what it is."""
    try:
        return str(error).rstrip(".") or type(error).__name__
    except Exception:  # noqa: BLE001 - see above
        return type(error).__name__


def _spawn() -> subprocess.Popen[bytes]:
    flags = 0  # elsewhere than on Windows the worker lowers its own priority
    if sys.platform == "win32":
        flags = subprocess.BELOW_NORMAL_PRIORITY_CLASS | subprocess.CREATE_NO_WINDOW
    code = _BOOTSTRAP.format(path=[entry for entry in sys.path if entry])
    try:
        return subprocess.Popen(  # noqa: S603 - our own interpreter, our own code
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            creationflags=flags,
        )
    except OSError as error:
        raise WorkerError(
            f"The inference process could not be started: {error}",
            "Is the Python installation complete?",
        ) from error
