"""Which images of a batch are done, so that a batch that was stopped does none twice."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from napari_slicewise.io.fingerprint import fingerprint
from napari_slicewise.io.run_record import RunRecord
from napari_slicewise.io.run_table import RunRow

__all__ = ["BatchRecord"]


class BatchRecord:
    """Kept in the folder of results until every image of the batch is done.

    Parameters
    ----------
    folder
        The folder of results; None for a single image, of which nothing is kept.
    restart
        Whether to begin anew.
    """

    def __init__(self, folder: Path | None, *, restart: bool) -> None:
        self._record = None if folder is None else RunRecord(folder / ".slicewise-batch.jsonl")
        if self._record is not None and restart:
            self._record.path.unlink(missing_ok=True)
        self._entries = [] if self._record is None else self._record.read()

    def row_of(self, identity: Mapping[str, Any], out: Path) -> RunRow | None:
        """Return the row of an image that is done, in the same way, and whose result is there.

        Parameters
        ----------
        identity
            All that decides the result.
        out
            The result.
        """
        for entry in reversed(self._entries):
            if entry.get("identity") == dict(identity) and out.exists():
                with contextlib.suppress(OSError):
                    if entry.get("result") == fingerprint([out]):
                        return RunRow(**entry["row"])
        return None

    def add(self, identity: Mapping[str, Any], out: Path, row: RunRow) -> None:
        """Take notice of an image that is done."""
        if self._record is not None:
            entry = {"identity": dict(identity), "result": fingerprint([out]), "row": asdict(row)}
            self._record.add(entry)

    def finish(self) -> None:
        """Forget: all are done, and the same command will do them anew."""
        if self._record is not None:
            self._record.path.unlink(missing_ok=True)
