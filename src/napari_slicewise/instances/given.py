"""What people gave as a number: whether it is one, and whether it lies where it must."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from napari_slicewise.errors import RequestError

__all__ = ["check_pixel_size", "check_real", "check_share", "check_whole"]


def check_pixel_size(size: Any) -> None:
    """Refuse what is no size of a pixel in um, ``(y, x)``.

    Raises
    ------
    RequestError
        When it is not two numbers above 0.
    """
    sides = list(size) if isinstance(size, Sequence | np.ndarray) else []
    if len(sides) != 2 or not all(
        isinstance(side, Real) and 0.0 < float(side) < math.inf for side in sides
    ):
        raise RequestError(
            f"A pixel size is (y, x), two numbers of um above 0, not {size!r}.",
            "Give one such as pixel_um=(0.5, 0.5), or leave it out.",
        )


def check_share(what: str, value: Any) -> None:
    """Refuse what is no share; None passes.

    Raises
    ------
    RequestError
        When it is no number in 0..1.
    """
    if value is not None and not (isinstance(value, Real) and 0.0 <= float(value) <= 1.0):
        raise RequestError(f"{what} must lie in 0..1, got {value!r}.")


def check_real(what: str, value: Any) -> None:
    """Refuse what is no number.

    Raises
    ------
    RequestError
        When it is text, a list, or the like.
    """
    if not isinstance(value, Real):
        raise RequestError(f"{what} must be a number, got {value!r}.")


def check_whole(what: str, value: Any) -> None:
    """Refuse what is no whole number; a truth value is none.

    Raises
    ------
    RequestError
        When it is a fraction, text, or the like.
    """
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise RequestError(f"{what} must be a whole number, got {value!r}.")
