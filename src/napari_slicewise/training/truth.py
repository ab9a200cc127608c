"""What is known of a piece of a slice: computed once, then cut into patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.models.spec import OutputKind
from napari_slicewise.training import targets
from napari_slicewise.training.config import TrainingConfig

__all__ = ["Truth", "make_truth"]

_PLACES = 2048  # of each kind; enough to draw from


@dataclass(frozen=True, eq=False)
class Truth:
    """A normalised piece of a slice and what the network is to answer there.

    Parameters
    ----------
    image
        float32 ``(channel, y, x)``, normalised as inference does it.
    labels
        int32 ``(y, x)``: objects 1 to n, or classes; 0 where nothing is known.
    known
        ``(y, x)``: which pixels count.
    distance
        ``(y, x)``: of each object's pixels to its edge, 0 to 1.
    border
        ``(y, x)``: what background between close objects weighs more.
    areas, dimness, whole
        ``(label + 1,)``: see ``targets``.
    places
        Pixels ``(n, 2)`` that a patch may be drawn around, by kind: of each object one, and
        anywhere; or of each class some. None empty.
    """

    image: NDArray[np.float32]  # (channel, y, x)
    labels: NDArray[np.int32]  # (y, x)
    known: NDArray[np.bool_]  # (y, x)
    distance: NDArray[np.float32]  # (y, x)
    border: NDArray[np.float32]  # (y, x)
    areas: NDArray[np.float32]  # (label + 1,)
    dimness: NDArray[np.float32]  # (label + 1,)
    whole: NDArray[np.bool_]  # (label + 1,)
    places: tuple[NDArray[np.intp], ...]  # (place, 2) each

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.labels.shape[0]), int(self.labels.shape[1])


def make_truth(
    image: NDArray[np.float32],
    labels: NDArray[np.integer[Any]],
    known: NDArray[np.bool_] | None,
    output: OutputKind,
    config: TrainingConfig,
) -> Truth:
    """Compute what does not change from patch to patch.

    Parameters
    ----------
    image
        ``(channel, y, x)``, normalised.
    labels
        ``(y, x)``: objects or classes.
    known
        ``(y, x)``; None where all pixels are.
    output
        What the network answers.
    config
        Says what weighs how much.
    """
    seen = np.ones(labels.shape, bool) if known is None else np.asarray(known, bool)
    numbers = np.where(seen, labels, 0)
    if output == "classes":
        return _of_classes(image, numbers.astype(np.int32), seen)
    objects = targets.number_from_one(numbers)
    if output == "foreground":
        objects = targets.cut_touching(objects)
    areas, dimness = targets.object_weights(image.mean(axis=0), objects, config.dim_weight)
    distance = np.zeros(labels.shape, np.float32)
    if output == "foreground_distance":
        distance = targets.object_distance(objects)
    return Truth(
        image=image,
        labels=objects,
        known=seen,
        distance=distance,
        border=targets.border_weights(objects, config.border_weight, config.border_sigma) * seen,
        areas=areas,
        dimness=dimness,
        whole=targets.whole_objects(objects, seen),
        places=_kinds(_one_of_each(objects), _some(seen)),
    )


def _of_classes(
    image: NDArray[np.float32], classes: NDArray[np.int32], seen: NDArray[np.bool_]
) -> Truth:
    """Classes have neither distances nor borders; each of them is drawn as often."""
    count = int(classes.max(initial=0)) + 1
    ones = np.ones(count, np.float32)
    values = np.unique(classes[seen])
    return Truth(
        image=image,
        labels=classes,
        known=seen,
        distance=np.zeros(classes.shape, np.float32),
        border=np.zeros(classes.shape, np.float32),
        areas=ones,
        dimness=ones,
        whole=np.ones(count, bool),
        places=_kinds(*(_some(seen & (classes == value)) for value in values)),
    )


def _kinds(*places: NDArray[np.intp]) -> tuple[NDArray[np.intp], ...]:
    """Leave out the kinds that do not occur."""
    return tuple(kind for kind in places if len(kind))


def _one_of_each(objects: NDArray[np.int32]) -> NDArray[np.intp]:
    """Return one pixel of each object, ``(object, 2)``."""
    numbers, first = np.unique(objects, return_index=True)
    return np.stack(np.unravel_index(first[numbers > 0], objects.shape), axis=1)


def _some(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return pixels of a mask, evenly chosen, ``(pixel, 2)``."""
    found = np.flatnonzero(mask)
    if found.size > _PLACES:
        found = found[np.linspace(0, found.size - 1, _PLACES).round().astype(np.intp)]
    return np.stack(np.unravel_index(found, mask.shape), axis=1)
