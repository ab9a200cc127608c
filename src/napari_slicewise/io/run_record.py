"""A record that survives a kill: lines are only added, and each says whether it is whole."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["RunRecord"]


class RunRecord:
    """Lines of JSON in a file, each with a checksum; on the disk before :meth:`add` returns.

    A line that was torn by a kill, or damaged, is passed over. The file is opened for each
    line anew, so that nothing is held open between them.

    Parameters
    ----------
    path
        The file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[dict[str, Any]]:
        """Return the lines that are whole, in the order in which they were added."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        entries = (_entry(line) for line in lines)
        return [entry for entry in entries if entry is not None]

    def add(self, entry: Mapping[str, Any]) -> None:
        """Add a line of plain values.

        Raises
        ------
        OSError
            When the disk is full, or refuses.
        """
        text = json.dumps(dict(entry), sort_keys=True)
        line = json.dumps({"crc": zlib.crc32(text.encode()), "entry": text}) + "\n"
        with self.path.open("ab") as file:
            # A torn line before this one must not swallow it.
            start = b"" if _ends_with_newline(self.path) else b"\n"
            file.write(start + line.encode())
            file.flush()
            os.fsync(file.fileno())


def _entry(line: bytes) -> dict[str, Any] | None:
    """Return what a line says, None where it is not whole."""
    try:
        outer = json.loads(line)
        text = outer["entry"]
        if zlib.crc32(text.encode()) != outer["crc"]:
            return None
        entry = json.loads(text)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return entry if isinstance(entry, dict) else None


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
