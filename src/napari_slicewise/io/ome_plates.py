"""Screens in OME-XML: in which well, and in which field of it, an image was taken."""

from __future__ import annotations

from xml.etree import ElementTree as ET

__all__ = ["well_name", "well_places"]


def well_places(root: ET.Element) -> dict[str, str]:
    """Return the place of each image that belongs to a plate, such as ``B03 field 2``.

    Parameters
    ----------
    root
        The OME document.

    Returns
    -------
    Places by the images' IDs; empty where there is no plate.
    """
    places: dict[str, str] = {}
    for well in root.iter():
        if _tag(well) != "Well":
            continue
        row, column = well.get("Row", ""), well.get("Column", "")
        if not (row.isdigit() and column.isdigit()):
            continue
        samples = [node for node in well if _tag(node) == "WellSample"]
        for number, sample in enumerate(samples, start=1):
            for node in sample:
                if _tag(node) == "ImageRef" and node.get("ID"):
                    places[node.attrib["ID"]] = f"{well_name(int(row), int(column))} field {number}"
    return places


def well_name(row: int, column: int) -> str:
    """Return the name of a well as plates are printed: ``B03``, and ``AA`` after ``Z``.

    Parameters
    ----------
    row, column
        Counted from 0.
    """
    letters = ""
    row += 1
    while row:
        row, rest = divmod(row - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return f"{letters}{column + 1:02d}"


def _tag(node: ET.Element) -> str:
    return node.tag.rpartition("}")[2]
