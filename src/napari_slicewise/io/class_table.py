"""Names and colours of classes, as a table of labels holds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["Color", "class_colors", "class_columns", "read_colors"]

Color = tuple[int, int, int, int]
"""Red, green, blue and opacity, 0..255."""

# Okabe and Ito, https://jfly.uni-koeln.de/color: told apart by colour-blind people, too. Without
# its black, which no microscope image shows.
_COLORS = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)


def class_columns(names: Sequence[str]) -> dict[str, list[Any]]:
    """Return the table of classes: ``index``, the value in the labels, and ``class``, its name.

    Parameters
    ----------
    names
        Of the values 0, 1, 2 ..., the background first.
    """
    return {"index": list(range(len(names))), "class": list(names)}


def class_colors(count: int) -> dict[int, Color]:
    """Return a colour for each class; one class always has the same, whatever the others.

    Parameters
    ----------
    count
        Number of classes, the background included, which is transparent.
    """
    return {0: (0, 0, 0, 0)} | {number: _color(number) for number in range(1, count)}


def read_colors(entries: object) -> dict[int, Color]:
    """Return colours of labels from OME-Zarr's list; what is none is passed over.

    Parameters
    ----------
    entries
        ``colors`` of ``image-label``.
    """
    found: dict[int, Color] = {}
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict):
            continue
        number: Any = entry.get("label-value")
        color: Any = entry.get("rgba")
        if isinstance(number, float) and number.is_integer():  # the format has it so
            number = int(number)
        fits = isinstance(color, list) and len(color) == 4 and all(map(_is_byte, color))
        if isinstance(number, int) and fits:
            found[number] = (color[0], color[1], color[2], color[3])
    return found


def _is_byte(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= 255


def _color(number: int) -> Color:
    """Return a colour of the cycle; paler in the second round, and so on."""
    rounds, place = divmod(number - 1, len(_COLORS))
    share = 0.5 ** (rounds % 4)  # of the colour itself; the rest is white
    red, green, blue = (round(255 - share * (255 - part)) for part in _COLORS[place])
    return red, green, blue, 255
