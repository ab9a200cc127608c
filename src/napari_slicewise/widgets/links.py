"""What ties a panel to the world outside of it, and must not outlive it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QApplication, QWidget

__all__ = ["Links"]


class Links:
    """Remembers connections and open things, so that all of them end at once.

    No ``QObject``: a closed window destroys its widgets before it says so, and what
    ends then must not need them any more.
    """

    def __init__(self) -> None:
        self._ends: list[Callable[[], Any]] = []
        self.open = True

    def connect(self, emitter: Any, callback: Callable[..., Any]) -> None:
        """Connect a callback to a signal of psygnal or an event of napari."""
        emitter.connect(callback)
        self._ends.append(lambda: emitter.disconnect(callback))

    def at_end(self, act: Callable[[], Any]) -> None:
        """Have something done when the links are released."""
        self._ends.append(act)

    def end_with(self, widget: QWidget) -> Callable[[], None]:
        """Release when a widget's window, or the program, is closed.

        Returns
        -------
        Callable
            What ``widget.destroyed`` is connected to: to be disconnected by who releases
            earlier, or else the garbage collector, when it destroys the widget, calls
            what it took apart.
        """
        app = QApplication.instance()

        def release() -> None:
            self.release()

        widget.destroyed.connect(release)
        app.aboutToQuit.connect(release)
        self.at_end(lambda: app.aboutToQuit.disconnect(release))
        return release

    def release(self) -> None:
        """Cut and end everything, the latest first. A second call does nothing."""
        self.open = False
        while self._ends:
            self._ends.pop()()
