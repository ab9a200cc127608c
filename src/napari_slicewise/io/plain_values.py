"""Metadata as plain values, which can be saved, compared and sent to another process."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["plain"]

_LONGEST = 1000  # values of a list that are worth keeping


def plain(value: Any) -> Any:
    """Return the value as dicts, lists, strings and numbers; raw bytes as their count."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist() if value.size <= _LONGEST else f"array of shape {value.shape}"
    if isinstance(value, (list, tuple, set)):
        return [plain(entry) for entry in list(value)[:_LONGEST]]
    if isinstance(value, (dt.datetime, dt.date)):
        return value.isoformat()
    return str(value)
