"""Patches of labelled images: drawn at random, scaled, turned and varied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from napari_slicewise.errors import ImageError
from napari_slicewise.training import augment, targets

__all__ = ["Batch", "PatchSampler", "TrainingImage"]

EMPTY_CHANCE = 0.03
OBJECT_CHANCE = 0.85  # a patch's centre is an object, else anywhere
DIM_CHANCE = 0.3
ROUGH_CHANCE = 0.3
SMALLEST_SCALE, LARGEST_SCALE = 0.5, 2.7
NEAR_CHANCE = 0.35  # a scale near 1, else anywhere between the two
PLAIN_CHANCE = 0.15  # no change of intensity
CLIP = (-1.0, 4.0)


@dataclass(frozen=True, eq=False)
class TrainingImage:
    """One normalised image and its truth.

    Parameters
    ----------
    name
        For messages.
    image
        float32 ``(y, x)``, normalised as inference will normalise it.
    labels
        int32 ``(y, x)``, 0 the background.
    """

    name: str
    image: NDArray[np.float32]  # (y, x)
    labels: NDArray[np.int32]  # (y, x)

    def __post_init__(self) -> None:
        if self.image.shape != self.labels.shape or self.image.ndim != 2:
            raise ImageError(
                f"{self.name}: image {self.image.shape} and labels {self.labels.shape} "
                "must be two arrays (y, x) of one shape."
            )


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step learns from; all float32 ``(patch, 1, y, x)``."""

    image: Tensor
    foreground: Tensor
    distance: Tensor
    weight: Tensor


@dataclass(frozen=True, eq=False)
class _Truth:
    """What is computed once an image."""

    distance: NDArray[np.float32]  # (y, x)
    areas: NDArray[np.float32]  # (label + 1,)
    dimness: NDArray[np.float32]  # (label + 1,)
    centres: NDArray[np.intp]  # (object, 2)


class PatchSampler:
    """An endless source of batches, the same for the same seed.

    Parameters
    ----------
    images
        The labelled images. Drawn by the square root of their number of patches.
    patch, batch
        Side in pixels, and patches a batch.
    seed
        Of all choices.

    Raises
    ------
    ImageError
        When there are no images.
    """

    def __init__(
        self, images: Sequence[TrainingImage], *, patch: int, batch: int, seed: int
    ) -> None:
        if not images:
            raise ImageError("There are no images to learn from.")
        self._images = tuple(images)
        self._truths = tuple(_prepare(image) for image in images)
        self._patch = patch
        self._batch = batch
        self._rng = np.random.default_rng(seed)
        chance = np.array([max(1.0, image.image.size / patch**2) ** 0.5 for image in images])
        self._chance = chance / chance.sum()

    def draw(self) -> Batch:
        """Draw the next batch."""
        rows = [self._draw_one() for _ in range(self._batch)]
        stacked = [
            torch.from_numpy(np.stack(column)[:, np.newaxis]) for column in zip(*rows, strict=True)
        ]
        return Batch(*stacked)

    def _draw_one(self) -> list[NDArray[np.float32]]:
        """Image, foreground, distance and weight of one patch."""
        rng, side = self._rng, self._patch
        if rng.random() < EMPTY_CHANCE:
            zeros = np.zeros((side, side), np.float32)
            return [augment.draw_empty(side, rng), zeros, zeros, np.ones_like(zeros)]
        which = int(rng.choice(len(self._images), p=self._chance))
        source, truth = self._images[which], self._truths[which]
        scale = _draw_scale(rng)
        window = _draw_window(source.image.shape, truth.centres, side, scale, rng)
        image = _resize(_cut(source.image, window), side, mode="bilinear")
        distance = _resize(_cut(truth.distance, window), side, mode="bilinear")
        labels = _resize(_cut(source.labels, window), side, mode="nearest").astype(np.int32)
        weight = targets.pixel_weights(labels, truth.areas * scale[0] * scale[1], truth.dimness)
        image, labels, distance, weight = augment.flip_and_turn(
            [image, labels, distance, weight], rng
        )
        if rng.random() < ROUGH_CHANCE:
            image = augment.roughen_objects(image, labels, rng)
        if rng.random() < DIM_CHANCE:
            image = augment.dim_objects(image, labels, rng)
        if rng.random() >= PLAIN_CHANCE:
            image = augment.change_intensity(image, rng)
        foreground = (labels > 0).astype(np.float32)
        return [np.clip(image, *CLIP), foreground, distance * foreground, weight]


def _prepare(image: TrainingImage) -> _Truth:
    """Compute what does not change from patch to patch."""
    areas, dimness = targets.object_weights(image.image, image.labels)
    distance = targets.object_distance(image.labels)
    numbers, first = np.unique(image.labels, return_index=True)
    positions = first[numbers > 0]  # a pixel of each object is centre enough
    centres = np.stack(np.unravel_index(positions, image.labels.shape), axis=1)
    return _Truth(distance, areas, dimness, centres)


def _draw_scale(rng: np.random.Generator) -> tuple[float, float]:
    """Magnification of rows and columns: half to nearly triple, slightly stretched."""
    if rng.random() < NEAR_CHANCE:
        common = rng.uniform(-0.2, 0.2)
    else:
        common = rng.uniform(np.log(SMALLEST_SCALE), np.log(LARGEST_SCALE))
    stretch = rng.uniform(-0.12, 0.12)
    return float(np.exp(common + stretch)), float(np.exp(common - stretch))


def _draw_window(
    shape: tuple[int, ...],
    centres: NDArray[np.intp],
    side: int,
    scale: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Start and size of the window on each axis, in pixels of the image; it may stick out."""
    if len(centres) and rng.random() < OBJECT_CHANCE:
        middle = centres[rng.integers(len(centres))]
    else:
        middle = np.array([rng.integers(n) for n in shape])
    window = []
    for axis in range(2):
        size = max(2, round(side / scale[axis]))
        start = int(middle[axis]) - int(rng.integers(size // 4, size - size // 4))
        # Stick out of the image as little as the window's size allows.
        start = int(np.clip(start, min(0, shape[axis] - size), max(0, shape[axis] - size)))
        window.append((start, size))
    return window[0], window[1]


def _cut(array: NDArray[Any], window: tuple[tuple[int, int], tuple[int, int]]) -> NDArray[Any]:
    """Cut the window, the image mirrored beyond its border."""
    rows, columns = (
        _mirror(np.arange(start, start + size), n)
        for (start, size), n in zip(window, array.shape, strict=True)
    )
    return np.asarray(array[np.ix_(rows, columns)])


def _mirror(positions: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """Positions reflected into ``0 .. n - 1``."""
    folded = positions % (2 * n)
    return np.where(folded < n, folded, 2 * n - 1 - folded)


def _resize(array: NDArray[Any], side: int, *, mode: str) -> NDArray[np.float32]:
    """Resize ``(y, x)`` to ``(side, side)``; without aliasing where it shrinks."""
    tensor = torch.from_numpy(array.astype(np.float32))[None, None]
    if mode == "nearest":
        out = functional.interpolate(tensor, size=(side, side), mode="nearest-exact")
    else:
        out = functional.interpolate(
            tensor, size=(side, side), mode=mode, align_corners=False, antialias=True
        )
    return np.asarray(out[0, 0].numpy(), np.float32)
