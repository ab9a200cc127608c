"""A brush stroke with corrections being kept, against one in plain napari.

    python benchmarks/brush.py

Both layers are in the same real window, one after the other in turns: mouse press, moves,
release, and the time until the window has handled them. ``move`` is the median of a single
move, ``stroke`` that of the whole stroke with its release.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from typing import Any

os.environ.setdefault("NAPARI_CONFIG", "")

import napari
import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_slicewise.widgets.keep_layers import Keeping
from napari_slicewise.widgets.panel import SegmentPanel

LEFT = Qt.MouseButton.LeftButton
MOVES = 12


def stroke(canvas: Any, start: QPoint, end: QPoint) -> tuple[list[float], float]:
    """Draw a line; return the seconds of each move, and of the whole."""
    app = QApplication.instance()
    moves = []
    began = time.perf_counter()
    QTest.mousePress(canvas, LEFT, pos=start)
    for step in range(1, MOVES + 1):
        moved = time.perf_counter()
        QTest.mouseMove(canvas, start + (end - start) * step / MOVES)
        app.processEvents()
        moves.append(time.perf_counter() - moved)
    QTest.mouseRelease(canvas, LEFT, pos=end)
    app.processEvents()
    return moves, time.perf_counter() - began


def wait(condition: Any) -> None:
    """Let the window live until something is so."""
    while not condition():
        QTest.qWait(20)


def measure(size: int, rounds: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return (move, stroke) in seconds for plain napari and for a kept layer."""
    viewer = napari.Viewer()
    panel = SegmentPanel(viewer)
    viewer.window.add_dock_widget(panel, name="Segment")
    image = np.random.default_rng(0).integers(0, 255, (3, size, size), dtype=np.uint8)
    viewer.add_image(image)
    layers = [
        viewer.add_labels(np.zeros(image.shape, np.uint32), name=n) for n in ("plain", "kept")
    ]
    keeping = Keeping.of(viewer, panel)
    keeping.keep(layers[1])
    wait(lambda: keeping.state_of(layers[1])[0].kept)
    QTest.qWait(1000)
    canvas = viewer.window._qt_viewer.canvas.native
    rng = np.random.default_rng(1)
    found: dict[str, tuple[list[float], list[float]]] = {"plain": ([], []), "kept": ([], [])}
    for number in range(rounds + 2):
        spots = rng.integers(-200, 200, (2, 2))
        ends = [
            QPoint(canvas.width() // 2 + int(x), canvas.height() // 2 + int(y)) for x, y in spots
        ]
        for layer in layers if number % 2 else layers[::-1]:
            for other in layers:
                other.visible = other is layer
            viewer.layers.selection.active = layer
            layer.mode, layer.brush_size, layer.selected_label = "paint", size // 50, number + 1
            QTest.mouseMove(canvas, ends[0])
            QTest.qWait(150)
            moves, whole = stroke(canvas, *ends)
            if number > 1:  # the first ones warm up
                found[layer.name][0].extend(moves)
                found[layer.name][1].append(whole)
    assert layers[0].data.any()
    assert np.array_equal(layers[0].data, layers[1].data)
    viewer.close()
    plain, kept = (tuple(map(statistics.median, found[name])) for name in ("plain", "kept"))
    return plain, kept


def main() -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["SLICEWISE_JOURNALS"] = folder
        print("| slice | plain: move, stroke | kept: move, stroke | ratio: move, stroke |")
        print("| --- | --- | --- | --- |")
        for size in (1024, 2048):
            plain, kept = measure(size, options.rounds)
            told = [f"{1000 * move:.1f} ms, {1000 * whole:.0f} ms" for move, whole in (plain, kept)]
            ratios = ", ".join(f"{b / a:.2f}" for a, b in zip(plain, kept, strict=True))
            print(f"| {size}×{size} | {told[0]} | {told[1]} | {ratios} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
