"""Files with weights that are dropped on the panel are chosen as models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QEvent, QMimeData, QObject
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QLineEdit, QWidget

__all__ = ["ModelDrop", "dropped_model"]

_ENDINGS = {
    ".safetensors",
    ".pt",
    ".pth",
    ".ckpt",
    ".bin",
    ".onnx",
    ".zip",
    ".yaml",
    ".yml",
}
_DESCRIPTIONS = ("rdf.yaml", "bioimageio.yaml", "model.yaml")  # of a package in a folder
_DRAGS = (QEvent.Type.DragEnter, QEvent.Type.DragMove, QEvent.Type.Drop)


class ModelDrop(QObject):
    """Takes model files that are dropped on a widget, and leaves all else to those above it.

    Parameters
    ----------
    widget
        Where files may be dropped; its fields for text take none any more, since they
        would write down the file's name.
    choose
        Called with the path of the model.
    """

    def __init__(self, widget: QWidget, choose: Callable[[str], None]) -> None:
        super().__init__(widget)
        self._choose = choose
        widget.setAcceptDrops(True)
        for field in widget.findChildren(QLineEdit):
            field.setAcceptDrops(False)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Accept a model and nothing else; what is ignored goes on to napari."""
        if event.type() not in _DRAGS or not isinstance(event, QDropEvent):
            return super().eventFilter(watched, event)
        model = dropped_model(event.mimeData())
        if model is None:
            event.ignore()
            return True
        event.acceptProposedAction()
        if event.type() == QEvent.Type.Drop:
            self._choose(model)
        return True


def dropped_model(data: QMimeData | None) -> str | None:
    """Return the path of a model, if that and nothing else is being dragged."""
    urls = data.urls() if data is not None and data.hasUrls() else []
    if len(urls) != 1 or not urls[0].isLocalFile():
        return None
    path = Path(urls[0].toLocalFile())
    described = path.is_dir() and any((path / name).is_file() for name in _DESCRIPTIONS)
    return str(path) if described or path.suffix.lower() in _ENDINGS else None
