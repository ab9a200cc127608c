"""What the network says by now of the slice on show, as outlines over it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtCore import QObject, QTimer

from napari_slicewise.app.learn import LearnController
from napari_slicewise.io.source import ArraySource, SliceIndex
from napari_slicewise.training.messages import Looked
from napari_slicewise.widgets.layer_source import shown_index
from napari_slicewise.widgets.links import Links
from napari_slicewise.widgets.tune_preview import PreviewLayer

__all__ = ["LearnPreview"]

PAUSE_MS = 150
OUTLINE = 2  # px: the labels that are painted on stay in sight


class LearnPreview(QObject):
    """Asks the training for the slice on show, and draws each answer.

    Parameters
    ----------
    viewer
        Where it is drawn.
    controller
        Of the training.
    find
        Returns the image to look at and its slices; None where there is none.
    links, parent
        Cut when the panel closes; Qt parent.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        controller: LearnController,
        find: Callable[[], tuple[Image, ArraySource] | None],
        links: Links,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._controller, self._find = viewer, controller, find
        self._layer = PreviewLayer(viewer)
        self._on = True
        self._ticket = 0
        self._asked: tuple[Image, ArraySource, SliceIndex] | None = None
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.timeout.connect(self.ask)
        links.connect(viewer.dims.events.point, self._on_dims)

    @property
    def answered(self) -> bool:
        """Whether anything is drawn."""
        return self._layer.labels is not None and self._layer.labels in self._viewer.layers

    def switch(self, *, on: bool) -> None:
        """Show a preview, or none."""
        self._on = on
        self.ask()
        if not on:
            self._layer.remove()

    def ask(self) -> None:
        """Ask for the slice that is on show now."""
        if not self._controller.running:
            return
        found = self._find() if self._on else None
        self._ticket += 1
        if found is None:
            self._asked = None
            self._controller.look(self._ticket, None, (), "")
            return
        image, source = found
        index = shown_index(image, source, self._viewer.dims)
        self._asked = (image, source, index)
        self._controller.look(self._ticket, source, index, image.name)

    def show(self, answer: Looked) -> None:
        """Draw an answer, unless another slice is on show by now."""
        asked = self._asked
        if answer.ticket != self._ticket or asked is None or not self._on:
            return
        image, source, index = asked
        if image not in self._viewer.layers or not self._controller.running:
            return
        self._layer.show(image, source, index, answer.labels)
        if self._layer.labels is not None and self._layer.labels.contour != OUTLINE:
            self._layer.labels.contour = OUTLINE

    def end(self) -> None:
        """Take the preview away."""
        self._pause.stop()
        self._asked = None
        self._layer.remove()

    def _on_dims(self, _event: Any) -> None:
        if self._controller.running and self._on:
            self._pause.start(PAUSE_MS)
