"""PNG and JPEG files: slices of stacks, one picture a file and no calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import ImageError
from napari_slicewise.io.image_info import Axis, Channel, ImageInfo
from napari_slicewise.io.tiff_damage import explain_damage

__all__ = ["is_flat_picture", "read_flat_picture"]

_JPEG_SUFFIXES = (".jpg", ".jpeg")


def is_flat_picture(path: Path) -> bool:
    """Whether a file is a PNG or JPEG by its name."""
    return path.suffix.lower() in (".png", *_JPEG_SUFFIXES) and not path.is_dir()


def read_flat_picture(path: Path) -> tuple[ImageInfo, NDArray[Any]]:
    """Read a PNG or JPEG.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    What it is, and ``(y, x)`` or ``(y, x, colour)``. Dots per inch are no calibration.

    Raises
    ------
    ImageError
        When the file is missing or damaged.
    """
    from imagecodecs import jpeg8_decode, png_decode  # only these files need it

    if not path.exists():
        raise ImageError(f"There is no file {path}.", "Check its name and folder.")
    jpeg = path.suffix.lower() in _JPEG_SUFFIXES
    with explain_damage(path, "decode it"):
        data = path.read_bytes()
        array: NDArray[Any] = np.asarray(jpeg8_decode(data) if jpeg else png_decode(data))
    colors = array.shape[2] if array.ndim == 3 else 0
    names = ("gray", "alpha") if colors == 2 else ("",)
    info = ImageInfo(
        path=str(path),
        axes=(Axis("y", array.shape[0]), Axis("x", array.shape[1])),
        dtype=str(array.dtype),
        channels=tuple(Channel(name) for name in names),
        channel_axis=2 if colors else None,
        rgb=colors in (3, 4),
        level_shapes=(array.shape,),
        compression="jpeg" if jpeg else "deflate",
        flavour="JPEG" if jpeg else "PNG",
    )
    return info, array
