"""The table of objects beside a result, for spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_slicewise.errors import OutputError
from napari_slicewise.io.atomic_file import check_output, replacing
from napari_slicewise.io.object_table import Columns
from napari_slicewise.io.run_table import RunTable
from napari_slicewise.io.tiff_reader import open_image

__all__ = ["notes_of", "objects_csv", "open_table", "write_objects_csv"]


def objects_csv(result: Path) -> Path:
    """Return where the table of a result goes: ``cells.ome.tif`` has ``cells.objects.csv``."""
    name = result.name
    for ending in (".tif", ".tiff", ".btf", ".tf8", ".zarr", ".ome"):
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    return result.with_name(f"{name}.objects.csv")


def write_objects_csv(result: Path) -> Path:
    """Write the table of objects that a labels file holds, one row an object.

    Raises
    ------
    ImageError
        When the labels cannot be read.
    OutputError
        When the table cannot be written.
    """
    place = objects_csv(result)
    check_output(place, [result])
    with open_image(result) as opened:
        columns = opened.info.objects
    with replacing(place) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id" if name == "index" else name for name in columns])
        writer.writerows(zip(*columns.values(), strict=True))
    return place


def open_table(
    place: Path | None, inputs: Sequence[Path], results: Sequence[Path], *, objects: bool
) -> RunTable | None:
    """Begin the table of inputs, where it destroys nothing.

    Parameters
    ----------
    place
        Where it goes; None for no table.
    inputs
        Files that must survive.
    results
        What else the command writes.
    objects
        Whether a table of objects goes beside each result.

    Raises
    ------
    OutputError
        When it cannot be written, or would replace an input or a result.
    """
    if place is None:
        return None
    check_output(place, inputs)
    tables = [objects_csv(result) for result in results] if objects else []
    if place.resolve() in {path.resolve() for path in (*results, *tables)}:
        raise OutputError(
            f"{place.name} is a result of this command; the report must not replace it.",
            "Choose another name with --report.",
        )
    return RunTable(place)


def notes_of(details: Mapping[str, Any], image: str) -> tuple[dict[str, Any], Columns]:
    """Return what is kept of how a result was made, and what the run knows of its objects.

    Parameters
    ----------
    details
        Of the run's report.
    image
        Name of the image.
    """
    notes = {name: value for name, value in details.items() if name != "parents"}
    parents = details.get("parents") or {}
    columns = {"index": list(parents), "parent": list(parents.values())} if parents else {}
    return {**notes, "image": image}, columns
