"""From clicks and lines on the canvas to what a chosen tool is aimed at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.components import Dims
from qtpy.QtCore import QObject, Signal

from napari_slicewise.errors import SlicewiseError
from napari_slicewise.widgets.correct_keys import CorrectKeys
from napari_slicewise.widgets.correct_target import Target
from napari_slicewise.widgets.tool_choice import Clicks
from napari_slicewise.widgets.tool_list import Tool
from napari_slicewise.widgets.tool_mouse import ToolMouse, number_at

__all__ = ["Gestures"]


class Gestures(QObject):
    """Holds the chosen tool and hears of mouse, Enter and Esc for it.

    Parameters
    ----------
    dims
        The viewer's sliders.
    keys
        Of the selected layer.
    parent
        Qt parent.
    """

    aimed = Signal(object, dict, object)  # the tool, fields of an Aim, the voxel or None
    said = Signal(str)
    refused = Signal(str)
    changed = Signal()
    traced = Signal(list)  # a line that is being drawn, in pixels of the canvas

    def __init__(self, dims: Dims, keys: CorrectKeys, parent: QObject) -> None:
        super().__init__(parent)
        self.tool: Tool | None = None
        self.deaf = False  # while a tool is at work
        self._target: Target | None = None
        self._clicks = Clicks()
        self._keys = keys
        self._mouse = ToolMouse(dims, self)
        self._mouse.clicked.connect(self._on_click)
        self._mouse.drawn.connect(self._on_line)
        self._mouse.moved.connect(self.traced)
        self._mouse.ended.connect(self.drop)

    def take(self, tool: Tool, target: Target, cancel: Callable[[], None]) -> None:
        """Choose a tool: the left button is its own from now on."""
        self.drop()
        if target.volume_on_show and tool.gesture in ("line", "seeds"):
            self.refused.emit(f"{tool.title} needs a view of slices: press Ctrl+Y.")
            self.changed.emit()
            return
        self.tool, self._target = tool, target
        self._mouse.arm(target.layer)
        self._keys.take_ends(self.finish, cancel)
        self.said.emit(tool.hint)
        self.changed.emit()

    def drop(self) -> None:
        """End the chosen tool; napari's mode becomes what it was."""
        self._mouse.disarm()
        self._keys.release_ends()
        self._clicks.clear()
        self._target = None
        if self.tool is not None:
            self.tool = None
            self.said.emit("")
            self.changed.emit()

    def finish(self) -> None:
        """Act on what was clicked so far: the key Enter."""
        tool, target, clicks = self.tool, self._target, self._clicks
        if tool is None or self.deaf or tool.gesture not in ("objects", "seeds"):
            return
        what: dict[str, Any] = {"numbers": tuple(clicks.objects)}
        if tool.gesture == "seeds":
            what["seeds"] = tuple(target.seed(position) for position in clicks.seeds)
        clicks.clear()
        self.aimed.emit(tool, what, None)

    def _on_click(self, position: tuple[int, ...] | None, number: int) -> None:
        tool = self.tool
        if tool is None or self.deaf:
            return
        if not number and tool.name != "restore":
            self.refused.emit("There is no object there.")
        elif tool.gesture == "object":
            self.aimed.emit(tool, {"numbers": (number,) if number else ()}, position)
        elif tool.gesture == "objects":
            self.said.emit(self._clicks.toggle_object(number))
        elif tool.gesture == "seeds" and position is not None:
            self._add_seed(position, number)
        else:
            self.said.emit(tool.hint)

    def _add_seed(self, position: tuple[int, ...], number: int) -> None:
        try:
            self.said.emit(self._clicks.add_seed(position, number))
        except SlicewiseError as error:
            self.refused.emit(str(error))

    def _on_line(self, path: list[tuple[int, ...]]) -> None:
        tool, target = self.tool, self._target
        if tool is None or self.deaf:
            return
        if tool.gesture == "line":
            self.aimed.emit(tool, {"points": tuple(target.point(p) for p in path)}, None)
        elif tool.gesture == "objects":
            self._clicks.clear()
            self.aimed.emit(tool, {"numbers": target.numbers_along(path)}, None)
        else:
            self._on_click(path[0], number_at(target.layer, path[0]))  # an unsteady click
