"""How many objects a result holds, counted again where it has changed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np
from napari.components import ViewerModel
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_slicewise.editing.numbering import distinct
from napari_slicewise.io.source import SliceIndex
from napari_slicewise.widgets.inbox import BUDGET_S
from napari_slicewise.widgets.result_layer import ResultLayer

__all__ = ["ObjectCount"]

PAUSE_MS = 150


class ObjectCount(QObject):
    """Counts the objects of one result, the human's included, a few milliseconds at a time.

    Parameters
    ----------
    viewer
        Where the layer is.
    parent
        Qt parent, on the GUI thread.
    """

    counted = Signal(int)

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.result: ResultLayer | None = None
        self._numbers: dict[SliceIndex, NDArray[np.int64]] = {}
        self._changed: set[SliceIndex] = set()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._count)

    def watch(self, result: ResultLayer | None) -> None:
        """Count the objects of this result from now on."""
        if result is self.result:
            return
        self.close()
        self.result = result
        if result is not None:
            result.edits.changed.connect(self._on_change)
            self._on_change(None)

    def close(self) -> None:
        """Hear of no change any more."""
        self._timer.stop()
        if self.result is not None:
            self.result.edits.changed.disconnect(self._on_change)
        self.result = None
        self._numbers.clear()
        self._changed.clear()

    def _on_change(self, indices: Iterable[SliceIndex] | None) -> None:
        result = self.result
        if result is None:
            return
        self._changed.update(result.edits.session.labels.indices() if indices is None else indices)
        if not self._timer.isActive():
            self._timer.start(PAUSE_MS)

    def _count(self, *_: Any) -> None:
        result, until = self.result, time.perf_counter() + BUDGET_S
        if result is None or result.labels not in self._viewer.layers:
            return
        labels = result.edits.session.labels
        while self._changed and time.perf_counter() < until:
            index = self._changed.pop()
            self._numbers[index] = distinct(labels.read_slice(index)[0])
        if self._changed:
            self._timer.start(0)
            return
        found = list(self._numbers.values())
        self.counted.emit(int(np.unique(np.concatenate(found)).size) if found else 0)
