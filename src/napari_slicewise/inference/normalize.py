"""Intensities on one scale: what a network was trained on is what it is given.

Training and inference use these two functions and no others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import ImageError
from napari_slicewise.models.spec import ModelSpec

__all__ = ["IntensityRange", "measure_range", "normalize"]

PIXELS_PER_SLICE = 1 << 18  # enough for a 99.8th percentile that stands on 500 pixels
WIDE_CLIP = (-1.0, 4.0)
UNIT_CLIP = (0.0, 1.0)
ROBUST_PERCENTILES = (0.1, 99.9)
DEVIATIONS_CLIP = (-100.0, 100.0)  # no more than that an infinity does not spread
ANY_VALUE = (float(np.finfo(np.float32).min), float(np.finfo(np.float32).max))


@dataclass(frozen=True)
class IntensityRange:
    """The intensities that become 0 and 1, channel by channel.

    With ``z_score`` these are the mean, and the mean and one standard deviation; with
    ``none`` 0 and 1 themselves, with ``linear`` what the fixed scaling brings there.

    Parameters
    ----------
    low, high
        One number a channel, in the image's own units. Equal where the image is
        constant; such a channel becomes zeros.
    clip
        Bounds of the normalised values. Percentile normalisation clips only mildly:
        a saturated speck must not reach the network as 500, yet nuclei brighter than
        the 99.8th percentile must not all look alike.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    clip: tuple[float, float] = WIDE_CLIP

    def __post_init__(self) -> None:
        if not self.low or len(self.low) != len(self.high):
            raise ImageError(
                f"An intensity range needs a low and a high number for each channel, "
                f"got {len(self.low)} and {len(self.high)}."
            )


def measure_range(samples: Iterable[NDArray[Any]], spec: ModelSpec) -> IntensityRange:
    """Find the range of intensities that the model wants to see as 0..1.

    Parameters
    ----------
    samples
        Slices ``(c, y, x)`` in the image's own dtype: one for a range of its own, or
        some that stand for the whole stack. Large slices are thinned to about
        260,000 pixels. NaN and infinities are passed over.
    spec
        Says which normalisation, and which percentiles.

    Returns
    -------
    IntensityRange
        For ``divide_by_255`` and uint8 or bool always (0, 255) or (0, 1); for ``none``
        always (0, 1), and for ``linear`` what the model says.

    Raises
    ------
    ImageError
        When there are no samples, or their channels differ in number.
    """
    slices = list(samples)
    if not slices:
        raise ImageError("There is no slice to measure intensities on.")
    counts = {slice_.shape[0] for slice_ in slices}
    if len(counts) > 1:
        raise ImageError(f"The slices differ in their number of channels: {sorted(counts)}.")
    channels = counts.pop()
    if spec.normalization == "none":
        return IntensityRange((0.0,) * channels, (1.0,) * channels, spec.clip or ANY_VALUE)
    if spec.normalization == "linear":
        fixed = [
            (-offset / gain, (1.0 - offset) / gain)
            for gain, offset in zip(spec.gain, spec.offset, strict=True)
        ]
        lows, highs = zip(*fixed, strict=True)
        return IntensityRange(lows, highs, spec.clip or ANY_VALUE)
    if spec.normalization == "z_score":
        moments = [_mean_and_deviation([s[channel] for s in slices]) for channel in range(channels)]
        means, tops = zip(*((mean, mean + deviation) for mean, deviation in moments), strict=True)
        return IntensityRange(means, tops, spec.clip or DEVIATIONS_CLIP)
    if spec.normalization == "divide_by_255":
        dtype = slices[0].dtype
        if dtype == np.uint8 or dtype == np.bool_:
            top = 255.0 if dtype == np.uint8 else 1.0
            return IntensityRange((0.0,) * channels, (top,) * channels, spec.clip or UNIT_CLIP)
        percentiles, clip = ROBUST_PERCENTILES, spec.clip or UNIT_CLIP
    else:
        percentiles, clip = spec.percentiles, spec.clip or WIDE_CLIP
    ends = [
        _channel_range([s[channel] for s in slices], percentiles) for channel in range(channels)
    ]
    return IntensityRange(tuple(low for low, _ in ends), tuple(high for _, high in ends), clip)


def normalize(slice_: NDArray[Any], range_: IntensityRange) -> NDArray[np.float32]:
    """Bring a slice to ``(value - low) / (high - low)``, clipped to ``range_.clip``.

    Parameters
    ----------
    slice_
        ``(c, y, x)``, any real dtype, bool included. NaN becomes 0 (the low end),
        infinities become the bounds of the clip.
    range_
        From :func:`measure_range`.

    Returns
    -------
    ndarray of float32
        ``(c, y, x)``. A channel whose range is empty (a constant image) is zeros.

    Raises
    ------
    ImageError
        When the slice has other channels than the range.
    """
    if slice_.shape[0] != len(range_.low):
        raise ImageError(
            f"The slice has {slice_.shape[0]} channels, its intensity range {len(range_.low)}."
        )
    # 32-bit integers and doubles are shifted in double precision, before float32 rounds them.
    wide = slice_.dtype.itemsize > 2 and slice_.dtype != np.float32
    values = slice_.astype(np.float64 if wide else np.float32)
    for channel, (low, high) in enumerate(zip(range_.low, range_.high, strict=True)):
        if high <= low:
            values[channel] = 0.0
            continue
        with np.errstate(over="ignore", invalid="ignore"):  # infinities are meant, see below
            values[channel] -= low
            values[channel] /= high - low
    if slice_.dtype.kind == "f":
        np.nan_to_num(values, copy=False, nan=0.0, posinf=range_.clip[1], neginf=range_.clip[0])
    np.clip(values, *range_.clip, out=values)
    return values.astype(np.float32, copy=False)


def _channel_range(
    planes: list[NDArray[Any]], percentiles: tuple[float, float]
) -> tuple[float, float]:
    """Percentiles of one channel over all samples; the extremes where these coincide.

    In a nearly empty image both percentiles lie in the background: the few bright
    pixels are then what there is to see.
    """
    values = _thinned(planes)
    if values.size:
        low, high = _percentiles(values, percentiles)
        if high > low:
            return low, high
    present = [part for part in (_finite(plane) for plane in planes) if part.size]
    if not present:
        return 0.0, 0.0
    return min(float(p.min()) for p in present), max(float(p.max()) for p in present)


def _mean_and_deviation(planes: list[NDArray[Any]]) -> tuple[float, float]:
    """Mean and standard deviation of one channel over all samples; 0 and 0 without any pixel."""
    values = _thinned(planes).astype(np.float64, copy=False)
    return (float(values.mean()), float(values.std())) if values.size else (0.0, 0.0)


def _thinned(planes: list[NDArray[Any]]) -> NDArray[Any]:
    """Join the finite values of all samples, on a grid where there are very many."""
    thinned = []
    for plane in planes:
        step = max(1, int(np.ceil(np.sqrt(plane.size / PIXELS_PER_SLICE))))
        thinned.append(_finite(plane[::step, ::step]))
    return np.concatenate(thinned)


def _percentiles(values: NDArray[Any], wanted: tuple[float, float]) -> tuple[float, float]:
    """Do what ``np.percentile`` does; integers of one or two bytes are counted, not sorted.

    Counting takes an eighth of the time, which the first slice of each run waits for.
    """
    if values.dtype.kind not in "ui" or values.dtype.itemsize > 2:
        low, high = (float(end) for end in np.percentile(values, wanted))
        return low, high
    lowest = int(values.min())
    below = np.cumsum(np.bincount(values.astype(np.int64) - lowest))

    def value_at(percent: float) -> float:
        place = percent / 100.0 * (values.size - 1)
        first = int(place)
        one, other = np.searchsorted(below, (first, min(first + 1, values.size - 1)), "right")
        return float(lowest + one + (other - one) * (place - first))

    return value_at(wanted[0]), value_at(wanted[1])


def _finite(plane: NDArray[Any]) -> NDArray[Any]:
    """Flatten, without NaN and infinities; wide integers and reals to doubles."""
    if plane.dtype.kind == "b":
        return plane.astype(np.uint8).ravel()
    if plane.dtype.kind in "ui" and plane.dtype.itemsize <= 2:
        return plane.ravel().astype(plane.dtype.newbyteorder("="), copy=False)
    values = plane.astype(np.float64).ravel()
    return values[np.isfinite(values)] if plane.dtype.kind == "f" else values
