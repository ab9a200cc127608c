"""The mouse on the canvas while a tool is chosen: clicks and drawn lines, in voxels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from napari.components import Dims
from napari.layers import Labels
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_slicewise.widgets.layer_source import world_to_pixels

__all__ = ["ToolMouse", "number_at"]

FARTHEST_CLICK = 4.0  # px of the canvas: a hand that clicks is not quite still


class ToolMouse(QObject):
    """Hears of the left button on one layer, and leaves napari's own mode as it was.

    Parameters
    ----------
    dims
        The viewer's sliders.
    parent
        Qt parent.
    """

    clicked = Signal(object, int)  # position in voxels or None, the number there
    drawn = Signal(list)  # positions in voxels
    moved = Signal(list)  # positions on the canvas so far, in its pixels
    ended = Signal()  # napari's mode was changed, or the layer's data

    def __init__(self, dims: Dims, parent: QObject) -> None:
        super().__init__(parent)
        self._dims = dims
        self._layer: Labels | None = None
        self._mode = ""
        self._changing = False

    def arm(self, layer: Labels) -> None:
        """Take the left button over."""
        if layer is self._layer:
            return
        self.disarm()
        self._layer, self._mode = layer, str(layer.mode)
        self._changing = True
        layer.mode = "pan_zoom"  # or else the brush would paint too
        layer.mouse_pan = False  # or else a drawn line would move the picture
        layer.cursor = "cross"
        self._changing = False
        layer.mouse_drag_callbacks.append(self._on_drag)
        layer.events.mode.connect(self._on_mode)

    def disarm(self) -> None:
        """Give the button back; the mode becomes what it was, unless the user changed it."""
        layer, self._layer = self._layer, None
        if layer is None:
            return
        layer.events.mode.disconnect(self._on_mode)
        if self._on_drag in layer.mouse_drag_callbacks:
            layer.mouse_drag_callbacks.remove(self._on_drag)
        if str(layer.mode) == "pan_zoom":
            layer.mouse_pan = True
            layer.cursor = "standard"
            layer.mode = self._mode

    def _on_mode(self, _event: Any) -> None:
        if not self._changing:
            self.disarm()
            self.ended.emit()

    def _on_drag(self, layer: Labels, event: Any) -> Iterator[None]:
        if event.button not in (None, 1):
            return
        start = np.asarray(event.pos, float)
        path, trace = [self.position(layer, self._dims, event)], [tuple(event.pos)]
        number = self._number(layer, event)
        far = False
        yield
        while event.type == "mouse_move":
            far = far or bool(np.abs(np.asarray(event.pos) - start).max() > FARTHEST_CLICK)
            path.append(self.position(layer, self._dims, event))
            trace.append(tuple(event.pos))
            if far:
                self.moved.emit(trace)
            yield
        self.moved.emit([])
        if self._layer is not layer:  # given up in between
            return
        if far and all(position is not None for position in path):
            self.drawn.emit(path)
        else:
            self.clicked.emit(path[0], number)

    @staticmethod
    def position(layer: Labels, dims: Dims, event: Any) -> tuple[int, ...] | None:
        """Return the voxel under the mouse, which may lie outside; None in a view of a volume."""
        if len(event.dims_displayed) == 3:
            return None
        point = world_to_pixels(layer, dims, event.position)
        return tuple(int(n) for n in np.floor(point + 0.5))

    def _number(self, layer: Labels, event: Any) -> int:
        position = self.position(layer, self._dims, event)
        if position is None:
            value = layer.get_value(
                event.position,
                view_direction=event.view_direction,
                dims_displayed=event.dims_displayed,
                world=True,
            )
            return int(value or 0)
        return number_at(layer, position)


def number_at(layer: Labels, position: tuple[int, ...] | NDArray[Any]) -> int:
    """Return the label of a voxel; 0 outside."""
    inside = all(0 <= p < n for p, n in zip(position, layer.data.shape, strict=True))
    return int(np.asarray(layer.data[tuple(position)])) if inside else 0
