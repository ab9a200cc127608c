"""Sizes of objects in the units that people think in."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, get_args

from napari_slicewise.errors import RequestError

__all__ = ["Size", "Unit", "as_size"]

Unit = Literal["px", "um2", "um3", "voxels"]
_WRITTEN = re.compile(r"\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*([a-zµμ]+[23²³]?)?\s*", re.IGNORECASE)
_SPELLINGS: dict[str, Unit] = {
    "": "px",
    "px": "px",
    "pixel": "px",
    "pixels": "px",
    "px2": "px",
    "um2": "um2",
    "um3": "um3",
    "voxel": "voxels",
    "voxels": "voxels",
    "px3": "voxels",
}


@dataclass(frozen=True)
class Size:
    """A size of an object: an area in each slice, or the volume of a linked object.

    Parameters
    ----------
    value
        How much.
    unit
        ``px`` and ``um2``: in each slice; ``voxels`` and ``um3``: of all its slices.

    Raises
    ------
    RequestError
        When there is no such size.
    """

    value: float
    unit: Unit = "px"

    def __post_init__(self) -> None:
        if self.unit not in get_args(Unit):
            raise RequestError(
                f"There is no unit {self.unit!r} of sizes.", "Use px, um2, voxels or um3."
            )
        if not (math.isfinite(self.value) and self.value >= 0):
            raise RequestError(f"A size is 0 or more, not {self.value!r}.")

    @classmethod
    def parse(cls, text: str) -> Size:
        """Read a size such as ``16``, ``16px``, ``20 um2``, ``50um3`` or ``50 µm³``.

        Raises
        ------
        RequestError
            When it is none.
        """
        found = _WRITTEN.fullmatch(text)
        unit = _plain(found[2] or "") if found else None
        try:
            if found is not None and unit in _SPELLINGS:
                return cls(float(found[1]), _SPELLINGS[unit])
        except ValueError:  # 1.2.3
            pass
        raise RequestError(
            f"{text!r} is no size.", "Write one like 16px, 20um2 or 50um3, without a sign."
        )

    @property
    def of_volume(self) -> bool:
        """Whether it is one of all slices of an object together."""
        return self.unit in ("voxels", "um3")

    def counted(self, pixel_um2: float | None, step_um: float | None) -> int:
        """Return it in pixels or voxels, rounded.

        Parameters
        ----------
        pixel_um2
            Area of a pixel; None where it is not known.
        step_um
            Distance of two slices; None where it is not known.

        Raises
        ------
        RequestError
            When the image does not tell how large a pixel is.
        """
        if self.unit in ("px", "voxels"):
            return round(self.value)
        if pixel_um2 is None:
            raise RequestError(
                f"A size of {self} was asked for, but the image does not tell its pixel size.",
                "Give the size in px, or write the pixel size into the image.",
            )
        if self.unit == "um2":
            return round(self.value / pixel_um2)
        if step_um is None:
            raise RequestError(
                f"A size of {self} was asked for, but the image has no depth, or does not tell "
                "the distance of its slices.",
                "Give the size in um2 or px, or write the distance into the image.",
            )
        return round(self.value / (pixel_um2 * step_um))

    def __str__(self) -> str:
        return f"{self.value:g} {self.unit}"


def as_size(name: str, size: Any) -> int | Size | None:
    """Return a size as whole pixels, or in another unit; text is read.

    Parameters
    ----------
    name
        Of the option that holds it.
    size
        As it was given.

    Raises
    ------
    RequestError
        When it is no size.
    """
    if isinstance(size, str):
        size = Size.parse(size)
    if isinstance(size, Size):
        return round(size.value) if size.unit == "px" else size
    what = "A hole" if name == "holes" else f"The {name} object"
    if size is not None and not (isinstance(size, Real) and math.isfinite(size)):
        raise RequestError(f"{what} has a size such as 16 or '20um2', not {size!r}.")
    if size is not None and size < 0:
        raise RequestError(f"{what} has 0 pixels or more, not {size}.")
    return None if size is None else math.trunc(float(size))


def _plain(unit: str) -> str:
    """Write a unit with the letters of a keyboard."""
    for special, usual in (("µ", "u"), ("μ", "u"), ("²", "2"), ("³", "3")):
        unit = unit.replace(special, usual)
    return unit.casefold()
