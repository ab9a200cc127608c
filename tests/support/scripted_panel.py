"""A controller that does as it is told, and a user's hands on a panel."""

from __future__ import annotations

import threading

import numpy as np
from qtpy.QtWidgets import QWidget

from napari_slicewise.app.segment import SegmentController
from napari_slicewise.inference.request import DeviceInfo, Progress, RunReport, SliceResult


def square(index, source):
    """Object 1: rows 2..5, columns 2..5 of every slice."""
    values = np.zeros(source.slice_shape, np.uint32)
    values[2:6, 2:6] = 1
    return values


class ScriptedController(SegmentController):
    """Answers from a thread of its own, slice by slice as it is allowed to."""

    def __init__(self, answer=square, *, free=True):
        super().__init__()
        self.answer, self.free = answer, free
        self.requests, self.sources, self.inspected, self.peeks = [], [], [], []
        self.answers = []  # to what a file leaves open, with each inspection
        self.activations = None  # (index, source) -> (head, y, x), for those who peek
        self.closed, self.stops = False, 0
        self.fail_after = None
        self._permits = threading.Semaphore(0)
        self._stop = threading.Event()
        self._thread = None

    def allow(self, slices):
        """Let so many more slices be finished."""
        for _ in range(slices):
            self._permits.release()

    def warm_up(self):
        self.devices_changed.emit((DeviceInfo("cpu", "CPU (2 threads)"),))

    def inspect_model(self, path, answers=None):
        self.inspected.append(path)
        self.answers.append(answers)

    def peek(self, request, source):
        if self.phase != "idle" or self.activations is None:
            return False
        self.peeks.append(request)
        (index,) = request.indices
        self.peeked.emit(request, SliceResult(index, self.activations(index, source), 0.01))
        return True

    def start(self, request, source):
        self.requests.append(request)
        self.sources.append(source)
        self._stop.clear()
        self._enter("running")
        self.status_changed.emit("CPU (2 threads), float32")
        self._thread = threading.Thread(target=self._work, args=(request, source))
        self._thread.start()

    def stop(self):
        self.stops += 1
        if self.phase != "idle":
            self._enter("stopping")
            self._stop.set()

    def close(self):
        self.closed = True
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _enter(self, phase):
        self.phase = phase
        self.phase_changed.emit(phase)

    def _work(self, request, source):
        outcome, done = "completed", 0
        for index in request.indices:
            if not self.free:
                while not self._permits.acquire(timeout=0.01) and not self._stop.is_set():
                    pass
            if self._stop.is_set():
                outcome = "cancelled"
                break
            if self.fail_after == done:
                outcome = "failed"
                break
            done += 1
            self.slice_finished.emit(SliceResult(index, self.answer(index, source), 0.01))
            self.progressed.emit(Progress(done, len(request.indices), 10.0, 1.0))
        words = ("The worker died.", "Try again.") if outcome == "failed" else ("", "")
        self._enter("idle")
        details = {"model": request.model, "device": "CPU (2 threads)", "model_sha256": "ab" * 32}
        details["objects"] = 1 if request.output == "labels" else None
        if request.output == "classes":
            details["class_names"] = ["background", "foreground"]
        self.run_finished.emit(RunReport(outcome, done, 0.1 * done, *words, details=details))


class Desk:
    """A viewer with a panel in it, and a user's hands."""

    def __init__(self, viewer, controller, qtbot):
        from napari_slicewise.widgets.panel import SegmentPanel

        self.viewer, self.controller, self.qtbot = viewer, controller, qtbot
        self.panel = SegmentPanel(viewer, controller=controller)
        viewer.window.add_dock_widget(self.panel, name="Segment")

    def find(self, name, kind=QWidget):
        return self.panel.findChild(kind, name)

    def press(self, name):
        self.find(name).click()

    def wait(self, condition):
        self.qtbot.waitUntil(condition, timeout=20_000)

    def wait_for_end(self):
        self.wait(lambda: not self.find("stop_button").isEnabled())

    def run(self):
        self.press("segment_button")
        self.wait_for_end()
        return self.viewer.layers[-1]
