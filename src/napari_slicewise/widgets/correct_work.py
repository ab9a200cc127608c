"""A tool at work beside the window: how far it is, and how it is given up."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer, Signal

from napari_slicewise.app.correct import ToolRunner
from napari_slicewise.editing.pulse import Pulse
from napari_slicewise.widgets.inbox import Inbox
from napari_slicewise.widgets.links import Links

__all__ = ["ToolWork"]

TELL_MS = 300  # between two words of how far it is; what is done before says nothing


class ToolWork(QObject):
    """Computes one thing at a time, and says in words how far it is.

    Parameters
    ----------
    links
        Cut when the panel closes.
    parent
        Qt parent.
    """

    finished = Signal(object)  # the result, or a SlicewiseError
    told = Signal(str)
    slow = Signal(bool)  # whether it takes long enough to be given up

    def __init__(self, links: Links, parent: QObject) -> None:
        super().__init__(parent)
        self._words = ""
        self._runner = ToolRunner()
        self._inbox = Inbox(links, self)
        self._inbox.connect(self._runner.finished, self._on_finished)
        self._teller = QTimer(self)
        self._teller.timeout.connect(self._tell)

    @property
    def busy(self) -> bool:
        """Whether a result is waited for."""
        return self._runner.busy

    def start(self, compute: Callable[[Pulse], object], words: str) -> None:
        """Begin to compute.

        Parameters
        ----------
        compute
            Gets what it asks whether to go on.
        words
            What is being done, for the user.
        """
        pulse = Pulse()
        self._words = words
        self.told.emit(f"{words}…")
        self._runner.start(lambda: compute(pulse), pulse=pulse)
        self._teller.start(TELL_MS)

    def cancel(self) -> None:
        """Give up what is being computed."""
        self._end()
        self._runner.cancel()

    def close(self) -> None:
        """Give up what is being computed, and take nothing more."""
        self.cancel()
        self._inbox.close()

    def _tell(self) -> None:
        done, total = self._runner.progress
        how_far = f" {done} of {total} slices." if total > 1 else ""
        self.told.emit(f"{self._words}…{how_far} Esc or Stop ends it.")
        self.slow.emit(True)  # noqa: FBT003 - a signal of Qt's

    def _on_finished(self, ticket: int, result: object) -> None:
        if self._runner.take(ticket):
            self._end()
            self.finished.emit(result)

    def _end(self) -> None:
        if self._teller.isActive():
            self._teller.stop()
            self.slow.emit(False)  # noqa: FBT003 - a signal of Qt's
