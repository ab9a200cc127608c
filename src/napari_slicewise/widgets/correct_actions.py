"""What the tools do with the viewer: choosing, pointing, computing, writing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from napari.components import ViewerModel
from napari.layers import Labels
from qtpy.QtCore import QObject, Signal

from napari_slicewise.app.correct import Aim, Where, perform
from napari_slicewise.editing.edits import Edit
from napari_slicewise.editing.errors import WideningError
from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.pulse import Pulse
from napari_slicewise.errors import SlicewiseError
from napari_slicewise.widgets.correct_gestures import Gestures
from napari_slicewise.widgets.correct_keys import CorrectKeys
from napari_slicewise.widgets.correct_target import Target
from napari_slicewise.widgets.correct_work import ToolWork
from napari_slicewise.widgets.edit_layer import reason_against_editing
from napari_slicewise.widgets.links import Links
from napari_slicewise.widgets.tool_list import TOOLS, Tool

__all__ = ["Corrector"]

Again = Callable[[], None]
_BY_NAME = {tool.name: tool for tool in TOOLS}


class Corrector(QObject):
    """Brings tools to the selected labels layer, one at a time.

    Parameters
    ----------
    viewer
        The viewer itself, no proxy.
    links
        Ties to the viewer; cut when the panel closes.
    parent
        Qt parent.
    """

    target_changed = Signal()  # another layer, or none
    changed = Signal()  # the chosen tool, or whether one is at work
    edited = Signal(object)  # the slices, a set of SliceIndex; None for any
    locks_changed = Signal()
    applied = Signal(object)  # the edit of a tool that has been written
    said = Signal(str)  # what to do next, or what was done
    refused = Signal(str)  # why it was not done
    traced = Signal(list)  # a line that is being drawn, in pixels of the canvas

    def __init__(self, viewer: ViewerModel, links: Links, parent: QObject) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.target: Target | None = None
        self.where: Where = "slice"
        self.pixels = 1
        self._active = False
        self._unseen: set[Any] = set()
        self._again: Again | None = None  # what is at work, once more
        self.work = ToolWork(links, self)
        self.work.finished.connect(self._on_finished)
        self.work.told.connect(self.said)
        self.keys = CorrectKeys()
        self._gestures = Gestures(viewer.dims, self.keys, self)
        self._gestures.aimed.connect(self.aim_at)
        for ours, theirs in (
            (self.said, self._gestures.said),
            (self.refused, self._gestures.refused),
            (self.changed, self._gestures.changed),
            (self.traced, self._gestures.traced),
        ):
            theirs.connect(ours)
        for tool in TOOLS:
            self.keys.add(tool.key, lambda name=tool.name: self.press_key(name))
        links.at_end(self.close)
        links.connect(viewer.layers.selection.events.active, self._follow)
        links.connect(viewer.layers.events.removed, self._follow)
        links.connect(viewer.dims.events.ndisplay, self._on_view)
        links.connect(viewer.dims.events.order, self._on_view)

    @property
    def busy(self) -> bool:
        """Whether a tool is at work."""
        return self.work.busy

    @property
    def tool(self) -> Tool | None:
        """The tool that waits for the mouse."""
        return self._gestures.tool

    @property
    def reason_against(self) -> str:
        """Why no tool can act now; nothing where one can."""
        return reason_against_editing(self.viewer.layers.selection.active)

    def set_active(self, active: bool) -> None:  # noqa: FBT001 - follows a tab
        """Begin or end to listen to keys and mouse: the tab is on show, or not."""
        self._active = active
        if not active:
            self.drop_tool()
        self._follow()

    def close(self) -> None:
        """Give keys and mouse back."""
        self.work.close()
        self.set_active(False)

    def press_button(self, name: str) -> None:
        """Choose a tool that waits for the mouse, drop it again, or let another one act."""
        if self.target is None or self.busy:
            self.changed.emit()
            return
        tool = _BY_NAME[name]
        if tool is self.tool:
            self.drop_tool()
        elif tool.gesture == "none":
            self.drop_tool()
            self._begin(tool, self._aim())
        else:
            self._gestures.take(tool, self.target, self.cancel)

    def press_key(self, name: str) -> None:
        """Act on the object under the mouse, or choose the tool where there is none."""
        tool, target = _BY_NAME[name], self.target
        if target is None or self.busy:
            return
        position, number = target.under_cursor()
        selected = int(target.layer.selected_label)
        if tool.gesture != "object" or tool is self.tool:
            self.press_button(name)
        elif number or (position is not None and name == "restore"):
            self.aim_at(tool, {"numbers": (number,) if number else ()}, position)
        elif name == "interpolate" and selected:
            self.aim_at(tool, {"numbers": (selected,)}, position)
        else:
            self._gestures.take(tool, self.target, self.cancel)

    def drop_tool(self) -> None:
        """End the chosen tool; napari's mode becomes what it was."""
        self._gestures.drop()

    def cancel(self) -> None:
        """Give up what is being computed, or else the chosen tool."""
        if self.busy:
            self.work.cancel()
            self.target.begin_anew()  # what is still being computed may remember old boxes
            self._see()
            self.said.emit("Cancelled: nothing was changed.")
            self.changed.emit()
        else:
            self.drop_tool()

    def compute(
        self, compute: Callable[[Pulse], object], words: str, again: Again | None = None
    ) -> None:
        """Run something that gives an edit, away from the window, and write it.

        Parameters
        ----------
        compute
            Gets what it asks whether to go on.
        words
            What is being done, for the user.
        again
            Begins it once more on widened labels; None computes the same.
        """
        if self.target is None or self.busy:
            return
        self._again = again or (lambda: self.compute(compute, words))
        self.work.start(compute, words)
        self._gestures.deaf = True
        self.keys.take_ends(self._gestures.finish, self.cancel)
        self.changed.emit()

    def set_locks(self, locks: Locks) -> None:
        """Lock other objects and slices than before."""
        if self.target is not None:
            self.target.edits.session.set_locks(locks)

    def _follow(self, _event: Any = None) -> None:
        """Take the selected layer, if it can be corrected; give the former one back."""
        layer = self.viewer.layers.selection.active
        wanted = self._active and not reason_against_editing(layer)
        if wanted and layer not in self.viewer.layers:
            wanted = False
        if (self.target.layer if self.target else None) is (layer if wanted else None):
            self.changed.emit()
            return
        self._leave()
        if wanted:
            self._take(layer)
        self.target_changed.emit()
        self.changed.emit()

    def _take(self, layer: Labels) -> None:
        self.target = Target(layer, self.viewer)
        self.target.edits.changed.connect(self._on_edited)
        self.target.edits.locks_changed.connect(self._on_locks)
        self.keys.bind(layer)

    def _leave(self) -> None:
        """Let the layer go, and what was computed for it."""
        self.work.cancel()
        self.drop_tool()
        self.keys.unbind()
        if self.target is not None:
            self.target.edits.changed.disconnect(self._on_edited)
            self.target.edits.locks_changed.disconnect(self._on_locks)
            self.target = None
        self._unseen.clear()

    def _on_view(self, _event: Any) -> None:
        if self.target is not None:
            self.target.forget(None)
        self.drop_tool()
        self.changed.emit()

    def aim_at(self, tool: Tool, what: dict[str, Any], position: tuple[int, ...] | None) -> None:
        """Let a tool act on what the user points at: fields of an Aim, and the voxel."""
        if self.target is not None and not self.busy:
            self._begin(tool, self._aim(**what), position)

    def _aim(self, **what: Any) -> Aim:
        return self.target.aim(self.where, self.pixels, **what)

    def _begin(self, tool: Tool, aim: Aim, position: tuple[int, ...] | None = None) -> None:
        """Let a tool act: at once where it changes no voxel, or else away from the window."""
        target = self.target
        if tool.name == "lock":
            self._toggle_lock(aim.number)
            return
        work = target.work()
        again = partial(self._begin, tool, aim, position)
        if tool.name == "next":
            words = "Looking for a free number"
            self.compute(lambda pulse: work.heeding(pulse).next_free, words, again)
        elif tool.name == "restore":
            self.compute(lambda pulse: target.restore(aim, position, pulse), "Restoring", again)
        else:
            name, title = tool.name, tool.title
            self.compute(lambda pulse: perform(name, work.heeding(pulse), aim), title, again)

    def _toggle_lock(self, number: int) -> None:
        locks = self.target.edits.session.locks
        objects = locks.objects ^ {number}
        self.set_locks(replace(locks, objects=objects))
        self.said.emit(f"Object {number} is {'locked' if number in objects else 'unlocked'}.")

    def _on_finished(self, result: object) -> None:
        target, again = self.target, self._again
        if target is None:
            return
        self._see()
        try:
            if isinstance(result, WideningError) and again is not None:
                target.edits.make_room(result.number)
                again()
            elif isinstance(result, SlicewiseError):
                raise result
            else:
                self._use(target, result)
        except (SlicewiseError, OSError) as error:
            self.refused.emit(str(error))
        self.changed.emit()

    def _use(self, target: Target, result: object) -> None:
        if isinstance(result, int):
            target.edits.make_room(result)
            target.layer.selected_label = result
            self.said.emit(f"The brush draws object {result}.")
        elif isinstance(result, Edit):
            target.require_unlocked(result)
            target.edits.apply(result, self.viewer.dims)
            self.said.emit(f"{result.words[:1].upper()}{result.words[1:]}. Ctrl+Z takes it back.")
            self.applied.emit(result)

    def _on_edited(self, slices: set[Any] | None) -> None:
        """Look again at what changed; later, while a tool reads where objects are."""
        self._unseen.add(None if slices is None else frozenset(slices))
        if not self.busy:
            self._see()
        self.edited.emit(slices)

    def _see(self) -> None:
        """Nothing is at work any more: look again at what changed meanwhile."""
        self._gestures.deaf = False
        if self.tool is None:
            self.keys.release_ends()
        if self.target is not None:
            for slices in self._unseen:
                self.target.forget(None if slices is None else set(slices))
        self._unseen.clear()

    def _on_locks(self) -> None:
        self.locks_changed.emit()
