"""What the shaping and linking of objects wants to know of an image layer."""

from __future__ import annotations

import math
from typing import Any

from napari.layers import Image

from napari_slicewise.instances.options import ImageGrid
from napari_slicewise.io.source import ArraySource

__all__ = ["image_grid", "pixel_um"]


def pixel_um(image: Image, plane: tuple[int, int]) -> tuple[float, float] | None:
    """Return the size of a pixel in um, ``(y, x)``; None where it is not known."""
    rows, columns = (_micrometres(image, axis) for axis in plane)
    return None if rows is None or columns is None else (rows, columns)


def image_grid(image: Image, source: ArraySource) -> ImageGrid:
    """Return what a layer tells of its slices."""
    size = pixel_um(image, source.plane)
    area = None if size is None else size[0] * size[1]
    if not source.leading_axes:
        return ImageGrid(pixel_um2=area)
    axis = source.leading_axes[-1]
    name = str(image.axis_labels[axis]) if axis < image.ndim else ""
    return ImageGrid(name, source.leading_shape[-1], area, _micrometres(image, axis))


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
