"""What was clicked so far, for tools that take several clicks and Enter."""

from __future__ import annotations

from collections.abc import Sequence

from napari_slicewise.editing.errors import EditError
from napari_slicewise.editing.wording import counted

__all__ = ["Clicks"]


class Clicks:
    """Objects to merge, or seeds in one object; each click is answered in words."""

    def __init__(self) -> None:
        self.objects: list[int] = []
        self.seeds: list[tuple[int, ...]] = []

    def clear(self) -> None:
        """Forget all clicks."""
        self.objects.clear()
        self.seeds.clear()

    def toggle_object(self, number: int) -> str:
        """Choose an object, or leave it out again; returns what to do next."""
        if number in self.objects:
            self.objects.remove(number)
        else:
            self.objects.append(number)
        if not self.objects:
            return "Click the objects to merge."
        if len(self.objects) == 1:
            return f"Object {number if number in self.objects else self.objects[0]}: click another."
        chosen = ", ".join(str(n) for n in self.objects)
        return f"Objects {chosen}: Enter merges them into {self.objects[0]}."

    def add_seed(self, position: Sequence[int], number: int) -> str:
        """Put a seed into an object; returns what to do next.

        Raises
        ------
        EditError
            When the seeds before lie in another object.
        """
        if self.objects and number != self.objects[0]:
            raise EditError(f"All seeds belong into one object: {self.objects[0]}.")
        self.objects = [number]
        self.seeds.append(tuple(position))
        rest = "Enter splits it." if len(self.seeds) > 1 else "Click into its other part."
        return f"Object {number}, {counted(len(self.seeds), 'seed')}. {rest}"
