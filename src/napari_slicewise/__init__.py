"""Segment images and stacks slice by slice with a U-Net, in napari and without it.

The public names are imported on first use: importing this package imports neither
torch nor Qt.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_slicewise.api import ObjectOptions, load_model, read_image, segment, write_labels
    from napari_slicewise.errors import SlicewiseError
    from napari_slicewise.io.image_info import Axis

__all__ = [
    "Axis",
    "ObjectOptions",
    "SlicewiseError",
    "__version__",
    "load_model",
    "read_image",
    "segment",
    "write_labels",
]

try:
    __version__ = version("napari-slicewise")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

_HOME = {
    "Axis": "napari_slicewise.io.image_info",
    "ObjectOptions": "napari_slicewise.api",
    "SlicewiseError": "napari_slicewise.errors",
    "load_model": "napari_slicewise.api",
    "read_image": "napari_slicewise.api",
    "segment": "napari_slicewise.api",
    "write_labels": "napari_slicewise.api",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
