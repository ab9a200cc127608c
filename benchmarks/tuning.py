"""From a slider's move to the repaint of the slice on show, in a real window.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/tuning.py

A stack of nuclei is segmented with the bundled model; then each slider is dragged by small
steps, and each step takes from the change of its value until the labels that hold it have
been painted on the canvas. The network does not run. Beside it stands what a repaint of the
canvas costs by itself, which depends on the graphics card.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from desk import Desk

SAMPLE = Path(__file__).resolve().parents[1] / "sample_data" / "nuclei3d.tif"
DEPTH = 3


def nuclei(side: int) -> np.ndarray[Any, Any]:
    """Return slices of ``side`` pixels, the sample's put side by side, ``(z, y, x)``."""
    stack = tifffile.imread(SAMPLE)[14 : 14 + DEPTH]
    repeats = -(-side // stack.shape[-1])
    return np.tile(stack, (1, repeats, repeats))[:, :side, :side]


def drags() -> list[tuple[str, Callable[[int], float]]]:
    """Return each slider's name, and the value of each step of a drag to and fro."""
    swing = [*range(10), *range(10, 0, -1)]
    return [
        ("threshold", lambda step: 0.42 + 0.016 * swing[step % 20]),
        ("split_strength", lambda step: 30 + 4 * swing[step % 20]),
        ("smallest", lambda step: 20 + 12 * swing[step % 20]),
    ]


def measure(desk: Desk, labels: Any, name: str, value: Callable[[int], float], steps: int) -> Any:
    """Drag a slider; returns milliseconds of each step, and how many of them changed nothing."""
    canvas = desk.viewer.window._qt_viewer.canvas
    drawn = []
    labels.events.set_data.connect(drawn.append)
    slider = desk.find(name)
    slider.setSliderDown(True)
    times, unanswered = [], 0
    for step in range(steps):
        desk.rest(0.15)
        drawn.clear()
        began = time.perf_counter()
        slider.setValue(value(step))
        while not drawn and time.perf_counter() - began < 2:
            desk.events()
            time.sleep(0.001)  # an event loop sleeps too, and the shaping needs the processor
        canvas.native.update()
        desk.events()  # what was drawn anew is painted here
        if drawn:
            times.append(1000 * (time.perf_counter() - began))
        else:
            unanswered += 1
    return np.array(times), unanswered


def repaint(desk: Desk, labels: Any, steps: int) -> Any:
    """Draw the same labels again; returns milliseconds of each time."""
    canvas = desk.viewer.window._qt_viewer.canvas
    times = []
    for _ in range(steps):
        desk.rest(0.15)
        began = time.perf_counter()
        labels.refresh(thumbnail=False, highlight=False, extent=False)
        canvas.native.update()
        desk.events()
        times.append(1000 * (time.perf_counter() - began))
    return np.array(times)


def main() -> None:
    """Print the median and the 95th percentile for each slider."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=1024, help="pixels")
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    desk = Desk()
    desk.viewer.window._qt_window.resize(1400, 900)
    desk.viewer.add_image(nuclei(options.side), name="nuclei")
    desk.wait(lambda: bool(desk.find("segment_button").isEnabled()))
    desk.run()
    labels = desk.viewer.layers[-1]
    z = desk.viewer.dims.current_step[0]
    print(f"{np.unique(labels.data[z]).size - 1} objects on {options.side} x {options.side} pixels")
    alone = repaint(desk, labels, options.steps)
    print(
        f"a repaint alone: median {np.median(alone):.0f} ms, "
        f"95th percentile {np.percentile(alone, 95):.0f} ms"
    )
    for name, value in drags():
        measure(desk, labels, name, value, 3)  # asks the worker for the slice, and warms up
        times, unanswered = measure(desk, labels, name, value, options.steps)
        print(
            f"{name}: median {np.median(times):.0f} ms, 95th percentile "
            f"{np.percentile(times, 95):.0f} ms, {np.median(times) / np.median(alone):.1f} times a "
            f"repaint, {times.size} steps, {unanswered} unanswered"
        )
    desk.viewer.close()


if __name__ == "__main__":
    main()
