"""From labelled objects to what the network is to answer, and what each answer weighs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

__all__ = ["object_distance", "object_weights", "pixel_weights"]

COMMON_AREA = 300  # px; smaller objects weigh more
RIM = 5  # px; the neighbourhood that weighs as much as its object
GAP = 7  # px; background in a window of this side that sees two objects is a gap
GAP_WEIGHT = 2.0


def object_distance(labels: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """Distance of each object's pixels to its edge, 1 at the object's own maximum.

    The distance counts from the edge between pixels (hence the half) and is measured
    object by object, so that touching objects are valleys. The border of the image
    is no edge: an object cut by it may have its maximum there.

    Parameters
    ----------
    labels
        ``(y, x)`` integers, 0 the background.

    Returns
    -------
    ndarray of float32
        ``(y, x)``, 0 in the background, in (0, 1] in objects.
    """
    out = np.zeros(labels.shape, np.float32)
    rows, columns = labels.shape
    for number, where in enumerate(ndi.find_objects(labels), start=1):
        if where is None:
            continue
        mask = labels[where] == number
        ys, xs = where
        sides = (
            (int(ys.start > 0), int(ys.stop < rows)),
            (int(xs.start > 0), int(xs.stop < columns)),
        )
        padded = np.pad(mask, sides)  # background around it, save at the image's border
        if padded.all():
            out[where][mask] = 1.0
            continue
        inner = tuple(slice(a, n - b) for (a, b), n in zip(sides, padded.shape, strict=True))
        distance = ndi.distance_transform_edt(padded)[inner]
        distance = (distance - 0.5) / (distance.max() - 0.5)
        out[where][mask] = distance[mask]
    return out


def object_weights(
    image: NDArray[np.float32], labels: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Area of each object and how much its dimness weighs.

    Parameters
    ----------
    image
        ``(y, x)`` intensities.
    labels
        ``(y, x)`` integers, 0 the background.

    Returns
    -------
    areas, dimness
        ``(label + 1,)`` each; areas in pixels, and the image's median contrast over
        the object's own, from 1 to 2. Entry 0, the background, is 1 in both.
    """
    count = int(labels.max(initial=0)) + 1
    areas = np.maximum(np.bincount(labels.ravel(), minlength=count), 1).astype(np.float32)
    means = np.bincount(labels.ravel(), image.ravel().astype(np.float64), count) / areas
    contrast = np.maximum(means - means[0], 1e-3)
    dimness = np.ones(count, np.float32)
    if count > 1:
        dimness[1:] = np.clip(np.median(contrast[1:]) / contrast[1:], 1.0, 2.0)
    areas[0] = 1.0
    return areas, dimness


def pixel_weights(
    labels: NDArray[np.integer[Any]], areas: NDArray[np.float32], dimness: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Weight of each pixel in the loss: small objects, dim objects and narrow gaps weigh more.

    Without this an object of 50 pixels counts a twentieth of one of 1,000, and the
    network learns to leave it out. Gaps as in equation 2 of Ronneberger et al. 2015.

    Parameters
    ----------
    labels
        ``(y, x)`` patch of labels.
    areas
        ``(label + 1,)`` in pixels of this patch.
    dimness
        ``(label + 1,)`` from :func:`object_weights`.

    Returns
    -------
    ndarray of float32
        ``(y, x)``, 1 in open background.
    """
    of_object = np.clip(np.sqrt(COMMON_AREA / areas), 0.8, 2.5) * dimness
    of_object[0] = 1.0
    weights: NDArray[np.float32] = ndi.maximum_filter(of_object[labels], RIM).astype(np.float32)
    highest = ndi.maximum_filter(labels, GAP)
    lowest = ndi.minimum_filter(np.where(labels > 0, labels, np.iinfo(np.int32).max), GAP)
    weights[(labels == 0) & (highest > 0) & (lowest != highest)] *= GAP_WEIGHT
    return weights
