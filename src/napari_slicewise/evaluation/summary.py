"""All scores of one image, and of several together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.evaluation.membranes import MembraneScore
from napari_slicewise.evaluation.scores import (
    Matching,
    adapted_rand_error,
    dice,
    foreground_iou,
    match_objects,
    pixel_error,
    pool_matchings,
)

__all__ = ["ImageScores", "score_classes", "score_image", "summarize"]


@dataclass(frozen=True)
class ImageScores:
    """How well one image was segmented.

    Parameters
    ----------
    name
        Of the image.
    iou, dice, pixel_error
        Of the foreground.
    matchings
        Of the objects, at each threshold; empty where the truth is a mask.
    rand_error
        Adapted Rand error of the objects; None where the truth is a mask.
    membranes
        Where membranes were scored.
    classes
        Intersection over union of each class, by its number, where classes were scored.
    """

    name: str
    iou: float
    dice: float
    pixel_error: float
    matchings: tuple[Matching, ...] = ()
    rand_error: float | None = None
    membranes: MembraneScore | None = None
    classes: tuple[tuple[int, float], ...] = ()

    @property
    def rank(self) -> float:
        """What images are put in order by: the AP at the lowest threshold, else the IoU."""
        if self.membranes is not None:
            return 1.0 - self.membranes.rand_error
        if self.classes:
            return float(np.mean([iou for _, iou in self.classes]))
        return self.matchings[0].average_precision if self.matchings else self.iou


def score_image(
    name: str, predicted: NDArray[Any], truth: NDArray[Any], *, per_slice: bool = False
) -> ImageScores:
    """Score labels.

    Objects are counted where the truth tells them apart, that is, where it holds more than
    the background and one number.

    Parameters
    ----------
    name
        Of the image.
    predicted, truth
        Labels of one shape.
    per_slice
        Whether objects are matched slice by slice, and not through the stack.
    """
    masks = foreground_iou(predicted, truth), dice(predicted, truth), pixel_error(predicted, truth)
    if len(np.unique(truth)) <= 2:
        return ImageScores(name, *masks)
    parts = [(predicted, truth)]
    if per_slice and truth.ndim > 2:
        planes = truth.shape[-2:]
        one, other = predicted.reshape(-1, *planes), truth.reshape(-1, *planes)
        parts = list(zip(one, other, strict=True))
    matchings = pool_matchings([match_objects(found, true) for found, true in parts])
    rand = float(np.mean([adapted_rand_error(found, true) for found, true in parts]))
    return ImageScores(name, *masks, matchings, rand)


def score_classes(name: str, predicted: NDArray[Any], truth: NDArray[Any]) -> ImageScores:
    """Score classes: the intersection over union of each that occurs."""
    found = np.union1d(np.unique(predicted), np.unique(truth))
    classes = tuple(
        (int(value), foreground_iou(predicted == value, truth == value)) for value in found
    )
    return ImageScores(
        name,
        foreground_iou(predicted, truth),
        dice(predicted, truth),
        float(np.mean(predicted != truth)),
        classes=classes,
    )


def summarize(images: Sequence[ImageScores]) -> dict[str, float]:
    """Put the scores of several images together.

    Returns
    -------
    dict
        Scores by their names: means over images of what counts pixels; of objects, hits and
        misses are added up over all images first.
    """
    summary = {
        "foreground IoU": _mean([image.iou for image in images]),
        "Dice": _mean([image.dice for image in images]),
        "pixel error": _mean([image.pixel_error for image in images]),
    }
    for value in sorted({value for image in images for value, _ in image.classes}):
        ious = [iou for image in images for v, iou in image.classes if v == value]
        summary[f"IoU of class {value}"] = _mean(ious)
    of_objects = [image for image in images if image.matchings]
    if of_objects:
        pooled = pool_matchings([image.matchings for image in of_objects])
        summary |= {f"AP at IoU {m.threshold:g}": m.average_precision for m in pooled}
        summary["mean AP"] = _mean([m.average_precision for m in pooled])
        summary["PQ"] = pooled[0].panoptic_quality
        summary["F1 at IoU 0.5"] = pooled[0].f1
        summary["objects found"] = pooled[0].hits
        summary["objects missed"] = pooled[0].missed
        summary["false objects"] = pooled[0].false
        errors = [image.rand_error for image in of_objects if image.rand_error is not None]
        summary["adapted Rand error"] = _mean(errors)
    membranes = [image.membranes for image in images if image.membranes is not None]
    if membranes:
        summary["membranes: adapted Rand error"] = _mean([m.rand_error for m in membranes])
        summary["membranes: pixel error"] = _mean([m.pixel_error for m in membranes])
        summary["membranes: threshold"] = _mean([m.threshold for m in membranes])
    return summary


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
