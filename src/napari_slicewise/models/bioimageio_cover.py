"""Small pictures of what a model is for, without torch: for the model picker."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml  # a dependency of napari's
from numpy.typing import NDArray
from PIL import Image  # a dependency of napari's

from napari_slicewise.errors import ModelError
from napari_slicewise.models.bioimageio_archive import PackageFiles

__all__ = [
    "LARGEST_DESCRIPTION",
    "SIDE",
    "cover_thumbnail",
    "draw_cover",
    "outlined",
    "shrink_picture",
]

SIDE = 96
"""Pixels of a thumbnail's longer side."""

LARGEST_DESCRIPTION = 128 << 10
"""Bytes of a description; those of the model zoo have 4,000 to 30,000."""

_LARGEST_COVER = 4 << 20  # bytes; bioimage.io asks for less than 500 KB
_MOST_PIXELS = 16 << 20
_FORMATS = ("PNG", "JPEG", "GIF")
_OUTLINE = (255, 210, 40)


def cover_thumbnail(path: Path) -> bytes | None:
    """Return the first cover picture of a package that can be shown.

    Parameters
    ----------
    path
        A zip, a folder, or the description within a folder.

    Returns
    -------
    bytes or None
        PNG of at most 96 x 96 pixels; None where the package has none, or is broken.
    """
    try:
        with PackageFiles(path) as files:
            for name in _cover_names(files):
                picture = shrink_picture(files.read(name, _LARGEST_COVER))
                if picture is not None:
                    return picture
    except (ModelError, OSError):
        return None
    return None


def shrink_picture(data: bytes) -> bytes | None:
    """Return a picture as PNG of at most 96 x 96 pixels; None where it is none.

    Parameters
    ----------
    data
        PNG, JPEG or GIF.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pictures that are too large: refused below
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                if image.width * image.height > _MOST_PIXELS:
                    return None
                small = image.convert("RGBA" if "A" in image.getbands() else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    small.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    small.save(out, "PNG", optimize=True)
    return out.getvalue()


def _cover_names(files: PackageFiles) -> Iterator[str]:
    """Yield the names of the covers: plain ones until format 0.5.10, then as ``source``."""
    try:
        content = yaml.safe_load(files.read(files.description, LARGEST_DESCRIPTION))
    except (yaml.YAMLError, ValueError, RecursionError):
        return
    covers = content.get("covers") if isinstance(content, Mapping) else None
    for cover in covers if isinstance(covers, list) else ():
        name = cover.get("source") if isinstance(cover, Mapping) else cover
        if isinstance(name, str) and "://" not in name:
            yield name


def draw_cover(image: NDArray[Any], inside: NDArray[Any]) -> bytes:
    """Draw a picture for a package: the image, and beside it what the model finds in it.

    Parameters
    ----------
    image
        ``(c, y, x)``; the first channel is shown.
    inside
        ``(y, x)``: 0 outside, and any other number within; borders between numbers are drawn.

    Returns
    -------
    bytes
        PNG, twice as wide as high.
    """
    grey = _stretched(image[0])
    both = np.concatenate([np.repeat(grey[..., None], 3, 2), outlined(image[0], inside)], axis=1)
    out = io.BytesIO()
    Image.fromarray(both).save(out, "PNG", optimize=True)
    return out.getvalue()


def outlined(plane: NDArray[Any], inside: NDArray[Any]) -> NDArray[np.uint8]:
    """Return a grey picture with outlines in yellow: ``(y, x, 3)``.

    Parameters
    ----------
    plane
        ``(y, x)``, any real type.
    inside
        ``(y, x)``: 0 outside, and any other number within.
    """
    from skimage.segmentation import find_boundaries  # half a second: only to draw

    picture = np.repeat(_stretched(plane)[..., None], 3, axis=2)
    edges = find_boundaries(inside, mode="inner")  # type: ignore[no-untyped-call]
    picture[edges] = _OUTLINE
    return picture


def _stretched(plane: NDArray[Any]) -> NDArray[np.uint8]:
    """Stretch to 8 bits, the darkest and brightest half of a percent cut off."""
    low, high = np.percentile(plane, (0.5, 99.5))
    scaled = (plane.astype(np.float64) - low) / max(float(high - low), 1e-12)
    return np.asarray(np.rint(scaled.clip(0.0, 1.0) * 255.0), np.uint8)
