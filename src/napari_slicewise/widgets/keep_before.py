"""What a labels layer was, before it is kept here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Before"]


@dataclass(frozen=True)
class Before:
    """What a layer brings along from an earlier journal.

    Parameters
    ----------
    states
        What was noted there.
    edits
        Edits by hand that the labels hold.
    journal
        The file, which goes once the new journal has all of it.
    """

    states: dict[str, Any] = field(default_factory=dict)
    edits: int = 0
    journal: Path | None = None
