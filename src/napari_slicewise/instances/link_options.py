"""What the linking of slices takes for one object."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from napari_slicewise.errors import RequestError
from napari_slicewise.instances.given import check_real, check_whole

__all__ = ["LinkOptions"]


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
    smallest, largest
        Volumes in voxels, of what is seen of an object; others are left out. None for no limit.
    """

    least_covered: float = 0.5
    least_iou: float = 0.0
    gap: int = 1
    anisotropy: float = 1.0
    least_slices: int = 1
    smallest: int = 0
    largest: int | None = None

    def __post_init__(self) -> None:
        check_real("An overlap", self.least_iou)
        check_real("The anisotropy", self.anisotropy)
        check_whole("A gap in slices", self.gap)
        check_whole("The least number of slices", self.least_slices)
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
    def waits(self) -> bool:
        """Whether later slices decide on which objects stay."""
        return self.least_slices > 1 or self.by_volume

    @property
    def by_volume(self) -> bool:
        """Whether objects are left out for their volume."""
        return self.smallest > 0 or self.largest is not None

    @property
    def reach(self) -> int:
        """How far apart two linked slices can be, in slices."""
        return self.gap + 1
