"""The group ``labels`` of an OME-Zarr image, which lists the labels that belong to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from napari_slicewise.io.atomic_file import replacing
from napari_slicewise.io.zarr_document import Version
from napari_slicewise.io.zarr_metadata import ZarrNode, read_node

__all__ = ["labels_version", "register_labels"]


def labels_version(path: Path) -> Version | None:
    """Return the version of the image that a path such as ``image.zarr/labels/nuclei`` is in.

    Parameters
    ----------
    path
        Where labels are to be written; None is returned when that is not in an image.
    """
    node = _image_of(path)
    if node is None:
        return None
    return "0.5" if (node.folder / "zarr.json").exists() else "0.4"


def register_labels(path: Path, version: Version) -> None:
    """Add labels to the list of the image that they were written into.

    Parameters
    ----------
    path
        Where the labels are; nothing is done when that is not in an image.
    version
        The version of the image.

    Raises
    ------
    OutputError
        When the list cannot be written.
    """
    if _image_of(path) is None:
        return
    group = path.parent
    node = read_node(group)
    listed = [str(name) for name in node.ome.get("labels", ())] if node is not None else []
    names = [*listed, path.name] if path.name not in listed else listed
    if version == "0.4":
        _write(group / ".zgroup", {"zarr_format": 2})
        _write(group / ".zattrs", {"labels": names})
    else:
        attributes = {"ome": {"version": version, "labels": names}}
        _write(
            group / "zarr.json",
            {"zarr_format": 3, "node_type": "group", "attributes": attributes},
        )


def _image_of(path: Path) -> ZarrNode | None:
    if path.parent.name != "labels":
        return None
    node = read_node(path.parent.parent)
    return node if node is not None and "multiscales" in node.ome else None


def _write(path: Path, document: dict[str, Any]) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(document, indent=2), "utf-8")
