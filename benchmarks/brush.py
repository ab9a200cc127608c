"""Brush strokes with the Correct tab open against plain napari, in turns in one window.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/brush.py

Each stroke is drawn by real mouse events over a stack of labels. A move takes from the
event to the end of the repaint that it causes; a release likewise.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from desk import Desk

MOVES = 30


def strokes(desk: Desk, canvas: Any, row: int) -> tuple[list[float], float]:
    """Draw one stroke across the canvas; returns seconds of each move, and of the release."""
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    left = Qt.MouseButton.LeftButton
    spots = [QPoint(60 + 10 * step, row) for step in range(MOVES + 1)]
    QTest.mouseMove(canvas, spots[0])
    QTest.mousePress(canvas, left, pos=spots[0])
    desk.events()
    moves = []
    for spot in spots[1:]:
        began = time.perf_counter()
        QTest.mouseMove(canvas, spot)
        desk.events()
        moves.append(time.perf_counter() - began)
    began = time.perf_counter()
    QTest.mouseRelease(canvas, left, pos=spots[-1])
    desk.events()
    return moves, time.perf_counter() - began


def layer_of(desk: Desk, name: str, side: int) -> Any:
    """Add a stack with some objects, ready for the brush."""
    labels = np.zeros((20, side, side), np.uint32)
    labels[:, ::8, ::8] = 1
    layer = desk.viewer.add_labels(labels, name=name)
    layer.mode, layer.brush_size, layer.selected_label = "paint", 30, 5
    return layer


def measure(rounds: int, side: int) -> dict[str, tuple[list[float], list[float]]]:
    """Draw strokes in turns on two layers, one of them under correction."""
    desk = Desk()
    desk.viewer.window._qt_window.resize(1400, 900)
    plain, ours = (layer_of(desk, name, side) for name in ("plain", "ours"))
    dock = desk.panel.parentWidget()
    canvas = desk.viewer.window._qt_viewer.canvas.native
    found: dict[str, tuple[list[float], list[float]]] = {"plain": ([], []), "ours": ([], [])}
    for number in range(rounds + 1):
        for name, layer in (("plain", plain), ("ours", ours)):
            if name == "ours":
                desk.viewer.layers.selection.active = layer
                desk.panel.show_tab("Correct")
            else:
                desk.panel.show_tab("Segment")
                desk.viewer.layers.selection.active = layer
            dock.setVisible(True)
            plain.visible, ours.visible = name == "plain", name == "ours"
            layer.mode, layer.selected_label = "paint", 5 + number  # a hidden layer loses its mode
            desk.rest(0.5)
            moves, release = strokes(desk, canvas, 150 + 17 * number)
            if not (layer.data == 5 + number).any():
                raise RuntimeError("the stroke met no voxel")
            if number:  # the first round warms up
                found[name][0].extend(moves)
                found[name][1].append(release)
    desk.viewer.close()
    return found


def main() -> None:
    """Print medians, 95th percentiles, and the ratios of the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--side", type=int, default=1024, help="pixels")
    options = parser.parse_args()
    found = measure(options.rounds, options.side)
    for place, what in enumerate(("a move", "the release")):
        medians = {}
        for name, times in found.items():
            values = 1000 * np.array(times[place])
            medians[name] = float(np.median(values))
            print(
                f"{what}, {name}: median {medians[name]:.1f} ms, "
                f"95th percentile {np.percentile(values, 95):.1f} ms, {values.size} times"
            )
        print(f"{what}: ratio of the medians {medians['ours'] / medians['plain']:.2f}")


if __name__ == "__main__":
    main()
