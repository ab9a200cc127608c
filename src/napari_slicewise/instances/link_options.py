"""What the linking of slices takes for one object."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from napari_slicewise.errors import RequestError

__all__ = ["LinkOptions", "usual_least_slices"]

_THIN_STACK = 5  # slices: below, an object of one slice may well be whole


def usual_least_slices(slices: int, *, through_depth: bool) -> int:
    """Return in how many slices an object is looked for at least, where nobody says.

    Specks of one slice are most of what is wrong in a stack; in a movie, or in a few
    slices far apart, an object of one slice may be a whole one.

    Parameters
    ----------
    slices
        Along the axis that objects are linked through.
    through_depth
        Whether that axis is one of space.
    """
    return 2 if through_depth and slices >= _THIN_STACK else 1


@dataclass(frozen=True)
class LinkOptions:
    """When objects of two slices are one object.

    Parameters
    ----------
    least_covered
        Smallest intersection of two slices of one object, over the smaller area. (A
        bound on the intersection over union itself loses the caps of round objects,
        whose area halves from slice to slice.)
    least_iou
        Smallest intersection over union of neighbouring slices of one object. Above 0 it
        parts objects that lie on each other, and cuts off caps too.
    gap
        In how many slices in a row an object may be missing. Nothing in between confirms
        that the ends are one object, so they must agree more closely: their intersection,
        less what other objects take of it in between, is 0.7 of their union or more.
    anisotropy
        Distance of two slices over the size of a pixel. A gap is bridged only where it
        is thinner than the object is wide.
    least_slices
        Objects found in fewer slices are left out, unless the border of the stack (or of
        the chosen slices) cuts them. 1 keeps all.
    """

    least_covered: float = 0.5
    least_iou: float = 0.0
    gap: int = 1
    anisotropy: float = 1.0
    least_slices: int = 1

    def __post_init__(self) -> None:
        if not 0.0 < self.least_covered <= 1.0:
            raise RequestError(f"An overlap lies in 0..1, got {self.least_covered!r}.")
        if not 0.0 <= self.least_iou <= 1.0:
            raise RequestError(f"An overlap lies in 0..1, got {self.least_iou!r}.")
        if self.gap < 0:
            raise RequestError(f"A gap has 0 slices or more, not {self.gap}.")
        if self.least_slices < 1:
            raise RequestError(f"An object has 1 slice or more, not {self.least_slices}.")
        if not 0.0 < self.anisotropy < inf:
            raise RequestError(f"The anisotropy is above 0, got {self.anisotropy!r}.")

    @property
    def reach(self) -> int:
        """How far apart two linked slices can be, in slices."""
        return self.gap + 1
