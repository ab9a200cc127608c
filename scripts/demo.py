"""Open napari on the sample stack, segment it through the panel, keep what comes out.

Run by ``scripts/demo``, which sets everything up. It presses the buttons that a user
presses, found by their object names.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TypeVar

import napari
import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray
from qtpy.QtCore import QPoint, QSize
from qtpy.QtWidgets import QApplication, QComboBox, QLabel, QPushButton, QWidget

PLUGIN = "napari-slicewise"
LOWEST_IOU = 0.85
PATIENCE_S = 300.0
WINDOW = QSize(1500, 940)

Found = TypeVar("Found", bound=QWidget)


class DemoError(Exception):
    """The demonstration did not come to its end."""


def find(panel: QWidget, kind: type[Found], name: str) -> Found:
    """Find a part of the panel by its object name."""
    part = panel.findChild(kind, name)
    if part is None:
        raise DemoError(f"The panel has no {kind.__name__} named {name!r}.")
    return part


def pump(seconds: float) -> None:
    """Let the window live for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def open_sample(viewer: napari.Viewer) -> tuple[Image, NDArray[np.uint16]]:
    """Open the stack of nuclei from the plugin's samples; its truth stays out of the viewer."""
    image, truth = viewer.open_sample(PLUGIN, "nuclei3d_truth")
    true_labels = np.array(truth.data)
    viewer.layers.remove(truth)
    viewer.dims.set_current_step(0, image.data.shape[0] // 3)
    return image, true_labels


def segment(viewer: napari.Viewer, panel: QWidget, image: Image) -> Labels:
    """Choose all slices, press Segment, and wait for the end of the run."""
    slices = find(panel, QComboBox, "slices")
    slices.setCurrentIndex(slices.findData("all"))
    before = set(viewer.layers)
    began = time.monotonic()
    find(panel, QPushButton, "segment_button").click()
    stop = find(panel, QPushButton, "stop_button")
    while stop.isEnabled():
        if time.monotonic() - began > PATIENCE_S:
            raise DemoError(f"The run did not end within {PATIENCE_S:.0f} s.")
        pump(0.05)
    pump(0.5)  # the last slices are drawn
    made = [layer for layer in viewer.layers if layer not in before and isinstance(layer, Labels)]
    if not made:
        problem = panel.findChild(QLabel, "problem")
        raise DemoError(f"No labels were made. {problem.text() if problem else ''}")
    seconds = time.monotonic() - began
    print(f"{image.data.shape[0]} slices segmented in {seconds:.1f} s, the start of torch included")
    return made[0]


def foreground_iou(found: NDArray[np.generic], true: NDArray[np.generic]) -> float:
    """Intersection over union of everything that is not background."""
    a, b = found != 0, true != 0
    return float(np.sum(a & b) / np.sum(a | b))


def keep(viewer: napari.Viewer, labels: Labels, folder: Path) -> None:
    """Write the labels and a picture of the whole window."""
    folder.mkdir(parents=True, exist_ok=True)
    written = labels.save(str(folder / "labels.ome.tif"), plugin=PLUGIN)
    if not written:
        raise DemoError("The labels could not be saved.")
    viewer.screenshot(str(folder / "screenshot.png"), canvas_only=False, flash=False)
    print(f"wrote {folder / 'labels.ome.tif'} and {folder / 'screenshot.png'}")


def demonstrate(viewer: napari.Viewer, folder: Path) -> float:
    """Do everything but close the window; return the foreground IoU."""
    image, truth = open_sample(viewer)
    _dock, panel = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment")
    window = panel.window()
    window.move(QPoint(0, 0))
    window.resize(WINDOW)
    pump(1.0)
    viewer.reset_view()
    labels = segment(viewer, panel, image)
    iou = foreground_iou(np.asarray(labels.data), truth)
    print(f"{len(np.unique(labels.data)) - 1} objects; the truth has {len(np.unique(truth)) - 1}")
    keep(viewer, labels, folder)
    return iou


def main() -> int:
    """Run the demonstration; 0 where the result is good enough."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--close", action="store_true", help="close the window at the end")
    parser.add_argument("--output", type=Path, default=Path("demo-output"), help="folder")
    options = parser.parse_args()
    viewer = napari.Viewer()
    try:
        iou = demonstrate(viewer, options.output)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    good = iou >= LOWEST_IOU
    verdict = "as good as it should be" if good else f"below the {LOWEST_IOU} it should reach"
    print(f"foreground IoU against the sample's truth: {iou:.3f}, {verdict}")
    if not options.close:
        napari.run()
    else:
        viewer.close()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
