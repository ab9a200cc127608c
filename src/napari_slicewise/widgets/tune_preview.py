"""A layer that shows what the settings give on one slice; nothing is ever saved from it."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels
from numpy.typing import NDArray

from napari_slicewise.io.label_store import create_labels
from napari_slicewise.io.source import ArraySource, SliceIndex
from napari_slicewise.widgets.placement import Placement

__all__ = ["PreviewLayer"]


class PreviewLayer:
    """The temporary labels of one viewer; there is at most one layer of them.

    Parameters
    ----------
    viewer
        Where it is shown.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._view: ArraySource | None = None
        self._at: SliceIndex | None = None
        self.labels: Labels | None = None
        self._of: tuple[Any, ...] = ()

    def show(
        self,
        image: Image,
        source: ArraySource,
        index: SliceIndex,
        values: NDArray[Any],  # (y, x)
    ) -> None:
        """Show labels on one slice, and on no other."""
        of = (image, source.plane, source.channel_axis)
        if self.labels is None or self.labels not in self._viewer.layers or of != self._of:
            self.remove()
            self._add(image, source)
            self._of = of
        view, labels = self._view, self.labels
        if view is None or labels is None or view.leading_shape != source.leading_shape:
            return
        if self._at is not None and self._at != index:
            view.write_slice(self._at, np.zeros(view.slice_shape, np.uint32))
        view.write_slice(index, values.astype(np.uint32, copy=False))
        self._at = index
        labels.refresh(thumbnail=False, highlight=False, extent=False)

    def remove(self) -> None:
        """Take the layer away."""
        labels, self.labels, self._view, self._at = self.labels, None, None, None
        self._of = ()
        if labels is not None and labels in self._viewer.layers:
            self._viewer.layers.remove(labels)

    def _add(self, image: Image, source: ArraySource) -> None:
        placement = Placement(image, source)
        array = create_labels(placement.shape, np.uint32)
        active = self._viewer.layers.selection.active
        self.labels = placement.make_layer(array, f"{image.name} preview")
        self.labels.editable = False
        self._view = placement.view(array)
        self._viewer.add_layer(self.labels)
        self._viewer.layers.selection.active = active
        self.labels.visible = True
