"""Where the pixels of a patch lie in its slice: scaled, turned, flipped, bent.

One map for all of it, so that the image is interpolated once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage as ndi
from torch.nn import functional

from napari_slicewise.training.config import Variation

__all__ = ["Warp", "draw_warp", "elastic_displacement"]

_RIGHT_ANGLES = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))  # exact cosines and sines


@dataclass(frozen=True, eq=False)
class Warp:
    """A map from the pixels of a patch to positions in the slice.

    Parameters
    ----------
    positions
        ``(2, side, side)``: row and column in the slice, relative to the patch's centre.
    scale
        Magnification: pixels of the patch for a pixel of the slice.
    """

    positions: NDArray[np.float32]  # (y and x, side, side)
    scale: float

    def place(
        self, shape: tuple[int, int], centre: tuple[float, float]
    ) -> tuple[tuple[float, float], tuple[int, int, int, int]]:
        """Move the centre so that the patch sticks out of the slice as little as possible.

        Returns
        -------
        centre, window
            The centre; and ``(top, left, bottom, right)`` of what is read, ends excluded.
        """
        side = self.positions.shape[-1]
        moved = []
        for axis in range(2):
            half = 0.5 * side / self.scale
            ends = half - 0.5, shape[axis] - half - 0.5
            at = float(np.clip(centre[axis], min(ends), max(ends)))
            # On the grid of the pixels: unscaled patches are then cut, not interpolated.
            moved.append(np.floor(at) + (0.5 if side % 2 == 0 else 0.0))
        low = self.positions.min(axis=(1, 2)) + moved
        high = self.positions.max(axis=(1, 2)) + moved
        top, left = (int(value) for value in np.floor(low))
        bottom, right = (int(value) for value in np.ceil(high) + 1)
        # Two pixels at least, so that there is something to interpolate between.
        window = top, left, max(bottom, top + 2), max(right, left + 2)
        return (float(moved[0]), float(moved[1])), window

    def sample(
        self,
        smooth: Sequence[NDArray[np.float32]],
        exact: Sequence[NDArray[Any]],
        centre: tuple[float, float],
        window: tuple[int, int, int, int],
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Take the patch's pixels.

        Parameters
        ----------
        smooth
            Maps ``(y, x)`` of the slice, interpolated.
        exact
            Maps ``(y, x)`` of the slice, whole numbers below 2**24: the nearest pixel's.
        centre, window
            From :meth:`place`.

        Returns
        -------
        smooth, exact
            ``(map, side, side)`` each.
        """
        top, left, bottom, right = window
        rows, columns = (
            _mirror(np.arange(a, b), n)
            for a, b, n in ((top, bottom, smooth[0].shape[0]), (left, right, smooth[0].shape[1]))
        )
        corner = np.array([centre[0] - top, centre[1] - left], np.float32)
        size = np.array([rows.size - 1, columns.size - 1], np.float32)
        inside = (self.positions + corner[:, None, None]) / size[:, None, None]
        grid = torch.from_numpy(np.ascontiguousarray(2.0 * inside[::-1] - 1.0))
        grid = grid.permute(1, 2, 0)[None]
        read = np.ix_(rows, columns)
        cut = _without_aliases(np.stack([plane[read] for plane in smooth]), self.scale)
        numbers = np.stack([plane[read] for plane in exact]).astype(np.float32)
        return (
            _take(cut, grid, "bilinear"),
            np.asarray(_take(numbers, grid, "nearest"), np.int64),
        )


def draw_warp(
    side: int, variation: Variation, rng: np.random.Generator, *, bent: bool = True
) -> Warp:
    """Draw a scale, an angle, a flip and a deformation.

    Parameters
    ----------
    side
        Of the patch in pixels.
    variation
        Says how likely and how strong each is.
    rng
        What is drawn from.
    bent
        Whether a deformation may be drawn.
    """
    scale, stretch = _draw_scale(variation, rng)
    if rng.random() < variation.rotate:
        angle = rng.uniform(0.0, 2.0 * np.pi)
        cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    else:
        cosine, sine = _RIGHT_ANGLES[int(rng.integers(4))]
    flip = -1.0 if rng.integers(2) else 1.0
    turn = np.array([[cosine, -sine], [sine, cosine]])
    spread = np.diag([np.exp(stretch), flip * np.exp(-stretch)])
    along = np.arange(side, dtype=np.float64) - 0.5 * (side - 1)
    places = np.stack(np.meshgrid(along, along, indexing="ij"))
    if bent and rng.random() < variation.elastic:
        places += elastic_displacement(side, variation.elastic_grid, variation.elastic_px, rng)
    positions = np.tensordot(turn @ spread / scale, places, axes=1)
    return Warp(positions.astype(np.float32), scale)


def elastic_displacement(
    side: int, grid: int, pixels: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw a smooth displacement of each pixel.

    Random vectors on a coarse grid, interpolated bicubically. Source: Ronneberger et al.
    2015, section 3.1: 3 x 3 vectors, each component normally distributed with a standard
    deviation of 10 pixels.

    Parameters
    ----------
    side
        Of the patch in pixels.
    grid
        Vectors along each axis; the outer ones lie on the patch's corners.
    pixels
        Standard deviation.
    rng
        What is drawn from.

    Returns
    -------
    ndarray
        ``(y and x, side, side)`` in pixels.
    """
    coarse = torch.from_numpy(rng.normal(0.0, pixels, (1, 2, grid, grid)))
    fine = functional.interpolate(coarse, (side, side), mode="bicubic", align_corners=True)
    return np.asarray(fine[0].numpy(), np.float64)


def _draw_scale(variation: Variation, rng: np.random.Generator) -> tuple[float, float]:
    """Draw a magnification, and half the logarithm by which one axis is stretched more."""
    if rng.random() < variation.near:
        common = rng.uniform(-0.2, 0.2)
    else:
        common = rng.uniform(*np.log(variation.scales))
    common = float(np.clip(common, *np.log(variation.scales)))
    stretch = rng.uniform(-0.5, 0.5) * variation.stretch
    return float(np.exp(common)), float(stretch)


def _without_aliases(maps: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """Smooth what will be made smaller, so that fine structure does not turn into coarse."""
    if scale >= 0.9:
        return maps
    sigma = 0.5 * float(np.sqrt(scale**-2 - 1.0))
    return np.asarray(ndi.gaussian_filter(maps, (0.0, sigma, sigma)), np.float32)


def _take(maps: NDArray[np.float32], grid: torch.Tensor, mode: str) -> NDArray[np.float32]:
    """Sample ``(map, y, x)`` at the grid's positions."""
    taken = functional.grid_sample(
        torch.from_numpy(np.ascontiguousarray(maps))[None],
        grid,
        mode=mode,
        padding_mode="border",
        align_corners=True,
    )
    return taken[0].numpy()


def _mirror(positions: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """Positions reflected into ``0 .. n - 1``."""
    folded = positions % (2 * n)
    return np.where(folded < n, folded, 2 * n - 1 - folded)
