"""Which slices to annotate next: where the model is least sure, and what it has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.io.source import SliceIndex

__all__ = ["MOST_CANDIDATES", "Proposal", "candidates", "image_features", "propose", "uncertainty"]

MOST_CANDIDATES = 16  # slices that are predicted, spread over the stack
_LEAST_SURE = 0.05  # share of the pixels that are looked at: most of any slice is plain
_PIXELS = 1 << 18


@dataclass(frozen=True)
class Proposal:
    """A slice worth annotating.

    Parameters
    ----------
    index
        The slice.
    weight
        How much it is worth, 0..1.
    words
        Why, for the user.
    """

    index: SliceIndex
    weight: float
    words: str


def candidates(
    indices: Sequence[SliceIndex], seen: Sequence[SliceIndex], most: int = MOST_CANDIDATES
) -> tuple[SliceIndex, ...]:
    """Choose slices to look at: spread evenly over those that are not annotated."""
    left = [index for index in indices if index not in set(seen)]
    places = np.unique(np.linspace(0, len(left) - 1, min(most, len(left))).round().astype(int))
    return tuple(left[place] for place in places.tolist())


def uncertainty(probability: NDArray[np.floating[Any]]) -> float:
    """Return the mean entropy, 0..1 bit, of the least sure twentieth of the pixels.

    Parameters
    ----------
    probability
        ``(y, x)``, of the foreground.
    """
    p = np.clip(probability.astype(np.float64).ravel(), 1e-6, 1.0 - 1e-6)
    bits = -(p * np.log2(p) + (1.0 - p) * np.log2(1.0 - p))
    count = max(1, round(_LEAST_SURE * bits.size))
    return float(np.partition(bits, bits.size - count)[-count:].mean())


def image_features(image: NDArray[Any]) -> NDArray[np.float64]:
    """Return by what a slice resembles others: brightness, contrast, edges of each channel.

    Parameters
    ----------
    image
        ``(channel, y, x)``, as read.

    Returns
    -------
    ndarray
        ``(6 * channel,)``.
    """
    step = max(1, int((image[0].size / _PIXELS) ** 0.5))
    found: list[float] = []
    for channel in np.asarray(image[:, ::step, ::step], np.float64):
        plane = np.nan_to_num(channel)
        rows = np.abs(np.diff(plane, axis=0)).mean() if plane.shape[0] > 1 else 0.0
        columns = np.abs(np.diff(plane, axis=1)).mean() if plane.shape[1] > 1 else 0.0
        found += [float(plane.mean()), float(plane.std()), float(rows + columns)]
        found += [float(value) for value in np.percentile(plane, (5, 50, 95))]
    return np.array(found)


def propose(
    doubts: Mapping[SliceIndex, float],
    features: Mapping[SliceIndex, NDArray[np.float64]],
    seen: Sequence[NDArray[np.float64]] = (),
    count: int = 3,
) -> list[Proposal]:
    """Choose slices one by one, each as doubtful and as unlike the others as can be.

    Parameters
    ----------
    doubts
        :func:`uncertainty` of each candidate.
    features
        :func:`image_features` of each candidate.
    seen
        Those of the slices that are annotated.
    count
        How many to choose.
    """
    left = sorted(doubts)
    if not left:
        return []
    everything = np.stack([*(features[index] for index in left), *seen])
    spread = everything.std(axis=0)
    spread[spread == 0.0] = 1.0
    highest = max(doubts.values()) or 1.0
    known = [one / spread for one in seen]
    found: list[Proposal] = []
    farthest = 0.0
    while left and len(found) < count:
        near = {i: _nearest(features[i] / spread, known) for i in left}
        farthest = max(farthest, *near.values())
        novelty = {i: near[i] / farthest if farthest > 0.0 else 0.0 for i in left}
        worth = {i: 0.5 * doubts[i] / highest + 0.5 * novelty[i] for i in left}
        best = max(left, key=lambda i: (worth[i], i))
        unsure, unlike = doubts[best] / highest >= 0.6, novelty[best] >= 0.6
        words = " and ".join(
            [
                *(["the model is unsure"] if unsure else []),
                *(["unlike the others"] if unlike else []),
            ]
        )
        found.append(Proposal(best, worth[best], words or "worth a look"))
        known.append(features[best] / spread)
        left.remove(best)
    return found


def _nearest(one: NDArray[np.float64], others: Sequence[NDArray[np.float64]]) -> float:
    """Return the distance to the most similar of the others; 0 where there are none."""
    return min((float(np.linalg.norm(one - other)) for other in others), default=0.0)
