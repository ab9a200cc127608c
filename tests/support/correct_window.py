"""A real window with two square objects and the Correct tab in front."""

from __future__ import annotations

import numpy as np
from qtpy.QtWidgets import QLabel, QPushButton
from support.canvas_hands import CanvasHands
from support.scripted_panel import Desk


def squares():
    """Objects 1 and 2 side by side on all four slices."""
    data = np.zeros((4, 40, 60), np.uint16)
    data[:, 10:20, 10:20] = 1
    data[:, 10:20, 20:30] = 2
    return data


def open_window(viewer, controller, qtbot):
    desk = Desk(viewer, controller, qtbot)
    desk.layer = viewer.add_labels(squares())
    viewer.dims.set_current_step(0, 1)
    desk.panel.show_tab("Correct")
    desk.hands = CanvasHands(viewer, qtbot)
    desk.corrector = desk.panel.correct.corrector
    return desk


def hint(desk):
    return desk.find("correct_hint", QLabel).text()


def arm(desk, name="delete"):
    desk.find(f"tool_{name}", QPushButton).click()
    assert desk.corrector.tool.name == name


def finish(desk):
    desk.wait(lambda: not desk.corrector.busy)
