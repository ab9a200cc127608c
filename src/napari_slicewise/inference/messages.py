"""What the desktop and its worker process say to each other. No torch here.

Messages are small and go through pipes, pickled: both ends are this package, in
processes of the same user. Arrays go through shared memory (``memory.py``).
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from napari_slicewise.errors import SlicewiseError
from napari_slicewise.inference.memory import ArrayNote
from napari_slicewise.inference.request import DeviceInfo, Request, RunReport
from napari_slicewise.models.answers import Inquiry
from napari_slicewise.models.spec import ModelSpec

__all__ = [
    "BeginRun",
    "Channel",
    "Inspect",
    "Inspected",
    "ReadSlice",
    "Ready",
    "ResultTaken",
    "RunEnded",
    "SliceDone",
    "SliceRead",
    "SourceNote",
    "Status",
    "StopRun",
]


@dataclass(frozen=True)
class SourceNote:
    """What the worker must know of an image that only the desktop can read."""

    leading_shape: tuple[int, ...]
    slice_shape: tuple[int, int]
    channels: int
    rgb: bool
    dtype: str
    pixel_um: tuple[float, float] | None = None  # (y, x)


@dataclass(frozen=True)
class BeginRun:
    """Desktop: begin this run; slices are passed in ``memory``."""

    request: Request
    source: SourceNote
    memory: str | None
    slot_bytes: int


@dataclass(frozen=True)
class StopRun:
    """Desktop: end the run after the batch under way."""


@dataclass(frozen=True)
class Inspect:
    """Desktop: say what this file of weights is.

    Answers, ``(question, value)``, replace those remembered, and are remembered; without any,
    the remembered ones count.
    """

    path: str
    answers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class SliceRead:
    """Desktop: the slice asked for lies in the memory, or could not be read."""

    note: ArrayNote | None
    error: SlicewiseError | None = None


@dataclass(frozen=True)
class ResultTaken:
    """Desktop: the result's slot is free again."""

    slot: int


@dataclass(frozen=True)
class Ready:
    """Worker: torch is loaded, these are the devices."""

    devices: tuple[DeviceInfo, ...]


@dataclass(frozen=True)
class Status:
    """Worker: what is being done, in words."""

    text: str


@dataclass(frozen=True)
class ReadSlice:
    """Worker: read this slice into this slot."""

    index: tuple[int, ...]
    slot: int


@dataclass(frozen=True)
class SliceDone:
    """Worker: a finished slice lies in the memory."""

    index: tuple[int, ...]
    note: ArrayNote
    seconds: float
    renamed: Mapping[int, int] = field(default_factory=dict)
    confidence: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class RunEnded:
    """Worker: the run is over, and how."""

    report: RunReport


@dataclass(frozen=True)
class Inspected:
    """Worker: what the file is, or why it is no model."""

    path: str
    answer: ModelSpec | SlicewiseError
    inquiry: Inquiry | None = None  # none where the file is no model


class Channel:
    """Two pipes: messages out from any thread, messages in from one.

    Parameters
    ----------
    incoming, outgoing
        Binary streams.
    """

    def __init__(self, incoming: IO[bytes], outgoing: IO[bytes]) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._lock = threading.Lock()

    def send(self, message: object) -> None:
        """Send a message.

        Raises
        ------
        OSError
            When the other end is gone.
        """
        packed = pickle.dumps(message)
        with self._lock:
            self._outgoing.write(packed)
            self._outgoing.flush()

    def receive(self) -> Any:
        """Wait for the next message.

        Raises
        ------
        EOFError
            When the other end is gone.
        """
        try:
            return pickle.load(self._incoming)  # noqa: S301 - our own process, by our own pipe
        except Exception as error:
            # Besides a closed pipe: what cannot be unpickled here. Whatever it is, the
            # stream cannot be trusted any more.
            raise EOFError("The other process is gone, or cannot be understood.") from error
