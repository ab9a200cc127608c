"""A user's mouse and keys on the canvas of a real window, in voxels of a layer."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest


class CanvasHands:
    """Clicks, drags and types where the voxels of a layer are on the screen."""

    def __init__(self, viewer, qtbot):
        self.viewer, self.qtbot = viewer, qtbot
        self.canvas = viewer.window._qt_viewer.canvas.native
        viewer.window._qt_window.activateWindow()
        self.canvas.setFocus()
        qtbot.waitUntil(self.canvas.hasFocus, timeout=5000)

    def spot(self, layer, position):
        """Where the middle of a voxel is on the canvas, in its pixels."""
        viewer = self.viewer
        world = np.asarray(layer.data_to_world(np.asarray(position, float)))
        shown = [axis - (viewer.dims.ndim - layer.ndim) for axis in viewer.dims.order[-2:]]
        camera = viewer.scene.camera
        y, x = (world[shown] - np.asarray(camera.center)[-2:]) * camera.zoom
        return QPoint(
            round(self.canvas.width() / 2 + x - 0.5), round(self.canvas.height() / 2 + y - 0.5)
        )

    def rest(self, layer, position):
        """Let the mouse rest on a voxel."""
        spot = self.spot(layer, position)
        QTest.mouseMove(self.canvas, spot - QPoint(3, 3))
        QTest.qWait(20)
        QTest.mouseMove(self.canvas, spot)
        QTest.qWait(40)

    def click(self, layer, position):
        self.rest(layer, position)
        QTest.mouseClick(self.canvas, Qt.MouseButton.LeftButton, pos=self.spot(layer, position))
        QTest.qWait(20)

    def drag(self, layer, *path):
        spots = [self.spot(layer, position) for position in path]
        QTest.mouseMove(self.canvas, spots[0])
        QTest.mousePress(self.canvas, Qt.MouseButton.LeftButton, pos=spots[0])
        for start, end in pairwise(spots):
            for step in range(1, 6):
                QTest.mouseMove(self.canvas, start + (end - start) * step / 5)
                QTest.qWait(15)
        QTest.mouseRelease(self.canvas, Qt.MouseButton.LeftButton, pos=spots[-1])
        QTest.qWait(20)

    def type(self, key, *modifiers):
        held = Qt.KeyboardModifier.NoModifier
        for modifier in modifiers:
            held |= getattr(Qt.KeyboardModifier, f"{modifier}Modifier")
        QTest.keyClick(self.canvas, getattr(Qt.Key, f"Key_{key}"), held)
        QTest.qWait(20)

    def undo(self):
        self.type("Z", "Control")

    def redo(self):
        self.type("Z", "Control", "Shift")
