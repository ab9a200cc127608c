"""Gaps of a 10 ms timer while a user scrolls and paints, without and with a run.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/gui.py
        [--slices 200] [--side 1024] [--seconds 20] [--rounds 1] [--filters 16]

One script of mouse events in a real window: the slider is dragged through the stack, then
strokes are painted on a labels layer, again and again for some seconds. It is played

1. over the image and an empty labels layer, no run: this is idle;
2. while all slices are being segmented, over the image and the run's own labels;
3. over the image and those labels, once the run was stopped: idle with labels.

The table gives the median, 99th and 99.9th percentile and the longest time between two
ticks of a 10 ms timer on the GUI thread, and the ratios of the run to idle.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from desk import Desk, blobs

Spot = tuple[float, float]  # share of the canvas's width and height


class Ticks:
    """Times of the ticks of a 10 ms timer on the GUI thread."""

    def __init__(self) -> None:
        from qtpy.QtCore import Qt, QTimer

        self.times: list[float] = []
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(lambda: self.times.append(time.perf_counter()))
        self._timer.start(10)

    def stop(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Stop; return the gaps in milliseconds."""
        self._timer.stop()
        return 1000 * np.diff(self.times)


class User:
    """Mouse events, one every 25 ms: drags of the slider, strokes on the canvas."""

    PAUSE_S = 0.025

    def __init__(self, desk: Desk) -> None:
        from qtpy.QtCore import QPoint, Qt
        from qtpy.QtTest import QTest

        self._desk = desk
        self._test, self._point, self._left = QTest, QPoint, Qt.MouseButton.LeftButton
        window = desk.viewer.window._qt_viewer
        self._canvas = window.canvas.native
        self._slider = window.dims.slider_widgets[0].slider

    def act(self, seconds: float, labels: Any) -> None:
        """Play the script for some seconds; strokes go to ``labels``."""
        end = time.monotonic() + seconds
        spots = cycle([(0.45, 0.45), (0.55, 0.5), (0.5, 0.6), (0.42, 0.55)])
        parts = cycle([(0.2, 0.5), (0.5, 0.35), (0.35, 0.75), (0.75, 0.2)])
        while time.monotonic() < end:
            self._scroll(*next(parts))
            self._desk.viewer.layers.selection.active = labels
            labels.mode = "paint"
            self._stroke(next(spots), next(spots))
            labels.mode = "pan_zoom"

    def _scroll(self, begin: float, end: float) -> None:
        """Drag the slider's handle through a part of the stack, in 24 steps."""
        for share in np.linspace(begin, end, 24):
            low, high = self._slider.minimum(), self._slider.maximum()
            self._slider.setValue(round(low + share * (high - low)))
            self._desk.rest(self.PAUSE_S)

    def _stroke(self, begin: Spot, end: Spot) -> None:
        """Press, move in 12 steps and release on the canvas."""
        size = np.array([self._canvas.width(), self._canvas.height()])
        path = np.linspace(np.array(begin) * size, np.array(end) * size, 12).astype(int)
        points = [self._point(int(x), int(y)) for x, y in path]
        self._test.mousePress(self._canvas, self._left, pos=points[0])
        for point in points:
            self._test.mouseMove(self._canvas, point)
            self._desk.rest(self.PAUSE_S)
        self._test.mouseRelease(self._canvas, self._left, pos=points[-1])


def one_round(desk: Desk, user: User, seconds: float) -> dict[str, Any]:
    """Play the script idle, in a run, and idle over that run's labels."""
    layers = desk.viewer.layers
    gaps = {}

    def play(name: str) -> None:
        ticks = Ticks()
        user.act(seconds, layers[-1])
        gaps[name] = ticks.stop()

    desk.viewer.add_labels(np.zeros(layers[0].data.shape, np.uint32), name="by hand")
    desk.rest(1.0)
    play("idle")
    layers.pop()
    desk.segment()
    desk.wait(lambda: desk.find("progress").value() >= 2)
    play("run")
    if not desk.running:
        print("The run ended before the script: give more slices.", file=sys.stderr)
    print(f"  {desk.find('progress').text()}; {desk.find('status').text()}", file=sys.stderr)
    desk.find("stop_button").click()
    desk.wait(lambda: not desk.running)
    desk.rest(1.0)
    play("idle, with the run's labels")
    layers.pop()
    return gaps


def table(gaps: dict[str, Any]) -> str:
    """Format a Markdown table."""
    lines = [
        "| | median | 99 % | 99.9 % | longest | ticks |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    figures = {
        name: [*np.percentile(values, (50, 99, 99.9)), values.max()]
        for name, values in gaps.items()
    }
    for name, numbers in figures.items():
        cells = " | ".join(f"{number:.0f} ms" for number in numbers)
        lines.append(f"| {name} | {cells} | {len(gaps[name])} |")
    for name in figures:
        if name.startswith("idle"):
            ratios = [a / b for a, b in zip(figures["run"], figures[name], strict=True)]
            cells = " | ".join(f"{ratio:.2f}" for ratio in ratios)
            lines.append(f"| run / {name} | {cells} | |")
    return "\n".join(lines)


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--filters", type=int, default=0, help="0: the bundled nuclei model")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk()
        desk.viewer.window._qt_window.resize(1500, 950)
        stack = np.stack(list(blobs(options.slices, options.side, "uint8")))
        desk.viewer.add_image(stack, contrast_limits=(0, 255))
        if options.filters:
            path = Path(folder) / "random.safetensors"
            make = "import sys; from pathlib import Path; from desk import write_model, blobs; "
            make += f"write_model(Path(sys.argv[1]), {options.filters}, next(blobs(1, 256)))"
            here = Path(__file__).parent
            subprocess.run([sys.executable, "-c", make, str(path)], check=True, cwd=here)
            desk.choose_model(path)
        desk.wait(lambda: bool(desk.find("segment_button").isEnabled()))
        user = User(desk)
        desk.rest(3.0)
        desk.viewer.add_labels(np.zeros(stack.shape, np.uint32))
        user.act(3.0, desk.viewer.layers[-1])  # whatever is done once only
        desk.viewer.layers.pop()
        found = [one_round(desk, user, options.seconds) for _ in range(options.rounds)]
        desk.viewer.close()
    gaps = {name: np.concatenate([one[name] for one in found]) for name in found[0]}
    print(f"{options.slices} slices of {options.side} x {options.side} uint8\n\n{table(gaps)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
