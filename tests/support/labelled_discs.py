"""Bright discs on dark ground, and their labels: what a small network learns in seconds."""

from __future__ import annotations

import numpy as np

from napari_slicewise.training.config import TrainingConfig, Variation
from napari_slicewise.training.request import Annotation, LearnRequest

STILL = Variation(
    scales=(1.0, 1.0), near=0.0, stretch=0.0, rotate=0.0, elastic=0.0, intensity=0.0, plain=1.0
)
"""Nothing is varied but flips and right angles."""


def discs(side=96, count=8, seed=0, radius=(6, 11)):
    """Image ``(y, x)`` of noise with discs, and labels 1 to n."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    labels = np.zeros((side, side), np.int32)
    for number in range(1, count + 1):
        y, x = rng.integers(0, side, 2)
        disc = (rows - y) ** 2 + (columns - x) ** 2 < rng.integers(*radius) ** 2
        labels[disc & (labels == 0)] = number
    image = 100.0 * (labels > 0) + rng.normal(50, 8, labels.shape)
    return image.clip(0).astype(np.uint16), labels


def annotated(name="a", group="", known=None, **options):
    image, labels = discs(**options)
    return Annotation(name, image, labels, known, group)


def quick_request(**changes):
    """A network and patches small enough for a test."""
    usual = {"head": "binary", "steps": 12, "first_filters": 4, "patch": 64, "batch": 2}
    return LearnRequest(**{**usual, **changes})


def quick_config(**changes):
    usual = {
        "steps": 12,
        "patch": 64,
        "batch": 2,
        "learning_rate": 1e-2,
        "warmup": 1e-9,
        "average": 0.9,
        "validations": 3,
        "variation": STILL,
    }
    return TrainingConfig(**{**usual, **changes})
