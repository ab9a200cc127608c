"""A right click on an object, while no tool or brush is chosen: what can be done with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QObject
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import QMenu, QWidget

from napari_slicewise.widgets.correct_actions import Corrector
from napari_slicewise.widgets.tool_list import TOOLS
from napari_slicewise.widgets.tool_mouse import FARTHEST_CLICK, ToolMouse, number_at

__all__ = ["ObjectMenu"]


class ObjectMenu(QObject):
    """Offers the tools that act on one object, on the object under the mouse.

    Dragging with the right button zooms, as ever; the brush keeps its right button too.

    Parameters
    ----------
    corrector
        Which layer is corrected.
    parent
        Under which the menu appears; its style is taken.
    """

    def __init__(self, corrector: Corrector, parent: QWidget) -> None:
        super().__init__(parent)
        self._corrector, self._parent = corrector, parent
        self._layer: Labels | None = None
        corrector.target_changed.connect(self._follow)

    def close(self) -> None:
        """Give the right button back."""
        layer, self._layer = self._layer, None
        if layer is not None and self._on_press in layer.mouse_drag_callbacks:
            layer.mouse_drag_callbacks.remove(self._on_press)

    def _follow(self) -> None:
        self.close()
        if self._corrector.target is not None:
            self._layer = self._corrector.target.layer
            self._layer.mouse_drag_callbacks.append(self._on_press)

    def _on_press(self, layer: Labels, event: Any) -> Iterator[None]:
        free = self._corrector.tool is None and str(layer.mode) in ("pan_zoom", "pick")
        if event.button != 2 or not free or len(event.dims_displayed) == 3:
            return
        position = ToolMouse.position(layer, self._corrector.viewer.dims, event)
        start = np.asarray(event.pos, float)
        yield
        while event.type == "mouse_move":
            if np.abs(np.asarray(event.pos) - start).max() > FARTHEST_CLICK:
                return
            yield
        number = 0 if position is None else number_at(layer, position)
        if number and position is not None:
            self.menu_for(number, position).popup(QCursor.pos())

    def menu_for(self, number: int, position: tuple[int, ...]) -> QMenu:
        """Return the menu of an object that was clicked at a voxel."""
        menu = QMenu(self._parent)
        menu.setObjectName("object_menu")
        menu.addAction(f"Object {number}").setEnabled(False)
        menu.addSeparator()
        paint = menu.addAction("Paint on with its number")
        paint.triggered.connect(lambda: self._select(number))
        locked = number in self._corrector.target.edits.session.locks.objects
        for tool in TOOLS:
            if tool.gesture != "object":
                continue
            title = tool.title if tool.name != "lock" else ("Unlock" if locked else "Lock")
            action = menu.addAction(title)
            action.setObjectName(f"object_{tool.name}")
            action.setToolTip(tool.tooltip)
            action.setEnabled(not self._corrector.busy)
            action.triggered.connect(
                lambda _checked=False, tool=tool: self._corrector.aim_at(
                    tool, {"numbers": (number,)}, position
                )
            )
        menu.aboutToHide.connect(menu.deleteLater)
        return menu

    def _select(self, number: int) -> None:
        if self._corrector.target is not None:
            self._corrector.target.layer.selected_label = number
