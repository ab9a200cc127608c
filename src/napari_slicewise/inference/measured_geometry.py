"""Stride and margin of a network that cannot be looked into, found by running it.

Where two crops of one image overlap, a network gives the same for both, but near the crops'
borders: how far that reaches is its margin. It holds only for crops that lie on the
network's pooling grid, which gives its stride.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import ModelError

__all__ = ["Geometry", "Predict", "measure_geometry"]

Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]

_STRIDES = (1, 2, 4, 8, 16, 32, 64, 128)  # px
_LONG, _SHORT, _SHIFT = 704, 48, 33  # px, at least
_TOLERANCE = 2e-5  # of the output's range


@dataclass(frozen=True)
class Geometry:
    """What was found.

    Parameters
    ----------
    out_channels
        Of the output.
    stride
        Sides are multiples of it, in pixels, and tiles begin at multiples of it.
    margin
        In pixels: output this far from a border does not depend on what is beyond.
    whole
        Whether it depends on the whole input instead.
    probabilities
        Whether all output lay within 0..1.
    sums_to_one
        Whether it added up to 1 over the channels.
    """

    out_channels: int
    stride: int
    margin: int
    whole: bool
    probabilities: bool
    sums_to_one: bool


def measure_geometry(
    predict: Predict, in_channels: int, tile: tuple[int, int] | None = None
) -> Geometry:
    """Measure a network's stride and margin on noise.

    Parameters
    ----------
    predict
        Maps ``(1, channel, y, x)`` to ``(1, out, y, x)``; may raise ``RuntimeError`` for
        sides that do not fit.
    in_channels
        That it takes.
    tile
        Rows and columns of the only input that it takes; None where others fit too.

    Raises
    ------
    ModelError
        When no input gives an output of its size.
    """
    probe = _Probe(predict, in_channels, tile)
    fitting = [stride for stride in _STRIDES if probe.takes(stride)]
    if not fitting:
        raise ModelError(
            f"gives no output of the image's size: {probe.reason}",
            "Networks that lose a border, shrink the image or give one answer an image are "
            "not read in this form.",
        )
    for stride in fitting:
        margin = probe.margin(stride)
        if margin is not None:
            return probe.found(stride, margin, whole=False)
    # The grid is of no matter where the slice is not cut.
    return probe.found(fitting[0], 8 * fitting[0], whole=True)


class _Probe:
    """Runs a network on crops of noise, and keeps what it has seen of its output."""

    def __init__(self, predict: Predict, in_channels: int, tile: tuple[int, int] | None) -> None:
        self._predict = predict
        self._channels = in_channels
        self._tile = tile
        self._noise = np.random.default_rng(0)
        self._low, self._high, self._sums = np.inf, -np.inf, True
        self._out_channels = 0
        self.reason = "it takes none that was tried."

    def takes(self, stride: int) -> bool:
        """Whether an input of sides that are odd multiples gives an output of its size."""
        if self._tile is not None:
            if any(side % stride for side in self._tile):
                return False
            rows, columns = self._tile
        else:
            rows, columns = _odd_multiple(stride, 24), _odd_multiple(stride, 40)
        return self._run(self._image(rows, columns)) is not None

    def margin(self, stride: int) -> int | None:
        """Return how far borders reach, a multiple of the stride; None if over everything."""
        farthest = 0
        for along, across in ((3, 2), (2, 3), (3, 2)):
            far = self._border(stride, along, across)
            if far is None:
                return None
            farthest = max(farthest, far)
        return -(-farthest // stride) * stride

    def found(self, stride: int, margin: int, *, whole: bool) -> Geometry:
        """Return all that was found."""
        return Geometry(
            self._out_channels,
            stride,
            margin,
            whole,
            probabilities=self._low >= 0.0 and self._high <= 1.0,
            sums_to_one=self._sums,
        )

    def _border(self, stride: int, along: int, across: int) -> int | None:
        """Compare two crops, shifted along one axis by an odd number of strides."""
        sides = {along: _odd_multiple(stride, _LONG), across: _odd_multiple(stride, _SHORT)}
        shift = _odd_multiple(stride, _SHIFT)
        if self._tile is not None:
            sides = {2: self._tile[0], 3: self._tile[1]}
            shift = min(shift, _odd_multiple(stride, 1))
        length = sides[along]
        image = self._image(*(sides[axis] + shift * (axis == along) for axis in (2, 3)))
        first = self._run(np.take(image, range(length), along))
        second = self._run(np.take(image, range(shift, length + shift), along))
        if first is None or second is None:
            return None
        one = np.take(first, range(shift, length), along)
        other = np.take(second, range(length - shift), along)
        allowed = _TOLERANCE * max(float(np.ptp(first)), 1e-6)
        differs = np.nonzero((np.abs(one - other) > allowed).any(axis=(0, 1, across)))[0]
        overlap = length - shift
        if not len(differs):
            return 0
        left = differs[differs < overlap // 2]
        right = differs[differs >= overlap // 2]
        far = max(left.max(initial=-1) + 1, overlap - int(right.min(initial=overlap)))
        # Borders that reach nearly to the middle are none, but everything.
        return int(far) if far < 0.45 * overlap else None

    def _image(self, rows: int, columns: int) -> NDArray[np.float32]:
        shape = (1, self._channels, rows, columns)
        return (self._noise.random(shape, np.float32) * 2.0 - 0.5).astype(np.float32)

    def _run(self, image: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Run the network; None where it refuses, or its output has another size."""
        try:
            out = self._predict(np.ascontiguousarray(image))
        except (RuntimeError, ValueError, TypeError) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            self.reason = f"it stops at {image.shape[2:]} pixels ({lines[-1][:120]})."
            return None
        if out.ndim != 4 or out.shape[0] != 1 or out.shape[2:] != image.shape[2:]:
            self.reason = f"an image of {image.shape[2:]} pixels became {out.shape}."
            return None
        if not np.isfinite(out).all():
            self.reason = "it gives NaN or infinity."
            return None
        self._out_channels = out.shape[1]
        self._low = min(self._low, float(out.min()))
        self._high = max(self._high, float(out.max()))
        self._sums &= bool(np.allclose(out.sum(axis=1), 1.0, atol=1e-4))
        return out


def _odd_multiple(stride: int, least: int) -> int:
    """Return the smallest odd multiple of a stride that is not below ``least``."""
    times = -(-least // stride)
    return (times + 1 - times % 2) * stride
