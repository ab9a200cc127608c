"""Stages of a pipeline that work at the same time, each on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from queue import Empty, Full, Queue
from typing import TypeVar

__all__ = ["CancelToken", "in_background"]

T = TypeVar("T")

_POLL_SECONDS = 0.05


class CancelToken:
    """Asks a run to end; looked at between batches."""

    def __init__(self) -> None:
        self._event = threading.Event()

    @property
    def cancelled(self) -> bool:
        """Whether the run should end."""
        return self._event.is_set()

    def cancel(self) -> None:
        """Ask the run to end. May be called from any thread, more than once."""
        self._event.set()


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def in_background(items: Iterator[T], ahead: int, name: str) -> Generator[T]:
    """Iterate on another thread, up to ``ahead`` items in advance.

    An error of the iteration is raised here, after the items that came before it.
    When this generator is closed, the thread ends after the item it works on, and is
    waited for: no thread outlives the run.

    Parameters
    ----------
    items
        Iterated, and closed if it is a generator, on the other thread.
    ahead
        How many items may wait.
    name
        Of the thread, for debuggers.
    """
    queue: Queue[T | _Failure | None] = Queue(maxsize=ahead)
    closing = threading.Event()

    def put(item: T | _Failure | None) -> None:
        while not closing.is_set():
            try:
                queue.put(item, timeout=_POLL_SECONDS)
            except Full:
                continue
            return

    def work() -> None:
        try:
            for item in items:
                put(item)
                if closing.is_set():
                    break
            put(None)
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, whatever it is
            put(_Failure(error))
        finally:
            if isinstance(items, Generator):
                items.close()

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    try:
        while (item := _wait(queue)) is not None:
            if isinstance(item, _Failure):
                raise item.error
            yield item
    finally:
        closing.set()
        while True:  # let go of what waits, so that large arrays are freed at once
            try:
                queue.get_nowait()
            except Empty:
                break
        thread.join()


def _wait(queue: Queue[T]) -> T:
    """Take the next item; on Windows an endless wait would not hear Ctrl+C."""
    while True:
        try:
            return queue.get(timeout=0.5)
        except Empty:
            continue
