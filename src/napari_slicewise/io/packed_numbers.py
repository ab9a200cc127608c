"""A number for each object of a slice as text, in a fifth of the room that JSON takes."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import numpy as np

__all__ = ["pack_numbers", "unpack_numbers"]

_ROW = np.dtype([("object", "<u4"), ("value", "<f4")])


def pack_numbers(values: Mapping[int, float]) -> str:
    """Return values of 32 bits by the objects' numbers as text: base64 of both, in pairs."""
    rows = np.array(sorted(values.items()), dtype=_ROW)
    return base64.b64encode(rows.tobytes()).decode("ascii")


def unpack_numbers(text: str) -> dict[int, float]:
    """Return what :func:`pack_numbers` was given.

    Raises
    ------
    ValueError
        When the text is none of its own.
    """
    rows = np.frombuffer(base64.b64decode(text, validate=True), _ROW)
    return dict(zip(rows["object"].tolist(), rows["value"].tolist(), strict=True))
