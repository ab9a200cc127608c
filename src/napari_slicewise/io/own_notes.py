"""What our own writer notes in a file, and finds there again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["NOTES_KEY", "OBJECTS_KEY", "read_notes", "write_notes"]

NOTES_KEY = "napari-slicewise"
"""Key of the OME map annotation, and of the line in ImageJ's info text."""

OBJECTS_KEY = "napari-slicewise/objects"
"""Namespace of the OME comment annotation that holds the table of objects."""


def write_notes(notes: Mapping[str, Any]) -> str:
    """Return notes as one line of JSON."""
    text = json.dumps(notes, ensure_ascii=False, default=str)
    if text.isascii() or text.encode("utf-8", "replace").decode() == text:
        return text
    return json.dumps(notes, default=str)  # names of files may hold what is no text


def read_notes(text: object) -> dict[str, Any]:
    """Find the notes in a line of JSON or in ImageJ's info text; empty where there are none."""
    if not isinstance(text, str):
        return {}
    for line in text.splitlines() or [text]:
        candidate = line.strip().removeprefix(f"{NOTES_KEY} = ").removeprefix(f"{NOTES_KEY}: ")
        if candidate.startswith("{") and (candidate != line.strip() or text.startswith("{")):
            try:
                notes = json.loads(candidate)
            except json.JSONDecodeError:
                continue
            if isinstance(notes, dict):
                return notes
    return {}
