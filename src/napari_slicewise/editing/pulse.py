"""How far a tool is with its work, and whether anybody still waits for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from napari_slicewise.editing.errors import EditError

__all__ = ["GivenUpError", "Pulse"]

Item = TypeVar("Item")


class GivenUpError(EditError):
    """Nobody waits for the result any more; nothing was changed."""


class Pulse:
    """Counts what is done of a piece of work, and ends it when it is given up.

    The thread that works asks and counts, another one reads and gives up.
    """

    def __init__(self) -> None:
        self.done = self.total = 0
        self._given_up = False

    def give_up(self) -> None:
        """End the work at its next step."""
        self._given_up = True

    def check(self) -> None:
        """Go on.

        Raises
        ------
        GivenUpError
            When the work was given up.
        """
        if self._given_up:
            raise GivenUpError("Cancelled: nothing was changed.")

    def begin(self, total: int) -> None:
        """Begin with a part of the work, of so many steps."""
        self.check()
        self.done, self.total = 0, total

    def step(self) -> None:
        """Count a step that is done."""
        self.check()
        self.done += 1

    def over(self, items: Sequence[Item]) -> Iterator[Item]:
        """Iterate over a part of the work, an item a step."""
        self.begin(len(items))
        for item in items:
            yield item
            self.step()
