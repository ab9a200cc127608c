"""From labelled objects to what the network is to answer, and what each answer weighs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

__all__ = [
    "beside_unknown",
    "between_objects",
    "border_weights",
    "cut_touching",
    "number_from_one",
    "object_distance",
    "object_weights",
    "pixel_weights",
    "whole_objects",
]

COMMON_AREA = 300  # px; smaller objects weigh more
RIM = 5  # px; the neighbourhood that weighs as much as its object
BETWEEN = 5  # px; a window of this side that sees two objects is between them
_NEGLIGIBLE = 4.0  # sigmas; the sum of two distances from which on the border weighs nothing


def number_from_one(labels: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    """Renumber the objects 1 to n; a mask of one value becomes its connected regions.

    Parameters
    ----------
    labels
        ``(y, x)``, 0 the background; the numbers may be any.

    Returns
    -------
    ndarray of int32
        ``(y, x)``.
    """
    values, position = np.unique(labels, return_inverse=True)
    positive = values > 0
    if np.count_nonzero(positive) == 1:
        return np.asarray(ndi.label(labels > 0)[0], np.int32)
    number = np.where(positive, np.cumsum(positive), 0).astype(np.int32)
    return number[position].reshape(labels.shape)


def cut_touching(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Put a line of background, one pixel wide, between objects that touch.

    So that connected regions of the foreground are objects: the data of Ronneberger et al.
    2015 are of this kind.
    """
    cut = np.zeros(labels.shape, bool)
    for one, other in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        a, b = labels[one], labels[other]
        cut[one] |= (a != b) & (a > 0) & (b > 0)
    return np.where(cut, np.int32(0), labels)


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


def border_weights(
    labels: NDArray[np.integer[Any]], weight: float, sigma: float
) -> NDArray[np.float32]:
    """Weigh the background by how close the two nearest objects are.

    ``weight * exp(-(d1 + d2)**2 / (2 * sigma**2))`` with the distances ``d1`` and ``d2`` to
    the border of the nearest and the second nearest object. Source: Ronneberger et al. 2015,
    10.1007/978-3-319-24574-4_28, equation 2, where ``weight`` is 10 and ``sigma`` about 5.

    Parameters
    ----------
    labels
        ``(y, x)``, numbered objects, 0 the background.
    weight
        ``w0`` of the equation.
    sigma
        In pixels.

    Returns
    -------
    ndarray of float32
        ``(y, x)``, 0 in objects, and where the sum of distances is above ``4 * sigma``.
    """
    out = np.zeros(labels.shape, np.float32)
    if weight == 0.0:
        return out
    reach = math.ceil(_NEGLIGIBLE * sigma)
    nearest = np.full(labels.shape, np.inf, np.float32)
    second = nearest.copy()
    for number, where in enumerate(ndi.find_objects(labels), start=1):
        if where is None:
            continue
        around = tuple(slice(max(0, s.start - reach), s.stop + reach) for s in where)
        distance = ndi.distance_transform_edt(labels[around] != number).astype(np.float32)
        first = nearest[around]
        second[around] = np.minimum(second[around], np.maximum(first, distance))
        nearest[around] = np.minimum(first, distance)
    close = (labels == 0) & (nearest + second <= _NEGLIGIBLE * sigma)
    total = nearest[close] + second[close]
    out[close] = weight * np.exp(-(total**2) / (2.0 * sigma**2))
    return out


def between_objects(labels: NDArray[np.integer[Any]], side: int = BETWEEN) -> NDArray[np.bool_]:
    """Find the pixels whose neighbourhood of ``side`` pixels holds two objects or more."""
    highest = ndi.maximum_filter(labels, side)
    lowest = ndi.minimum_filter(np.where(labels > 0, labels, np.iinfo(np.int32).max), side)
    return np.asarray((highest > 0) & (lowest != highest))


def beside_unknown(known: NDArray[np.bool_], side: int = BETWEEN) -> NDArray[np.bool_]:
    """Find the pixels whose neighbourhood of ``side`` pixels holds an unknown one."""
    if known.all():
        return np.zeros(known.shape, bool)
    return np.asarray(ndi.maximum_filter(~known, side), bool)


def whole_objects(labels: NDArray[np.int32], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which objects are annotated with all of their edge.

    An object whose edge borders on pixels that nobody looked at may reach further: how
    far its pixels are from its edge is then not known.

    Parameters
    ----------
    labels, known
        ``(y, x)``.

    Returns
    -------
    ndarray of bool
        ``(label + 1,)``; entry 0, the background, is true.
    """
    whole = np.ones(int(labels.max(initial=0)) + 1, bool)
    if not known.all():
        whole[np.unique(labels[beside_unknown(known, 3) & (labels > 0)])] = False
    return whole


def object_weights(
    image: NDArray[np.float32], labels: NDArray[np.integer[Any]], largest: float = 2.0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Area of each object and how much its dimness weighs.

    Parameters
    ----------
    image
        ``(y, x)`` intensities.
    labels
        ``(y, x)`` integers, 0 the background.
    largest
        Weight of the dimmest object.

    Returns
    -------
    areas, dimness
        ``(label + 1,)`` each; areas in pixels, and the image's median contrast over
        the object's own, from 1 to ``largest``. Entry 0, the background, is 1 in both.
    """
    count = int(labels.max(initial=0)) + 1
    areas = np.maximum(np.bincount(labels.ravel(), minlength=count), 1).astype(np.float32)
    means = np.bincount(labels.ravel(), image.ravel().astype(np.float64), count) / areas
    contrast = np.maximum(means - means[0], 1e-3)
    dimness = np.ones(count, np.float32)
    if count > 1 and largest > 1.0:
        dimness[1:] = np.clip(np.median(contrast[1:]) / contrast[1:], 1.0, largest)
    areas[0] = 1.0
    return areas, dimness


def pixel_weights(
    labels: NDArray[np.integer[Any]],
    areas: NDArray[np.float32],
    dimness: NDArray[np.float32],
    largest: float = 2.5,
) -> NDArray[np.float32]:
    """Weight of each pixel in the loss: small objects and dim objects weigh more.

    Without this an object of 50 pixels counts a twentieth of one of 1,000, and the
    network learns to leave it out.

    Parameters
    ----------
    labels
        ``(y, x)`` patch of labels.
    areas
        ``(label + 1,)`` in pixels of this patch.
    dimness
        ``(label + 1,)`` from :func:`object_weights`.
    largest
        Weight of the smallest object.

    Returns
    -------
    ndarray of float32
        ``(y, x)``, 1 in open background.
    """
    of_object = np.clip(np.sqrt(COMMON_AREA / areas), min(0.8, largest), largest) * dimness
    of_object[0] = 1.0
    weights: NDArray[np.float32] = ndi.maximum_filter(of_object[labels], RIM).astype(np.float32)
    return weights
