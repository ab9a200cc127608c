"""How pixels become objects, and objects of neighbouring slices one object: what can be asked for.

One frozen object travels from the window, the command line and Python to the engine, and
is checked here alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from napari_slicewise.errors import RequestError
from napari_slicewise.instances.given import check_real, check_share
from napari_slicewise.instances.link_options import LinkOptions
from napari_slicewise.instances.sizes import Size, as_size
from napari_slicewise.instances.tracking import check_tracking

__all__ = ["ImageGrid", "ObjectOptions"]

_THIN_STACK = 5  # slices: below, an object of one slice may well be whole
_USUAL_THRESHOLD = 0.5
_BELIEVABLE = 1e-20, 1e20  # um or um2: what lies outside is a mistake, and tells nothing


@dataclass(frozen=True)
class ImageGrid:
    """What an image tells of its slices, as far as objects are concerned.

    Parameters
    ----------
    axis
        Name of the axis that objects are linked through, the last leading one: ``z``,
        ``t``; empty where it has none.
    slices
        Along that axis; 0 where there is no such axis.
    pixel_um2
        Area of a pixel; None where it is not known.
    step_um
        Distance of two slices; None where it is not known, or no length.
    """

    axis: str = ""
    slices: int = 0
    pixel_um2: float | None = None
    step_um: float | None = None

    def __post_init__(self) -> None:
        for name in ("pixel_um2", "step_um"):
            size = getattr(self, name)
            if size is not None and not _BELIEVABLE[0] < size < _BELIEVABLE[1]:
                object.__setattr__(self, name, None)

    @property
    def anisotropy(self) -> float | None:
        """Distance of two slices over the size of a pixel; None where either is not known."""
        if self.pixel_um2 is None or self.step_um is None:
            return None
        return self.step_um / math.sqrt(self.pixel_um2)

    @property
    def usual_least_slices(self) -> int:
        """In how many slices an object is looked for at least, where nobody says.

        Specks of one slice are most of what is wrong in a stack; in a movie, or in a few
        slices far apart, an object of one slice may be a whole one.
        """
        name = self.axis.casefold()
        through_depth = name == "z" or (self.step_um is not None and name not in ("t", "c"))
        return 2 if through_depth and self.slices >= _THIN_STACK else 1

    def check_directions(self, directions: str) -> None:
        """Refuse to look along other axes than that of the slices where there is no depth.

        Raises
        ------
        RequestError
            For a single slice, a movie, or channels.
        """
        if directions != "z" and (self.slices < 2 or self.axis.casefold() in ("t", "c")):
            found = f"slices along {self.axis}" if self.slices > 1 else "a single slice"
            raise RequestError(
                f"Only a stack can be seen from several sides, this is {found}.",
                "Choose one direction.",
            )


@dataclass(frozen=True)
class ObjectOptions:
    """How pixels become objects, and objects of neighbouring slices one object.

    Parameters
    ----------
    threshold
        Foreground probability of a pixel that belongs to an object, 0..1; None takes the
        model's own.
    split
        Whether touching objects are split.
    split_strength
        How easily, from 0 (never) to 1 (at the least dent in the landscape); 0.5 is what
        the models are tested with.
    smallest
        Objects that are smaller are left out: in pixels of a slice, or a :class:`Size`, or one
        as text. ``20um2`` is an area in each slice, ``50um3`` the volume of a linked object.
    largest
        Objects that are larger are left out; None keeps them.
    core_threshold
        An object holds a pixel of at least this foreground probability, 0..1 (a threshold
        with hysteresis); None asks for no more than ``threshold``.
    smoothing
        Standard deviation in pixels of the Gaussian that smooths outlines, 0 for none.
    holes
        Holes of up to this area are filled: in pixels, or a :class:`Size`.
    border
        Whether objects at the border of a slice are kept.
    link
        Whether objects keep their number through the last leading axis.
    track
        Whether the objects of a movie are followed by laptrack, divisions and all, instead of
        linked by their overlap.
    least_iou
        Smallest intersection over union of a linked object in neighbouring slices, 0..1.
    gap
        In how many slices in a row a linked object may be missing.
    anisotropy
        Distance of two slices over the size of a pixel, for the linking; None takes the
        image's, and 1 where it does not say.
    least_slices
        Linked objects found in fewer slices are left out, unless the border of the stack
        cuts them; 1 keeps all. None takes the usual (:meth:`settled`): 2 in a stack of 5
        slices or more, else 1.

    Raises
    ------
    RequestError
        When no object can be like that.
    """

    threshold: float | None = None
    split: bool = True
    split_strength: float = 0.5
    smallest: int | str | Size = 16
    largest: int | str | Size | None = None
    core_threshold: float | None = None
    smoothing: float = 0.0
    holes: int | str | Size = 0
    border: bool = True
    link: bool = True
    track: bool = False
    least_iou: float = 0.0
    gap: int = 1
    anisotropy: float | None = None
    least_slices: int | None = None

    def __post_init__(self) -> None:
        check_share("The threshold", self.threshold)
        check_share("The threshold of cores", self.core_threshold)
        check_share("Splitting", self.split_strength)
        check_real("Smoothing", self.smoothing)
        for name in ("smallest", "largest", "holes"):
            object.__setattr__(self, name, as_size(name, getattr(self, name)))
        if isinstance(self.holes, Size) and self.holes.of_volume:
            raise RequestError(f"Holes of {self.holes} are in a slice.", "Give px or um2.")
        one, other = _comparable(self.smallest), _comparable(self.largest)
        if isinstance(self.largest, int) and self.largest < 1:
            raise RequestError(f"The largest object has 1 pixel or more, not {self.largest}.")
        if one is not None and other is not None and one[0] == other[0] and other[1] < one[1]:
            raise RequestError(
                f"No object has at most {_say(self.largest)} and at least {_say(self.smallest)}."
            )
        if not 0.0 <= self.smoothing <= 100.0:
            raise RequestError(f"Outlines are smoothed by 0 to 100 pixels, not {self.smoothing}.")
        self._links()

    @property
    def cut(self) -> float:
        """The threshold; 0.5 where it is left to a model, and no model was asked."""
        return _USUAL_THRESHOLD if self.threshold is None else self.threshold

    @property
    def areas(self) -> tuple[int, int | None]:
        """The least and the largest area of an object in a slice, in pixels; None: any."""
        largest = None if self.largest is None or _is_volume(self.largest) else self.largest
        smallest = 0 if _is_volume(self.smallest) else self.smallest
        return _pixels(smallest), None if largest is None else _pixels(largest)

    @property
    def hole_pixels(self) -> int:
        """The largest hole that is filled, in pixels."""
        return _pixels(self.holes)

    @property
    def links(self) -> LinkOptions:
        """When objects of two slices are one; where it is open, as if nothing were known."""
        return replace(
            self._links(),
            smallest=_pixels(self.smallest) if _is_volume(self.smallest) else 0,
            largest=_pixels(self.largest) if _is_volume(self.largest) else None,
        )

    def _links(self) -> LinkOptions:
        return LinkOptions(
            least_iou=self.least_iou,
            gap=self.gap,
            anisotropy=1.0 if self.anisotropy is None else self.anisotropy,
            least_slices=1 if self.least_slices is None else self.least_slices,
        )

    @property
    def waits(self) -> bool:
        """Whether later slices decide on which linked objects stay, or are one."""
        return self.link and (self.track or self.links.waits)

    def at(self, threshold: float) -> ObjectOptions:
        """Return these options with a threshold in them."""
        return replace(self, threshold=threshold)

    def alone(self) -> ObjectOptions:
        """Return these options for slices that are numbered each for itself."""
        smallest, largest = self.areas
        return replace(
            self, link=False, track=False, least_slices=1, smallest=smallest, largest=largest
        )

    def settled(self, grid: ImageGrid | None = None) -> ObjectOptions:
        """Decide what was left open, and turn sizes into pixels: the one place for both.

        Parameters
        ----------
        grid
            What is known of the image; None for nothing.

        Raises
        ------
        RequestError
            When a size is in um2 or um3, and the image does not tell how large a pixel is; when
            it is a volume, and objects are not linked.
        """
        if self.track:
            check_tracking("" if grid is None else grid.axis, link=self.link)
            if grid is not None and grid.slices == 0:
                raise RequestError(
                    "A movie has an axis of time, this is a single slice.",
                    "Leave out the tracking.",
                )
        # A wider gap than the stack finds nothing more, and costs memory.
        gap = self.gap if grid is None else min(self.gap, grid.slices)
        grid = grid or ImageGrid()
        anisotropy = grid.anisotropy if self.anisotropy is None else self.anisotropy
        least = grid.usual_least_slices if self.least_slices is None else self.least_slices
        return replace(
            self,
            gap=gap,
            anisotropy=1.0 if anisotropy is None else anisotropy,
            least_slices=least,
            smallest=self._counted(self.smallest, grid),
            largest=None if self.largest is None else self._counted(self.largest, grid),
            holes=self._counted(self.holes, grid),
        )

    def _counted(self, size: int | str | Size, grid: ImageGrid) -> int | Size:
        if not isinstance(size, Size):
            return _pixels(size)
        if not size.of_volume:
            return size.counted(grid.pixel_um2, None)
        if not self.link:
            raise RequestError(
                f"A size of {size} is one of linked objects.", "Link them, or give px or um2."
            )
        step = None if grid.axis.casefold() in ("t", "c") else grid.step_um
        return Size(size.counted(grid.pixel_um2, step), "voxels")


def _is_volume(size: int | str | Size | None) -> bool:
    return isinstance(size, Size) and size.of_volume


def _pixels(size: int | str | Size | None) -> int:
    """Return a size in pixels or voxels, which it is when it was settled."""
    return size.counted(None, None) if isinstance(size, Size) else int(size or 0)


def _comparable(size: int | str | Size | None) -> tuple[str, float] | None:
    """Return the unit of a size, and how many of it."""
    if size is None:
        return None
    return (size.unit, size.value) if isinstance(size, Size) else ("px", float(size))


def _say(size: int | str | Size | None) -> str:
    return str(size) if isinstance(size, Size) else f"{size} pixels"
