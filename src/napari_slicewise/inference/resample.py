"""Slices from one grid of pixels to another over the same rectangle."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

__all__ = ["resample"]


@torch.inference_mode()
def resample(
    planes: NDArray[np.float32],  # (channel or head, y, x)
    shape: tuple[int, int],
) -> NDArray[np.float32]:
    """Resample whole planes bilinearly; where they shrink, after a triangle filter.

    Both grids cover the same rectangle: the corners of the outermost pixels coincide, not
    their centres. So the way there and back shifts nothing, whatever the ratio. A plane is
    done as a whole, not in tiles. The weights are positive and sum up to 1: probabilities
    stay probabilities.

    Parameters
    ----------
    planes
        ``(channel, y, x)``.
    shape
        Rows and columns of the result, in pixels.

    Returns
    -------
    ndarray of float32
        ``(channel, *shape)``.
    """
    batch = torch.from_numpy(np.ascontiguousarray(planes))[None]
    resampled = interpolate(batch, shape, mode="bilinear", align_corners=False, antialias=True)
    values: NDArray[np.float32] = resampled[0].numpy()
    return values
