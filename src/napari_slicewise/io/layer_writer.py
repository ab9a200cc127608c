"""napari's File > Save for labels and images: layer data to TIFF or OME-Zarr."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_slicewise.errors import OutputError
from napari_slicewise.io.class_table import Color
from napari_slicewise.io.image_info import PIXEL, Axis, Channel
from napari_slicewise.io.outputs import write_picture
from napari_slicewise.io.picture import Kind, Picture
from napari_slicewise.io.plain_values import plain
from napari_slicewise.io.saved_labels import SAVED
from napari_slicewise.io.units import clean_unit, step_of

__all__ = ["layer_axes", "write_image_layer", "write_labels_layer"]


def write_labels_layer(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Save a labels layer with its sizes, units, axis names and provenance.

    Parameters
    ----------
    path
        The file.
    data
        The layer's array.
    meta
        The layer's attributes, as napari hands them to writers.

    Returns
    -------
    The path that was written.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    written = _write(path, data, meta, "labels")
    SAVED.tell(data, Path(written[0]))
    return written


def write_image_layer(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Save an image layer with its sizes, units, axis names; of a pyramid, the full size.

    Parameters
    ----------
    path
        The file.
    data
        The layer's array, or the arrays of its pyramid.
    meta
        The layer's attributes, as napari hands them to writers.

    Returns
    -------
    The path that was written.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    return _write(path, data, meta, "image")


def layer_axes(meta: Mapping[str, Any], shape: Sequence[int]) -> tuple[Axis, ...]:
    """Return the axes of a layer, names and units cleaned.

    Parameters
    ----------
    meta
        The layer's ``scale``, ``units`` and ``axis_labels``, each of which may be missing.
    shape
        Shape of its array without colours.
    """
    ndim = len(shape)
    if ndim < 2:
        raise OutputError(f"Rows and columns are needed, the shape is {tuple(shape)}.")
    scale = _sized(meta.get("scale"), ndim, 1.0)
    units = _sized(meta.get("units"), ndim, PIXEL)
    names = _axis_names(_sized(meta.get("axis_labels"), ndim, ""))
    axes = []
    for name, size, step, unit in zip(names, shape, scale, units, strict=True):
        clean = clean_unit(str(unit))
        positive = step_of(abs(float(step)))
        calibrated = clean is not None and positive is not None
        axes.append(
            Axis(name, int(size), positive or 1.0, clean if calibrated and clean else PIXEL)
        )
    return tuple(axes)


def _write(path: str, data: Any, meta: Mapping[str, Any], kind: Kind) -> list[str]:
    array = data[0] if meta.get("multiscale") or isinstance(data, (list, tuple)) else data
    rgb = int(array.shape[-1]) if meta.get("rgb") else 0
    shape = array.shape[:-1] if rgb else array.shape
    picture = Picture(
        axes=layer_axes(meta, shape),
        kind=kind,
        channels=(Channel(str(meta.get("name") or "")),),
        rgb=rgb,
        provenance=_provenance(meta),
        objects=_features(meta) if kind == "labels" else {},
        colors=_colors(meta) if kind == "labels" else {},
    )
    return [str(write_picture(Path(path), array, picture))]


def _provenance(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of the layer is worth keeping: its name, and how it was made."""
    kept: dict[str, Any] = {"name": str(meta.get("name") or "")}
    metadata = meta.get("metadata")
    if isinstance(metadata, Mapping) and "slicewise" in metadata:
        kept["slicewise"] = plain(metadata["slicewise"])
    return kept


def _features(meta: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the columns of napari's features table, which is pandas'."""
    features = meta.get("features")
    if features is None or len(features) == 0:
        return {}
    return {str(name): list(features[name]) for name in features}


def _colors(meta: Mapping[str, Any]) -> dict[int, Color]:
    """Return the colours of a layer whose labels have one each, by choice and not by chance."""
    chosen = getattr(meta.get("colormap"), "color_dict", None)
    if not isinstance(chosen, Mapping):
        return {}
    return {int(number): _bytes(color) for number, color in chosen.items() if number is not None}


def _bytes(color: Any) -> Color:
    """Return a colour of napari's, 0..1, in bytes."""
    red, green, blue, alpha = (round(255 * float(part)) for part in color)
    return red, green, blue, alpha


def _sized(values: Any, count: int, default: Any) -> list[Any]:
    """Return the last ``count`` values, or defaults where there are not as many."""
    if values is None or len(values) < count:
        return [default] * count
    return list(values)[len(values) - count :]


def _axis_names(labels: Sequence[Any]) -> list[str]:
    """Return names that a file can hold: napari's own are numbers, ``-3`` for the third last."""
    names = [str(label).strip().lower() for label in labels]
    names[-2:] = ["y", "x"]
    spare = [name for name in ("z", "t", "p", "i", "j", "k") if name not in names]
    for position in range(len(names) - 3, -1, -1):
        name = names[position]
        if not name.isalpha() or name in names[position + 1 :] or name == "c":
            names[position] = spare.pop(0) if spare else f"axis{np.int64(position)}"
    return names
