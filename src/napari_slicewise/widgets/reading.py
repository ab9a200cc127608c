"""napari's way to the reader: what a person asked for opens at once, the rest can be chosen."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from napari_slicewise.io import tiff_reader
from napari_slicewise.io.lazy_array import LazyArray
from napari_slicewise.io.tiff_reader import LayerData, read_layers

__all__ = ["get_reader", "list_images", "stage_wanted"]

PLUGIN = "napari-slicewise"
MOST_SCENES = 8  # so many open at once, those after the first hidden; of more, only the first
_LARGEST_LOOK = 256 << 20  # bytes of a plane that is read once before it is shown

Paths = str | Sequence[str]


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Return the reader for napari, or None for what is not ours.

    Parameters
    ----------
    path
        A path, or a list of files to stack.
    """
    if tiff_reader.get_reader(path) is None:
        return None
    return _read


def _read(path: Paths) -> list[LayerData]:
    """Read layers; in a window, a file with many images opens its first and lists the others.

    Without a window nobody can be asked, so all images are opened.
    """
    viewer = _window_viewer()
    most = None if viewer is None else MOST_SCENES
    layers = read_layers(path, most=most, at_stage=stage_wanted())
    _try_first_look(layers, viewer)
    if viewer is not None and layers and isinstance(path, str):
        metadata = layers[0][1]["metadata"]
        opened = {options["metadata"]["series"] for _, options, _ in layers}
        scenes = [entry["series"] for entry in metadata["series_list"] if entry["scene"]]
        if len(opened.intersection(scenes)) < len(scenes):
            _offer_others(viewer, Path(path))
    return layers


def _try_first_look(layers: Sequence[LayerData], viewer: Any | None) -> None:
    """Read what napari shows first: an error while it adds a layer leaves it half added.

    Such a layer cannot be removed again, so a file whose first picture cannot be read is refused.
    """
    for data, options, _ in layers:
        level = data[-1] if options.get("multiscale") else data
        if not isinstance(level, LazyArray):
            continue
        leading = level.shape[: level.ndim - (3 if options.get("rgb") else 2)]
        middles = {tuple(n // 2 for n in leading), tuple((n - 1) // 2 for n in leading)}
        if viewer is not None:  # the layers that are there hold the sliders where they are
            steps = viewer.dims.current_step[: viewer.dims.ndim - 2]
            steps = (*(0,) * len(leading), *steps)[len(steps) :] if leading else ()
            middles.add(tuple(min(step, n - 1) for step, n in zip(steps, leading, strict=True)))
        if math.prod(level.shape[len(leading) :]) * level.dtype.itemsize <= _LARGEST_LOOK:
            for middle in middles:
                level[middle]


def list_images() -> None:
    """Dock a list of the images in the active layer's file, for napari's menu."""
    viewer = _window_viewer()
    if viewer is not None:
        from napari_slicewise.widgets.series_chooser import show_chooser

        show_chooser(viewer, None)


def stage_wanted() -> bool:
    """Whether the user wants images to lie where the stage stood (napari's Preferences)."""
    with suppress(ImportError, AttributeError, KeyError, ValueError):  # napari before 0.9 has none
        from napari.settings import get_plugin_settings

        return bool(get_plugin_settings(PLUGIN).reading.stage_position)
    return False


def _window_viewer() -> Any | None:
    """Return the viewer whose window is there to ask in; None in scripts and other threads."""
    if "napari" not in sys.modules or threading.current_thread() is not threading.main_thread():
        return None
    from napari import current_viewer

    viewer: Any = current_viewer()
    return viewer if getattr(viewer, "window", None) is not None else None


def _offer_others(viewer: Any, path: Path) -> None:
    """List the file's images in a dock, once napari has added the first one's layers."""
    from qtpy.QtCore import QTimer

    from napari_slicewise.widgets.series_chooser import show_chooser

    QTimer.singleShot(0, partial(show_chooser, viewer, path))
