"""How many there are of something, in words."""

from __future__ import annotations

__all__ = ["counted"]


def counted(count: int, what: str) -> str:
    """Return ``1 slice`` or ``3 slices``."""
    return f"1 {what}" if count == 1 else f"{count} {what}s"
