"""What the linking of slices wants to know of an image layer: its depth, its anisotropy."""

from __future__ import annotations

import math
from typing import Any

from napari.layers import Image

from napari_slicewise.instances.link_options import usual_least_slices
from napari_slicewise.io.source import ArraySource

__all__ = ["anisotropy", "pixel_um2", "usual_depth"]


def anisotropy(image: Image, source: ArraySource) -> float:
    """Return the distance of two slices over the size of a pixel; 1 where either is not known."""
    if not source.leading_axes:
        return 1.0
    steps = [_micrometres(image, axis) for axis in (source.leading_axes[-1], *source.plane)]
    if any(step is None for step in steps):
        return 1.0
    through, rows, columns = (step or 1.0 for step in steps)
    return through / math.sqrt(rows * columns)


def usual_depth(image: Image, source: ArraySource) -> int:
    """Return in how many slices an object lies at least, as far as the image tells."""
    if not source.leading_axes:
        return 1
    axis = source.leading_axes[-1]
    name = str(image.axis_labels[axis]).casefold() if axis < image.ndim else ""
    through_depth = name == "z" or (name != "t" and _micrometres(image, axis) is not None)
    return usual_least_slices(source.leading_shape[-1], through_depth=through_depth)


def pixel_um2(image: Image, source: ArraySource) -> float | None:
    """Return the area of a pixel in um2; None where it is not known."""
    rows, columns = (_micrometres(image, axis) for axis in source.plane)
    return None if rows is None or columns is None else rows * columns


def _micrometres(image: Image, axis: int) -> float | None:
    """Return the step along an axis; None where its unit is no length."""
    if axis >= image.ndim:
        return None
    unit: Any = image.units[axis]
    if not (1 * unit).check("[length]"):
        return None
    step = abs(float(image.scale[axis]))
    found = float((step * unit).to("micrometer").magnitude)
    return found if math.isfinite(found) and found > 0 else None
