"""Objects as GeoJSON, as QuPath reads it: polygons with holes in pixels, slice by slice."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_slicewise.io.atomic_file import check_output, replacing
from napari_slicewise.io.outlines import Outline, slice_outlines
from napari_slicewise.io.source import ArraySource, SliceIndex

__all__ = ["features", "write_geojson"]

_NAMESPACE = uuid.UUID("5d2f3c0e-6a55-4be1-9f0e-0c1c8b7a3a11")


def write_geojson(
    path: Path,
    labels: ArraySource,
    *,
    classes: Mapping[int, str] | None = None,
    inputs: Sequence[str | os.PathLike[str]] = (),
) -> Path:
    """Write the outlines of all objects.

    The outlines run along the edges of the pixels, so nothing is lost or gained.

    Parameters
    ----------
    path
        The file, ``.geojson`` by custom.
    labels
        The labels; the last leading axis is taken for z, the one before for time.
    classes
        Class names by object number.
    inputs
        Files that must survive.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    check_output(path, inputs)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [\n')
        before = ""
        for feature in features(labels, classes):
            file.write(before + json.dumps(feature, separators=(",", ":")))
            before = ",\n"
        file.write("\n]}\n")
    return path


def features(
    labels: ArraySource, classes: Mapping[int, str] | None = None
) -> Iterator[dict[str, Any]]:
    """Iterate over one GeoJSON feature an object and slice; see :func:`write_geojson`."""
    names = classes or {}
    for index in labels.indices():
        for number, pieces in slice_outlines(labels.read_slice(index)[0]):
            yield _feature(number, pieces, index, names.get(number, ""))


def _feature(
    number: int, pieces: list[Outline], index: SliceIndex, class_name: str
) -> dict[str, Any]:
    polygons = [[_closed(ring) for ring in (piece.shell, *piece.holes)] for piece in pieces]
    single = len(polygons) == 1
    z, t = (index[-1] if index else 0), (index[-2] if len(index) > 1 else 0)
    properties: dict[str, Any] = {
        "objectType": "annotation",
        "name": str(number),
        "measurements": {"Label": number},
    }
    if class_name:
        properties["classification"] = {"name": class_name}
    return {
        "type": "Feature",
        "id": str(uuid.uuid5(_NAMESPACE, f"{number}:{index}")),
        "geometry": {
            "type": "Polygon" if single else "MultiPolygon",
            "coordinates": polygons[0] if single else polygons,
            "plane": {"c": -1, "z": z, "t": t},
        },
        "properties": properties,
    }


def _closed(ring: Any) -> list[list[int]]:
    points: list[list[int]] = ring.tolist()
    return [*points, points[0]]
