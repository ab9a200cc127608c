"""Runs that follow the sliders: started, interrupted and started again, without the network."""

from __future__ import annotations

from collections.abc import Callable

from napari.components import ViewerModel
from napari.layers import Image
from psygnal import SignalInstance
from qtpy.QtCore import QObject, Signal

from napari_slicewise.app.segment import SegmentController
from napari_slicewise.errors import SlicewiseError
from napari_slicewise.inference.request import Request, RunReport
from napari_slicewise.io.source import ArraySource
from napari_slicewise.widgets.links import Links
from napari_slicewise.widgets.result_layer import ResultLayer
from napari_slicewise.widgets.runs import Runs

__all__ = ["TunedRuns"]


class TunedRuns(Runs):
    """Runs, and what beside them follows the sliders of the panel.

    Parameters
    ----------
    viewer, controller, links, parent
        As for :class:`Runs`.
    """

    peeked = Signal(object, object)  # Request, then SliceResult or RunReport

    def __init__(
        self, viewer: ViewerModel, controller: SegmentController, links: Links, parent: QObject
    ) -> None:
        super().__init__(viewer, controller, links, parent)
        self.hear(controller.peeked, self.peeked.emit)
        self._tuned: Request | None = None  # the run that is going on, if it is a tuning
        self._next: tuple[Image, ArraySource, Request, ResultLayer] | None = None

    @property
    def tuning(self) -> bool:
        """Whether the run that is going on only follows the sliders."""
        return self.running and self._tuned is not None

    @property
    def latest(self) -> ResultLayer | None:
        """The result that was written last, if it is still there."""
        there = [r for r in self._results if r.labels in self._viewer.layers and not r.replaced]
        return there[-1] if there else None

    def hear(self, signal: SignalInstance, receive: Callable[..., None]) -> None:
        """Have a function called on the GUI thread with what a signal emits elsewhere."""
        self._inbox.connect(signal, receive)

    def peek(self, request: Request, source: ArraySource) -> bool:
        """Ask for what the network says of one slice; answered by ``peeked``.

        Returns
        -------
        bool
            Whether there will be an answer; not while a run is going on.
        """
        try:
            return not self.running and self._controller.peek(request, source)
        except SlicewiseError:
            return False

    def tune(
        self, image: Image, source: ArraySource, request: Request, target: ResultLayer
    ) -> None:
        """Write a result again with other settings; a tuning that is going on gives way."""
        if self.running:
            if self.tuning:
                self._next = image, source, request, target
                self._controller.stop()
            return
        self._tuned = request
        try:
            self.start(image, source, request, target)
        except SlicewiseError as error:
            self._tuned = None
            self.troubled.emit(str(error))

    def interrupt_tuning(self) -> None:
        """End a tuning that is going on: another one follows."""
        if self.tuning and not self.stopping:
            self._controller.stop()

    def stop(self) -> None:
        """Ask the run to end, and do not begin again."""
        self._next = None
        super().stop()

    def _close(self, report: RunReport) -> None:
        self._tuned = None
        following, self._next = self._next, None
        super()._close(report)
        if following is not None and following[3].labels in self._viewer.layers:
            self.tune(*following)

    def close(self) -> None:
        """Stop everything; of a run, keep what is there."""
        self._next = None
        super().close()
