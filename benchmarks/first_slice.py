"""From pressing Segment to the slice on show, in a stack and alone.

    xvfb-run -a python benchmarks/first_slice.py [--slices 200] [--side 512] [--rounds 7]
        [--slow 0.0]

In a real window, the model already loaded: the button is pressed, and the clock runs until
the canvas has been drawn with labels on the slice on show. In turns, each time on a slice
that was never predicted: the whole stack asked for (and stopped once the slice is there),
and that one slice alone. ``--slow`` makes each read of a slice take so many seconds longer.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import Any

import numpy as np
from desk import Desk, blobs


class SlowStack:
    """An array whose reads take time, as those of a file on a slow disk."""

    def __init__(self, data: Any, seconds: float) -> None:
        self._data = data
        self._seconds = seconds
        self.shape, self.dtype, self.ndim = data.shape, data.dtype, data.ndim

    def __getitem__(self, where: Any) -> Any:
        time.sleep(self._seconds)
        return self._data[where]


class Watch:
    """Sees when the canvas is drawn with labels on it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.drawn: float | None = None
        canvas = desk.viewer.window._qt_viewer.canvas._scene_canvas
        canvas.events.draw.connect(self._on_draw, position="last")

    def _on_draw(self, _event: Any) -> None:
        layer = self._desk.viewer.layers[-1]
        if self.drawn is None and layer._type_string == "labels" and layer._data_view.any():
            self.drawn = time.perf_counter()

    def seconds(self) -> float:
        """Press the button; return the time until labels are on the screen."""
        self.drawn = None
        began = time.perf_counter()
        self._desk.segment()
        self._desk.wait(lambda: self.drawn is not None)
        assert self.drawn is not None
        return self.drawn - began


def one_run(desk: Desk, watch: Watch, slices: str, position: int) -> float:
    """Measure one press of the button on one slice; leave the window as it was."""
    desk.viewer.dims.set_current_step(0, position)
    desk.find("slices").choose(slices)
    desk.rest(0.3)
    seconds = watch.seconds()
    if desk.running:
        desk.find("stop_button").click()
    desk.wait(lambda: not desk.running)
    desk.viewer.layers.remove(desk.viewer.layers[-1])
    desk.rest(0.3)
    return seconds


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--slow", type=float, default=0.0, help="seconds that each read takes")
    options = parser.parse_args()
    stack: Any = np.stack(list(blobs(options.slices, options.side, "uint8")))
    if options.slow:
        stack = SlowStack(stack, options.slow)
    desk = Desk()
    desk.viewer.add_image(stack, contrast_limits=(0, 255))
    desk.wait(lambda: bool(desk.find("segment_button").isEnabled()))
    watch = Watch(desk)
    # Slices far from each other: those around a slice may be predicted before the run stops.
    positions = iter(np.linspace(5, options.slices - 5, 2 * options.rounds + 2).astype(int))
    for slices in ("this", "all"):
        one_run(desk, watch, slices, int(next(positions)))  # loads the model
    times: dict[str, list[float]] = {"this": [], "all": []}
    for _ in range(options.rounds):
        for slices, measured in times.items():
            measured.append(one_run(desk, watch, slices, int(next(positions))))
    desk.viewer.close()
    ratios = [whole / alone for alone, whole in zip(times["this"], times["all"], strict=True)]
    size = f"{options.slices} slices of {options.side} x {options.side} uint8"
    print(f"{size}, each read {options.slow} s longer\n")
    print("| | s from the button to the screen |\n| --- | --- |")
    for name, measured in (("that slice alone", times["this"]), ("all slices", times["all"])):
        spread = f"{min(measured):.3f} to {max(measured):.3f}"
        print(f"| {name} | {statistics.median(measured):.3f} ({spread}) |")
    print(f"\nratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
