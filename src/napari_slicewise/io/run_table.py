"""A table of what became of each input, written as the work goes on."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from napari_slicewise.io.atomic_file import explain_output

__all__ = ["RunRow", "RunTable"]


@dataclass(frozen=True)
class RunRow:
    """What became of one input.

    Parameters
    ----------
    input, output
        The image, and where its result is.
    status
        ``skipped``: a file that belongs to an image that is done already.
    slices
        Slices of the result.
    resumed
        How many of them an earlier run had finished.
    objects
        Numbered objects; empty where none are counted.
    seconds
        Of this run, reading and writing included.
    device, precision
        What the network ran on.
    fallbacks
        What had to be done otherwise than planned.
    error
        Why it failed or was skipped.
    """

    input: str
    output: str
    status: Literal["done", "failed", "skipped"]
    slices: int | None = None
    resumed: int | None = None
    objects: int | None = None
    seconds: float | None = None
    device: str = ""
    precision: str = ""
    fallbacks: str = ""
    error: str = ""


class RunTable:
    """A CSV file that holds each row as soon as it is added, whatever happens later.

    Parameters
    ----------
    path
        The file; what was there is replaced.

    Raises
    ------
    OutputError
        When it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._write([field.name for field in fields(RunRow)], "w")

    def add(self, row: RunRow) -> None:
        """Add a row.

        Raises
        ------
        OutputError
            When it cannot be written.
        """
        self._write(asdict(row).values(), "a")

    def _write(self, values: Iterable[object], mode: Literal["w", "a"]) -> None:
        with (
            explain_output(self._path),
            self._path.open(mode, newline="", encoding="utf-8") as file,
        ):
            csv.writer(file).writerow(values)
            file.flush()
            os.fsync(file.fileno())
