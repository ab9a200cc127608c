"""What the controller says, brought from its threads to the GUI's."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from psygnal import SignalInstance
from qtpy.QtCore import QObject, QTimer

from napari_slicewise.widgets.links import Links

__all__ = ["Inbox"]

TICK_MS = 20
BUDGET_S = 0.008  # of one tick: the rest of it is the user's
MOST_WAITING = 8  # messages; then the sender waits, so that slices do not pile up in memory


class Inbox(QObject):
    """Calls functions on the GUI thread, in the order in which signals were emitted.

    Many results at once are handled a few at a time, so that the window stays alive.

    Parameters
    ----------
    links
        Cut when the panel closes; nothing is heard after that.
    parent
        Qt parent, on the GUI thread.
    """

    def __init__(self, links: Links, parent: QObject) -> None:
        super().__init__(parent)
        self._links = links
        self._waiting: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._take)
        self._timer.start(TICK_MS)

    def connect(self, signal: SignalInstance, receive: Callable[..., None]) -> None:
        """Have ``receive`` called on the GUI thread with what ``signal`` emits."""
        waiting, links = self._waiting, self._links

        def enqueue(*values: Any) -> None:
            waiting.append((receive, values))
            _hold_up(waiting, links)

        links.connect(signal, enqueue)

    def close(self) -> None:
        """Forget what waits."""
        self._timer.stop()
        self._waiting.clear()

    def _take(self) -> None:
        until = time.perf_counter() + BUDGET_S
        while self._waiting and self._links.open:
            receive, values = self._waiting.popleft()
            receive(*values)
            if time.perf_counter() > until:
                break


def _hold_up(waiting: deque[Any], links: Links) -> None:
    """Let a background thread wait while the GUI has more than enough to do."""
    if threading.current_thread() is threading.main_thread():
        return
    while links.open and len(waiting) > MOST_WAITING:
        time.sleep(0.002)
