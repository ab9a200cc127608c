"""What ``kill_editing.py`` has napari run: somebody who paints until the process is killed."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import napari
import numpy as np
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtTest import QTest

LEFT = Qt.MouseButton.LeftButton


class Painter:
    """Paints with real mouse events on the canvas, and notes what it does."""

    def __init__(self, viewer, folder, seed):
        self.viewer, self.notes = viewer, folder / "notes"
        self.rng = random.Random(seed)
        self.number = 0
        self.back_to = []  # for each step that Ctrl+Z can take back, the state before it
        viewer.open(str(folder / "cells.tif"), plugin="napari-slicewise")
        _, self.panel = viewer.window.add_plugin_dock_widget("napari-slicewise", "Segment")
        image = viewer.layers[0]
        self.layer = viewer.add_labels(
            np.zeros(image.data.shape, np.uint16), scale=image.scale, units=image.units
        )
        self.panel.show_tab("Correct")
        self.canvas = viewer.window._qt_viewer.canvas.native
        self.layer.mode = "paint"
        self.layer.brush_size = 6
        QTimer.singleShot(1500, self.begin)

    def begin(self):
        """Wait for the journal, then go on for ever."""
        from napari_slicewise.widgets.keep_layers import Keeping

        state = Keeping.of(self.viewer, self.panel).state_of(self.layer)
        if state is None or not state[0].kept:
            QTimer.singleShot(200, self.begin)
            return
        self.viewer.window._qt_window.activateWindow()
        self.canvas.setFocus()
        (self.notes / "pid").write_text(str(os.getpid()))
        np.save(self.notes / "0.npy", self.layer.data)
        self.act()

    def act(self):
        """Do one thing, and note it before and after."""
        undo = self.back_to and self.rng.random() < 0.2
        number = self.number + 1
        back_to = self.back_to[-1] if undo else 0
        kind = "undo" if undo else "stroke"
        plan = {"number": number, "kind": kind, "label": number, "back_to": back_to}
        self.write("begun.json", json.dumps(plan).encode())
        before = self.layer.data.copy()
        if undo:
            self.canvas.setFocus()
            QTest.keyClick(self.canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
            self.back_to.pop()
        else:
            self.layer.selected_label = number
            self.drag()
            if np.array_equal(before, self.layer.data):
                QTimer.singleShot(10, self.act)  # beside the labels
                return
            self.back_to.append(self.number)
        self.number = number
        with (self.notes / "part").open("wb") as file:
            np.save(file, self.layer.data)
        (self.notes / "part").replace(self.notes / f"{number}.npy")
        QTimer.singleShot(self.rng.randrange(5, 60), self.act)

    def drag(self):
        """Draw a line on the canvas."""
        width, height = self.canvas.width(), self.canvas.height()
        start, end = (
            QPoint(
                width // 2 + self.rng.randrange(-height // 3, height // 3),
                height // 2 + self.rng.randrange(-height // 3, height // 3),
            )
            for _ in range(2)
        )
        QTest.mouseMove(self.canvas, start)
        QTest.mousePress(self.canvas, LEFT, pos=start)
        for step in range(1, 7):
            QTest.mouseMove(self.canvas, start + (end - start) * step / 6)
            QTest.qWait(8)
        QTest.mouseRelease(self.canvas, LEFT, pos=end)
        QTest.qWait(1)

    def write(self, name, data):
        """Write a small file at once."""
        part = self.notes / f"{name}.part"
        part.write_bytes(data)
        part.replace(self.notes / name)


painter = Painter(napari.Viewer(), Path(os.environ["KILL_FOLDER"]), int(os.environ["KILL_SEED"]))
