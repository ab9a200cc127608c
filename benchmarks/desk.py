"""A napari window with the panel in it, for the benchmarks that need one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("NAPARI_CONFIG", "")  # settings in memory; must come before napari

import numpy as np
from numpy.typing import NDArray

Slice = NDArray[Any]  # (y, x)


class Desk:
    """A viewer with the Segment panel, and what a user does with both.

    Parameters
    ----------
    patience
        Seconds after which waiting for something is given up.
    """

    def __init__(self, patience: float = 600.0) -> None:
        import napari
        from qtpy.QtWidgets import QApplication

        self.patience = patience
        self.viewer: Any = napari.Viewer()
        _, self.panel = self.viewer.window.add_plugin_dock_widget("napari-slicewise", "Segment")
        self.events = QApplication.processEvents

    def find(self, name: str) -> Any:
        """Return a widget of the panel by its name."""
        from qtpy.QtWidgets import QWidget

        return self.panel.findChild(QWidget, name)

    def wait(self, condition: Callable[[], bool]) -> None:
        """Let the window live until something is so."""
        deadline = time.monotonic() + self.patience
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(self.find("status").text())
            self.events()
            time.sleep(0.002)

    def rest(self, seconds: float) -> None:
        """Let the window live for a while."""
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() > end)

    def choose_model(self, path: Path) -> None:
        """Take weights from a file."""
        self.panel.form.add_model_file(path)
        self.wait(lambda: bool(self.find("segment_button").isEnabled()))

    def segment(self) -> None:
        """Press the button."""
        self.find("segment_button").click()

    @property
    def running(self) -> bool:
        """Whether a run is going on."""
        return bool(self.find("stop_button").isEnabled())

    def run(self) -> None:
        """Press the button and wait for the end of the run."""
        self.segment()
        self.wait(lambda: not self.running)


def write_model(path: Path, filters: int, image: Slice | None = None) -> Path:
    """Write a tutorial network with random weights; of ``image`` it takes a tenth for foreground.

    To be called in a process that is not napari's: it imports torch.
    """
    import torch

    from napari_slicewise.models.checkpoint import write_checkpoint
    from napari_slicewise.models.spec import ModelSpec
    from napari_slicewise.models.unet import UNet

    torch.manual_seed(0)
    network = UNet(in_channels=1, out_channels=1, first_filters=filters)
    with torch.no_grad():
        for _ in range(4):
            network(torch.rand(2, 1, 128, 128))
        if image is not None:
            sides = [side // 16 * 16 for side in image.shape]
            tensor = torch.from_numpy(image[: sides[0], : sides[1]].astype(np.float32))
            logits = network.eval()(tensor[None, None])
            network.outputs.weight /= logits.std()
            network.outputs.bias -= torch.quantile(network(tensor[None, None]).flatten()[::7], 0.9)
    spec = ModelSpec(path.stem, first_filters=filters, percentiles=(0.0, 100.0))
    write_checkpoint(path, network.state_dict(), spec)
    return path


def blobs(depth: int, side: int, dtype: str = "float32") -> Iterator[Slice]:
    """Yield slices of round objects that wander from slice to slice, in 0..1 (0..255 as uint8)."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(0).normal(size=(side, side)), 6, mode="wrap")
    smooth = (noise - noise.min()) / np.ptp(noise)
    scaled = (smooth * 255 if np.dtype(dtype).kind == "u" else smooth).astype(dtype)
    for z in range(depth):
        yield np.roll(scaled, (z, 2 * z), (0, 1))
