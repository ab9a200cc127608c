"""The tools behind the Correct tab: what each needs to know, and the thread that runs it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from psygnal import Signal

from napari_slicewise.editing import tools, tools_shape, tools_split
from napari_slicewise.editing.edits import Edit
from napari_slicewise.editing.errors import EditError
from napari_slicewise.editing.pulse import Pulse
from napari_slicewise.editing.workpiece import Workpiece
from napari_slicewise.errors import SlicewiseError
from napari_slicewise.io.source import SliceIndex

__all__ = ["Aim", "ToolRunner", "interpolate_around", "perform"]

Where = Literal["slice", "stack", "all"]


@dataclass(frozen=True)
class Aim:
    """What the user pointed at.

    Parameters
    ----------
    index
        The slice on show.
    numbers
        Objects, in the order in which they were chosen.
    points
        Corners of a drawn line on that slice, (row, column).
    seeds
        Slice and (row, column) of each seed.
    where
        ``slice`` is the one on show, ``stack`` all along the last leading axis where the
        other sliders stand, ``all`` is everywhere.
    pixels
        By how much an object grows, shrinks or is smoothed.
    steps
        Distance from slice to slice, row to row, column to column, in one unit.
    """

    index: SliceIndex
    numbers: tuple[int, ...] = ()
    points: tuple[tuple[int, int], ...] = ()
    seeds: tuple[tuple[SliceIndex, tuple[int, int]], ...] = ()
    where: Where = "slice"
    pixels: int = 1
    steps: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def slices(self, work: Workpiece) -> list[SliceIndex] | None:
        """Return the slices that are meant; None for all."""
        if self.where == "all" or not self.index:
            return None
        if self.where == "slice":
            return [self.index]
        length = work.labels.leading_shape[-1]
        return [(*self.index[:-1], position) for position in range(length)]

    @property
    def number(self) -> int:
        """The object that was chosen last; 0 where none was."""
        return self.numbers[-1] if self.numbers else 0


def perform(tool: str, work: Workpiece, aim: Aim) -> Edit:
    """Return what a tool changes.

    Parameters
    ----------
    tool
        ``merge``, ``split``, ``seeds``, ``delete``, ``fill``, ``smooth``, ``largest``,
        ``grow``, ``shrink``, ``interpolate`` or ``relabel``.
    work
        The labels.
    aim
        What the user pointed at.

    Raises
    ------
    EditError
        When there is nothing to change, or it is locked.
    """
    return _TOOLS[tool](work, aim)


def interpolate_around(work: Workpiece, aim: Aim) -> Edit:
    """Draw an object between the slice on show and the nearest one beyond a gap.

    Where the object is not on the slice on show, the nearest ones on both sides count.

    Raises
    ------
    EditError
        When there are no two such slices.
    """
    stack = Aim(aim.index, where="stack").slices(work)
    drawn = [index for index, _ in work.objects.of_object(aim.number, stack)] if aim.number else []
    here = aim.index
    before = [index for index in drawn if index < here]
    after = [index for index in drawn if index > here]
    if here in drawn:
        gaps = [index for index in (*before[-1:], *after[:1]) if abs(index[-1] - here[-1]) > 1]
        if gaps:
            nearest = min(gaps, key=lambda index: abs(index[-1] - here[-1]))
            return tools_shape.interpolate(work, aim.number, here, nearest)
    elif before and after:
        return tools_shape.interpolate(work, aim.number, before[-1], after[0])
    raise EditError(
        f"Object {aim.number} has no gap here.",
        "Draw it on two slices, with one number, and leave out the ones between.",
    )


def _merge(work: Workpiece, aim: Aim) -> Edit:
    # Two objects on one slice may be one through the whole stack: numbers go together.
    return tools.merge_objects(work, aim.numbers, indices=aim.slices(work))


def _split(work: Workpiece, aim: Aim) -> Edit:
    places = None if aim.where == "slice" else _all_of(work, aim)
    return tools_split.split_by_line(work, aim.index, aim.points, indices=places)


def _seeds(work: Workpiece, aim: Aim) -> Edit:
    if aim.where == "slice":
        places: list[SliceIndex] = sorted({index for index, _ in aim.seeds})
        return tools_split.split_by_seeds(work, aim.number, aim.seeds, places, aim.steps)
    return tools_split.split_by_seeds(work, aim.number, aim.seeds, aim.slices(work), aim.steps)


def _largest(work: Workpiece, aim: Aim) -> Edit:
    within: Literal["slice", "stack"] = "slice" if aim.where == "slice" else "stack"
    return tools_shape.keep_largest_piece(work, aim.number, aim.slices(work), within=within)


def _all_of(work: Workpiece, aim: Aim) -> list[SliceIndex]:
    places = aim.slices(work)
    return list(work.labels.indices()) if places is None else places


_TOOLS: dict[str, Callable[[Workpiece, Aim], Edit]] = {
    "merge": _merge,
    "split": _split,
    "seeds": _seeds,
    "delete": lambda work, aim: tools.delete_object(work, aim.number, aim.slices(work)),
    "fill": lambda work, aim: tools_shape.fill_holes(work, aim.number, aim.slices(work)),
    "smooth": lambda work, aim: tools_shape.smooth(
        work, aim.number, float(aim.pixels), aim.slices(work)
    ),
    "largest": _largest,
    "grow": lambda work, aim: tools_shape.grow(work, aim.number, aim.pixels, aim.slices(work)),
    "shrink": lambda work, aim: tools_shape.shrink(work, aim.number, aim.pixels, aim.slices(work)),
    "interpolate": interpolate_around,
    "relabel": lambda work, aim: tools.relabel_sequentially(work),  # noqa: ARG005
}


class ToolRunner:
    """Computes one thing at a time, away from the thread that asks.

    ``finished`` is emitted on that other thread with the ticket of :meth:`start` and the
    result, or with a :class:`SlicewiseError`. Nothing comes of what was cancelled.
    """

    finished = Signal(int, object)

    def __init__(self) -> None:
        self._ticket = 0
        self._busy = False
        self._pulse = Pulse()

    @property
    def busy(self) -> bool:
        """Whether a result is waited for."""
        return self._busy

    @property
    def progress(self) -> tuple[int, int]:
        """Steps that are done of the present part of the work, and all of them; 0 if unknown."""
        pulse = self._pulse
        return min(pulse.done, pulse.total), pulse.total

    def start(
        self, compute: Callable[[], object], name: str = "correction", pulse: Pulse | None = None
    ) -> int:
        """Begin to compute; returns the ticket.

        Parameters
        ----------
        compute
            What to compute.
        name
            Of the thread.
        pulse
            What ``compute`` asks whether to go on; without one, it goes on to its end.
        """
        self._ticket += 1
        self._busy = True
        self._pulse = pulse or Pulse()
        ticket = self._ticket
        threading.Thread(
            target=self._work, args=(ticket, compute), name=f"slicewise {name}", daemon=True
        ).start()
        return ticket

    def cancel(self) -> None:
        """Wait for nothing any more. What is being computed ends soon, unheard."""
        self._ticket += 1
        self._busy = False
        self._pulse.give_up()

    def take(self, ticket: int) -> bool:
        """Whether a result that has arrived is still wanted; it is not waited for any more."""
        if ticket != self._ticket or not self._busy:
            return False
        self._busy = False
        return True

    def _work(self, ticket: int, compute: Callable[[], object]) -> None:
        result: object
        try:
            result = compute()
        except SlicewiseError as error:
            result = error
        except (OSError, MemoryError, ValueError, IndexError, KeyError) as error:
            # The labels were deleted or replaced under the tool, or do not fit the memory.
            result = EditError(f"The tool could not end its work: {error}", "Do it once more.")
        if ticket == self._ticket:
            self.finished.emit(ticket, result)
