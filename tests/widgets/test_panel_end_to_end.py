"""The real panel, the real worker and the bundled model on the sample stack."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from napari._app_model import get_app_model
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from support.scripted_panel import Desk

from napari_slicewise.app.segment import SegmentController

SLICES = 32


class Ticks:
    """Times between the ticks of a 10 ms timer on the GUI thread."""

    def __init__(self):
        self._times = []
        self._timer = QTimer()
        self._timer.timeout.connect(lambda: self._times.append(time.perf_counter()))
        self._timer.start(10)

    def stop(self):
        self._timer.stop()
        gaps = 1000 * np.diff(self._times)
        return f"longest gap {gaps.max():.0f} ms, 99th percentile {np.percentile(gaps, 99):.0f} ms"


@pytest.fixture
def real_desk(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    desk = Desk(viewer, SegmentController(), qtbot)
    get_app_model().commands.execute_command("napari-slicewise.nuclei3d")
    desk.order = []
    desk.controller.slice_finished.connect(lambda result: desk.order.append(result.index))
    return desk


def wait_for_slices(desk, count):
    desk.qtbot.waitUntil(lambda: desk.find("progress").value() >= count, timeout=90_000)


def scroll(desk):
    for step in (20, 21, 19, 22, 18, 23, 17, 24, 16, 25, 15, 20):
        desk.viewer.dims.set_current_step(0, step)
        desk.qtbot.wait(60)


def drag_over(canvas, start, end):
    """Press, move and release the left button on the canvas."""
    button = Qt.MouseButton.LeftButton
    QTest.mouseMove(canvas, start)
    QTest.mousePress(canvas, button, pos=start)
    for step in range(1, 6):
        QTest.mouseMove(canvas, start + (end - start) * step / 5)
        QTest.qWait(15)
    QTest.mouseRelease(canvas, button, pos=end)


def test_the_sample_is_segmented_from_the_slice_on_show_outwards(real_desk):
    desk = real_desk
    desk.viewer.dims.set_current_step(0, 20)
    idle = Ticks()
    scroll(desk)
    print("\nidle, scrolling:", idle.stop())
    desk.press("segment_button")
    labels = desk.viewer.layers[-1]
    wait_for_slices(desk, 1)
    running = Ticks()
    scroll(desk)
    desk.qtbot.waitUntil(lambda: not desk.find("stop_button").isEnabled(), timeout=90_000)
    print("during the run, scrolling:", running.stop())
    assert desk.order[:3] == [(20,), (19,), (21,)]
    assert sorted(desk.order) == [(z,) for z in range(SLICES)]
    assert labels.data.shape == (SLICES, 256, 256)
    assert np.unique(labels.data).size > 20
    np.testing.assert_allclose(labels.scale, desk.viewer.layers[0].scale)
    assert labels.units == desk.viewer.layers[0].units
    note = json.loads(json.dumps(labels.metadata["slicewise"]))
    assert note["outcome"] == "completed"
    assert len(note["model_sha256"]) == 64


def test_stop_after_five_slices_keeps_them_and_painting_works_meanwhile(real_desk):
    desk = real_desk
    desk.viewer.dims.set_current_step(0, 16)
    desk.press("segment_button")
    labels = desk.viewer.layers[-1]
    labels.mode = "paint"
    labels.selected_label = 5000
    canvas = desk.viewer.window._qt_viewer.canvas.native
    middle = QPoint(canvas.width() // 2, canvas.height() // 2)
    drag_over(canvas, middle, middle + QPoint(40, 0))
    assert (labels.data[16] == 5000).any()
    wait_for_slices(desk, 5)
    desk.press("stop_button")
    desk.qtbot.waitUntil(lambda: not desk.find("stop_button").isEnabled(), timeout=90_000)
    machine = (labels.data > 0) & (labels.data != 5000)
    filled = [z for z in range(SLICES) if machine[z].any()]
    assert 5 <= len(filled) < SLICES
    assert 16 in filled
    assert (labels.data[16] == 5000).any()


def test_no_torch_in_the_window_and_a_killed_worker_costs_one_run_only():
    script = Path(__file__).parents[1] / "support" / "full_run.py"
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=240, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stderr[-3000:]
    result = json.loads(lines[0].removeprefix("RESULT "))
    assert result["first"] == SLICES
    assert 3 <= result["killed"] < SLICES
    assert result["alive"]
    assert "press Segment again" in result["message"]
    assert result["next"] == SLICES
    assert not result["torch"]
