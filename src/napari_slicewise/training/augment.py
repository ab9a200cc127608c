"""Other microscopes from one: changes of intensity that leave the truth as it is.

All functions take and return one normalised patch ``(y, x)``, 0 about the background
and 1 about the brightest percentile.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

__all__ = [
    "change_intensity",
    "dim_objects",
    "draw_empty",
    "roughen_objects",
]

Patch = NDArray[np.float32]


def dim_objects(image: Patch, labels: NDArray[np.integer[Any]], rng: np.random.Generator) -> Patch:
    """Fade single objects towards the background: dim nuclei beside bright ones."""
    level = _background_level(image, labels)
    factors = np.ones(int(labels.max(initial=0)) + 1, np.float32)
    chosen = rng.random(factors.size) < rng.uniform(0.1, 0.5)
    factors[chosen] = rng.uniform(0.3, 1.0, int(chosen.sum()))
    factors[0] = 1.0
    fade = ndi.gaussian_filter(factors[labels], 0.7)
    return np.asarray(level + (image - level) * fade, np.float32)


def roughen_objects(
    image: Patch, labels: NDArray[np.integer[Any]], rng: np.random.Generator
) -> Patch:
    """Give the objects a coarse texture: chromatin and nucleoli of a higher magnification."""
    field = ndi.gaussian_filter(rng.standard_normal(image.shape, np.float32), rng.uniform(1.0, 5.0))
    field *= rng.uniform(0.1, 0.5) / field.std()
    inside = ndi.gaussian_filter((labels > 0).astype(np.float32), 0.7)
    level = _background_level(image, labels)
    return np.asarray(level + (image - level) * np.exp(field * inside), np.float32)


def change_intensity(image: Patch, rng: np.random.Generator, likely: float = 1.0) -> Patch:
    """Gamma, haze, uneven light, blur, gain, offset and noise, each with its own chance.

    Parameters
    ----------
    image
        ``(y, x)``.
    rng
        What is drawn from.
    likely
        Factor on all chances.
    """
    if rng.random() < 0.5 * likely:
        gamma = np.exp(rng.uniform(np.log(0.6), np.log(1.6)))
        image = np.where(image > 0, np.abs(image) ** gamma, image)
    if rng.random() < 0.25 * likely:
        image = image + rng.uniform(0.1, 0.7) * ndi.gaussian_filter(image, rng.uniform(5, 14))
    if rng.random() < 0.3 * likely:
        image = image + rng.uniform(0.05, 0.35) * _smooth_field(image.shape, rng)
    if rng.random() < 0.35 * likely:
        image = ndi.gaussian_filter(image, rng.uniform(0.3, 1.8))
    if rng.random() < 0.7 * likely:
        image = image * np.exp(rng.uniform(np.log(0.4), np.log(1.6)))
    if rng.random() < 0.5 * likely:
        image = image + rng.uniform(-0.1, 0.3)
    if rng.random() < 0.25 * likely:
        photons = np.exp(rng.uniform(np.log(8), np.log(150)))
        image = rng.poisson(np.clip(image, 0.0, None) * photons) / photons
    if rng.random() < 0.5 * likely:
        sigma = rng.uniform(0.01, 0.16)
        image = image + sigma * rng.standard_normal(image.shape, np.float32)
    return np.asarray(image, np.float32)


def draw_empty(side: int, rng: np.random.Generator) -> Patch:
    """Draw a patch without any object: noise, stretched as in a normalised empty slice."""
    noise = rng.standard_normal((side, side), np.float32)
    sigma = rng.choice([0.0, 0.0, 0.6, 1.2])
    if sigma:
        noise = ndi.gaussian_filter(noise, sigma)
    noise = noise + rng.uniform(0.0, 2.0) * noise.std() * _smooth_field(noise.shape, rng)
    low, high = np.percentile(noise, (1.0, 99.8))
    return np.asarray((noise - low) / (high - low), np.float32)


def _background_level(image: Patch, labels: NDArray[np.integer[Any]]) -> np.float32:
    """Return the median of the background; 0 where there is none."""
    background = image[labels == 0]
    return np.float32(np.median(background)) if background.size else np.float32(0.0)


def _smooth_field(shape: tuple[int, ...], rng: np.random.Generator) -> Patch:
    """Draw a slowly varying field from 0 to 1 over the whole patch."""
    coarse = rng.random((4, 4), np.float32)
    field = ndi.zoom(coarse, [n / 4 for n in shape], order=1)
    return np.asarray(field[: shape[0], : shape[1]], np.float32)
