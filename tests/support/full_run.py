"""Open the sample and the panel in a window, segment, kill the worker, segment again.

Run in a process of its own by ``test_panel_end_to_end.py``; prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

os.environ["NAPARI_CONFIG"] = ""


class Hands:
    """What a user can do with the window."""

    def __init__(self) -> None:
        import napari

        self.viewer = napari.Viewer()
        self.viewer.open_sample("napari-slicewise", "nuclei3d")
        _, self.panel = self.viewer.window.add_plugin_dock_widget("napari-slicewise", "Segment")

    def find(self, name, kind=None):
        from qtpy.QtWidgets import QWidget

        return self.panel.findChild(kind or QWidget, name)

    def wait(self, condition):
        from qtpy.QtWidgets import QApplication

        deadline = time.monotonic() + 90
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(self.find("status").text())
            QApplication.processEvents()
            time.sleep(0.005)

    def segment(self):
        self.find("segment_button").click()

    def segment_anew(self):
        into = self.find("into")
        into.setCurrentIndex(into.count() - 1)  # "A new layer"
        into.activated.emit(into.currentIndex())
        self.segment()

    def wait_for_end(self):
        self.wait(lambda: not self.find("stop_button").isEnabled())

    def filled(self):
        return sum(bool(slice_.any()) for slice_ in self.viewer.layers[-1].data)


def main() -> None:
    hands = Hands()
    hands.segment()
    hands.wait_for_end()
    result = {"first": hands.filled()}
    hands.segment_anew()
    hands.wait(lambda: hands.find("progress").value() >= 3)
    os.kill(hands.panel.form.worker_pid, signal.SIGKILL)
    hands.wait_for_end()
    result["killed"] = hands.filled()
    result["message"] = hands.find("problem").text()
    result["alive"] = hands.viewer.window._qt_window.isVisible()
    hands.segment()
    hands.wait_for_end()
    result["next"] = hands.filled()
    result["torch"] = "torch" in sys.modules
    hands.viewer.close()
    print("RESULT " + json.dumps(result))


main()
