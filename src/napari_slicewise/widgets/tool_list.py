"""The tools of the Correct tab: names, keys, and what to do with the mouse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["TOOLS", "Tool"]

Gesture = Literal["object", "objects", "line", "seeds", "none"]


@dataclass(frozen=True)
class Tool:
    """One button.

    Parameters
    ----------
    name
        What :func:`napari_slicewise.app.correct.perform` calls it.
    title
        For the user.
    key
        On the canvas, in napari's spelling. None of them is one of napari's own.
    gesture
        What it waits for: a click on an ``object``, clicks on several ``objects`` or into
        ``seeds`` and Enter, a drawn ``line``, or nothing.
    about
        What it does, for the tooltip.
    hint
        What to do next, while it is chosen.
    stack
        Whether it needs further slices.
    """

    name: str
    title: str
    key: str
    gesture: Gesture
    about: str
    hint: str
    stack: bool = False

    @property
    def tooltip(self) -> str:
        """What it does, and its key."""
        return f"{self.title}\n{self.about}\nKey: {self.key.replace('-', '+')}"


_OVER = "Click an object. Esc ends."

TOOLS = (
    Tool(
        "merge",
        "Merge",
        "J",
        "objects",
        "Make one object of several: click them and press Enter, or draw over them.",
        "Click the objects to merge, Enter merges, Esc cancels. Or draw a stroke over them.",
    ),
    Tool(
        "split",
        "Split by a line",
        "C",
        "line",
        "Cut objects along a line that you draw across them.",
        "Draw a line across an object. Esc ends.",
    ),
    Tool(
        "seeds",
        "Split by seeds",
        "Shift-C",
        "seeds",
        "Click into each part of an object, then press Enter. On all slices it splits in 3D.",
        "Click into each part of one object, Enter splits it, Esc cancels.",
    ),
    Tool(
        "delete",
        "Delete",
        "D",
        "object",
        "Delete an object: click it, or press the key over it.",
        "Click an object to delete it. Esc ends.",
    ),
    Tool(
        "fill",
        "Fill holes",
        "H",
        "object",
        "Fill the background that an object encloses.",
        _OVER,
    ),
    Tool(
        "smooth",
        "Smooth",
        "S",
        "object",
        "Round the outline of an object; the field Pixels says how much.",
        _OVER,
    ),
    Tool(
        "largest",
        "Keep the largest piece",
        "K",
        "object",
        "Delete the smaller pieces of an object that is in several.",
        _OVER,
    ),
    Tool(
        "grow",
        "Grow",
        "G",
        "object",
        "Grow an object into the background around it; the field Pixels says how far.",
        _OVER,
    ),
    Tool(
        "shrink",
        "Shrink",
        "Shift-G",
        "object",
        "Take a border off an object; the field Pixels says how wide.",
        _OVER,
    ),
    Tool(
        "interpolate",
        "Interpolate",
        "I",
        "object",
        "Draw an object on the slices between two on which it is drawn.",
        "Click an object beside the gap, or press I in the gap with its number selected.",
        stack=True,
    ),
    Tool(
        "relabel",
        "Number in sequence",
        "Shift-R",
        "none",
        "Number all objects 1, 2, 3, ... without gaps. Locked objects keep their numbers.",
        "",
    ),
    Tool(
        "next",
        "Next free number",
        "N",
        "none",
        "Select a number that no object has, for the brush.",
        "",
    ),
    Tool(
        "lock",
        "Lock or unlock",
        "O",
        "object",
        "Lock an object: no run and no tool changes it until it is unlocked.",
        "Click an object to lock or unlock it. Esc ends.",
    ),
    Tool(
        "restore",
        "Restore the machine's version",
        "U",
        "object",
        "Bring back what the network drew there, before it was changed by hand.",
        "Click where the machine's version is to come back. Esc ends.",
    ),
)
