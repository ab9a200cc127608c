"""The runs of one viewer: from a request to labels layers that fill."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtCore import QObject, QTimer, Signal

from napari_slicewise.app.segment import SegmentController
from napari_slicewise.errors import SlicewiseError
from napari_slicewise.inference.request import Output, Progress, Request, RunReport, SliceResult
from napari_slicewise.io.source import ArraySource
from napari_slicewise.widgets.inbox import Inbox
from napari_slicewise.widgets.links import Links
from napari_slicewise.widgets.result_layer import ResultLayer
from napari_slicewise.widgets.result_restored import results_beside
from napari_slicewise.widgets.run_state import DepthPass, RunState, looks_at_depth
from napari_slicewise.widgets.run_words import closing_words

__all__ = ["Runs"]

DOUBLE_CLICK_S = 2.0
REFRESH_MS = 100  # whatever changes in a window with a canvas costs a redraw of all of it


class Runs(QObject):
    """Starts and stops runs, and writes what they bring into labels layers.

    A run writes into the latest result of its image, around what a human did there, or
    into a new layer where that is wanted; the older results are hidden then.

    Parameters
    ----------
    viewer
        Where the layers are.
    controller
        Of the worker process; closed with the links.
    links
        Ties to the viewer and the worker; cut when the panel closes.
    parent
        Qt parent.
    """

    changed = Signal()  # a run began, is stopping, or ended
    said = Signal(str)  # one line for the user
    troubled = Signal(str)  # what went wrong, in words
    progressed = Signal(object)  # Progress
    ended = Signal()
    devices_found = Signal(tuple)
    model_inquired = Signal(str, object)  # path, Inquiry; model_inspected follows
    model_inspected = Signal(str, object)

    def __init__(
        self, viewer: ViewerModel, controller: SegmentController, links: Links, parent: QObject
    ) -> None:
        super().__init__(parent)
        links.at_end(controller.close)
        self._viewer = viewer
        self._controller = controller
        self._run: RunState | None = None
        self._results: list[ResultLayer] = []
        self._inbox = Inbox(links, self)
        self._connect(links)
        self._refresher = QTimer(self)
        self._refresher.timeout.connect(self._refresh)
        self._depth_pass = DepthPass(self)

    @property
    def running(self) -> bool:
        """Whether a run is going on, until its last slice is written."""
        return self._run is not None

    @property
    def stopping(self) -> bool:
        """Whether the run has been asked to end."""
        return self.running and self._controller.phase == "stopping"

    @property
    def worker_pid(self) -> int | None:
        """Process number of the worker; None while there is none."""
        return self._controller.worker_pid

    def warm_up(self) -> None:
        """Start the worker process in the background."""
        self._dare(self._controller.warm_up)

    def inspect(self, path: str, answers: Mapping[str, str] | None = None) -> None:
        """Ask what a file of weights is, given answers to what it leaves open."""
        try:
            self._controller.inspect_model(path, answers)
        except SlicewiseError as error:
            self.model_inspected.emit(path, error)

    def targets(self, image: Image, source: ArraySource, output: Output) -> list[ResultLayer]:
        """Return the results that a run may be written into, the latest first.

        Those that were restored or reopened are among them.
        """
        self._results += results_beside(self._viewer, [r.labels for r in self._results])
        return [r for r in reversed(self._results) if r.takes(image, source, output)]

    def start(
        self,
        image: Image,
        source: ArraySource,
        request: Request,
        into: ResultLayer | None = None,
    ) -> None:
        """Begin a run; its labels layer is there at once.

        Parameters
        ----------
        image, source
            The image, and its slices.
        request
            What is asked for.
        into
            One of :meth:`targets`; None makes a new layer.

        Raises
        ------
        SlicewiseError
            When the run cannot begin. Nothing is changed then.
        """
        self._results = [r for r in self._results if r.labels in self._viewer.layers]
        result = into
        if result is None or not result.takes(image, source, request.output):
            asked = [r.request for r in self._results if r.image is image]
            result = ResultLayer(self._viewer, image, source, request, asked)
        over = len(result.done.intersection(request.indices))
        result.begin(request)
        self._run = RunState(result, len(request.indices), time.monotonic(), over)
        try:
            self._controller.start(request, source)
        except SlicewiseError:
            self._run = None
            if result not in self._results:
                self._viewer.layers.remove(result.labels)
            raise
        if result not in self._results:
            self._hide_older(image)
        self._results = [r for r in self._results if r is not result] + [result]
        image.events.data.connect(self._on_image_data)
        self._refresher.start(REFRESH_MS)
        self.changed.emit()

    def stop(self) -> None:
        """Ask the run to end; its finished slices stay.

        Asked again after a while, the worker is ended by force. A double click is not that.
        """
        run, now = self._run, time.monotonic()
        if run is not None and now - run.stop_asked > DOUBLE_CLICK_S:
            run.stop_asked = now
            self._controller.stop()
            self.changed.emit()

    def close(self) -> None:
        """Stop the timers; of a run, keep what is there."""
        run = self._finish()
        if run is not None and run.result.labels in self._viewer.layers:
            seconds = time.monotonic() - run.began
            words = "The panel was closed during the run."
            run.result.close(RunReport("cancelled", len(run.result.written), seconds, words))
        self._inbox.close()
        self._results.clear()

    def _connect(self, links: Links) -> None:
        controller = self._controller
        for signal, receive in (
            (controller.phase_changed, self._on_phase),
            (controller.status_changed, self.said.emit),
            (controller.devices_changed, self.devices_found.emit),
            (controller.model_inquired, self.model_inquired.emit),
            (controller.model_inspected, self.model_inspected.emit),
            (controller.progressed, self._on_progress),
            (controller.slice_finished, self._on_slice),
            (controller.run_finished, self._on_end),
        ):
            self._inbox.connect(signal, receive)
        links.connect(self._viewer.layers.events.removed, self._on_removed)

    def _hide_older(self, image: Image) -> None:
        for result in self._results:
            if result.image is image:
                result.labels.visible = False

    def _take_back(self, result: ResultLayer) -> None:
        """Remove a layer that got nothing, and show what it had covered."""
        self._results = [r for r in self._results if r is not result]
        if result.labels in self._viewer.layers:
            self._viewer.layers.remove(result.labels)
        older = [r for r in self._results if r.image is result.image]
        if older and older[-1].labels in self._viewer.layers:
            older[-1].labels.visible = True

    def _refresh(self) -> None:
        """Show at once what the slices of the last moment have changed."""
        run = self._run
        if run is None:
            return
        run.result.refresh_if_due()
        if run.progress is not None:
            self.progressed.emit(run.progress)
            run.progress = None

    def _on_phase(self, phase: str) -> None:  # noqa: ARG002 - asked for when needed
        self.changed.emit()

    def _on_progress(self, progress: Progress) -> None:
        if self._run is not None:
            self._run.progress = progress

    def _on_slice(self, slice_: SliceResult) -> None:
        run = self._run
        if run is None or run.why_stopped:
            return
        if run.result.replaced:
            self._abandon("The data of the labels layer was replaced, so the run was stopped.")
            return
        try:
            run.result.write(slice_)
        except OSError as error:
            self._abandon(f"The labels could not be written: {error}. Is the disk full?")
            return
        if not run.shown:  # the slice that the user looks at comes first, and waits for no timer
            run.shown = True
            self._refresh()

    def _on_removed(self, event: Any) -> None:
        run = self._run
        if run is None:
            return
        if event.value is run.result.labels:
            self._abandon("The labels layer was removed, so the run was stopped.")
        elif event.value is run.result.image:
            self._abandon("The image was removed, so the run was stopped.")

    def _on_image_data(self, _event: Any) -> None:
        self._abandon("The image got other data, so the run was stopped.")

    def _finish(self) -> RunState | None:
        """Forget the run, if there is one, and what was needed for it."""
        run, self._run = self._run, None
        self._refresher.stop()
        self._depth_pass.stop()
        if run is not None:
            run.result.image.events.data.disconnect(self._on_image_data)
        return run

    def _abandon(self, why: str) -> None:
        """End the run for a reason of this side."""
        run = self._run
        if run is not None and not run.why_stopped:
            run.why_stopped = why
            self.stop()

    def _on_end(self, report: RunReport) -> None:
        run = self._run
        if run is not None and looks_at_depth(run, report):
            self._depth_pass.start(run, report, self._close)
        else:
            self._close(report)

    def _close(self, report: RunReport) -> None:
        """End a run whose last slice is written."""
        self._refresh()
        run = self._finish()
        if run is None:
            return
        if run.why_stopped:
            report = replace(report, message=run.why_stopped)
        if run.result.untouched:
            self._take_back(run.result)
        else:
            run.result.close(report)
        self.ended.emit()
        self.changed.emit()
        if run.why_stopped:
            self.said.emit("Stopped.")
            self.troubled.emit(run.why_stopped)
        else:
            self.said.emit(closing_words(report, run.total, run.over))
            if report.outcome == "failed":
                self.troubled.emit(f"{report.message} {report.hint}".strip())

    def _dare(self, act: Any) -> None:
        try:
            act()
        except SlicewiseError as error:
            self.troubled.emit(str(error))
