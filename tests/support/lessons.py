"""Small images that can be learned within seconds, and what is true of them."""

from __future__ import annotations

import numpy as np

from napari_slicewise.training.request import Annotation, LearnRequest

SIDE = 64


def bright_discs(seed: int, side: int = SIDE, count: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """A noisy slice of discs, ``(y, x)`` uint16, and their numbers."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    labels = np.zeros((side, side), np.int32)
    for number in range(1, count + 1):
        y, x = rng.integers(6, side - 6, 2)
        labels[(rows - y) ** 2 + (columns - x) ** 2 < 36] = number
    image = 300 + 900 * (labels > 0) + rng.normal(0, 60, labels.shape)
    return image.astype(np.uint16), labels


def annotation(seed: int, name: str = "", known: np.ndarray | None = None) -> Annotation:
    image, labels = bright_discs(seed)
    return Annotation(name or f"discs {seed}", image[None], labels, known, group="discs")


def quick_request(**options) -> LearnRequest:
    """Ask for a network so small that a step takes milliseconds."""
    small = {"steps": 6, "first_filters": 4, "patch": 32, "batch": 2, "device": "cpu"}
    return LearnRequest(**{**small, **options})
