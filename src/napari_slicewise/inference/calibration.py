"""When int8 may be used, and when it pays: pure functions over tiles of the user's image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.instances.split import label_objects
from napari_slicewise.models.spec import ModelSpec

__all__ = ["Agreement", "ImageTiles", "busiest_cells", "cell_shape", "compare", "pays_off"]

LARGEST_SHARE = 0.002  # of the pixels, that may change class
LARGEST_UNMATCHED = 0.01  # of the objects, beside one
LEAST_PIXELS = 50_000  # held out; on fewer, 0.2 % says little
LEAST_FOREGROUND = 0.001  # where there are no objects, all networks agree

TILES = 24  # of an image, two thirds of them to calibrate on
_CELL = 256  # px
_THRESHOLDS = np.arange(1, 100) / 100
_IGNORED_OBJECTS = 16  # px; such specks come and go with any rounding

_FIXED_SECONDS = 4.0  # loading NNCF, its work on each layer, compiling
_CALIBRATION_PASSES = 3.0  # a tile observed in float32, in passes of the reduced format
_CHECK_PASSES = 3.0  # a tile held out: float32, int8 and their comparison
_GAIN = 0.4  # share of the time that int8 saves beside bfloat16
_MARGIN = 1.5  # it must save this many times what it costs


class ImageTiles:
    """Tiles of the image of a run, ``(channel, y, x)``, normalised; filled by its reader.

    Nothing of it depends on which slices were asked for, so that a run that goes on
    where another one ended comes to the same network.
    """

    def __init__(self) -> None:
        self.calibration: tuple[NDArray[np.float32], ...] = ()
        self.held_out: tuple[NDArray[np.float32], ...] = ()
        self.digest = ""  # names the tiles by their content

    def fill(self, tiles: Sequence[NDArray[np.float32]]) -> None:
        """Hold out every third tile, and keep the others to calibrate on."""
        self.held_out = tuple(tiles[1::3])
        self.calibration = tuple(tile for n, tile in enumerate(tiles) if n % 3 != 1)
        digest = blake2b(digest_size=12)
        for tile in tiles:
            digest.update(np.ascontiguousarray(tile).data)
        self.digest = digest.hexdigest()

    @property
    def enough(self) -> bool:
        """Whether a check on these tiles would mean something."""
        held_out: int = sum(tile[0].size for tile in self.held_out)
        return held_out >= LEAST_PIXELS


def cell_shape(shape: tuple[int, int], spec: ModelSpec) -> tuple[int, int] | None:
    """Return rows and columns of the tiles to take from a slice, None where it is too small.

    At least two fit along each side, and each is an input that the network takes.
    """
    lost = 2 * spec.margin if spec.padding == "valid" else 0
    sides = []
    for length in shape:
        wanted = min(_CELL + lost, length // 2)
        side = (wanted - spec.remainder) // spec.stride * spec.stride + spec.remainder
        if side < lost + spec.stride:
            return None
        sides.append(side)
    return sides[0], sides[1]


def busiest_cells(
    array: NDArray[Any],  # (c, y, x)
    cell: tuple[int, int],
    count: int,
) -> list[NDArray[Any]]:
    """Cut a slice on a grid and return the cells in which intensities vary most.

    Ranges measured on background alone would clip the objects, and a check there would
    always pass. The busiest cells hold the most borders, which is where pixels change.
    """
    rows, columns = cell
    thinned = array[0, ::4, ::4].astype(np.float32)
    places = [
        (y, x)
        for y in range(0, array.shape[1] - rows + 1, rows)
        for x in range(0, array.shape[2] - columns + 1, columns)
    ]

    def spread(place: tuple[int, int]) -> float:
        y, x = place[0] // 4, place[1] // 4
        part = thinned[y : y + max(1, rows // 4), x : x + max(1, columns // 4)]
        part = part[np.isfinite(part)]
        return -float(part.std()) if part.size else 0.0

    chosen = sorted(places, key=spread)[:count]
    return [array[:, y : y + rows, x : x + columns].copy() for y, x in chosen]


@dataclass(frozen=True)
class Agreement:
    """How far a network in int8 agrees with the same network in float32 on held-out tiles.

    Parameters
    ----------
    shares
        Of the pixels, that lie on different sides of the threshold 0.01, 0.02 .. 0.99.
    foreground
        Share of the pixels above each of these thresholds, in float32.
    classes
        Share of the pixels whose strongest class differs; 0 for a model without classes.
    objects, unmatched
        Objects in both, and those of them without a partner (IoU of 0.5) in the other.

    Notes
    -----
    Thresholded pixels do not tell everything where a second channel splits what
    touches: a small error at the pass between two summits joins two nuclei and moves
    no pixel across the threshold. So the objects themselves are matched, with the
    model's own threshold. One in a hundred may be without a partner, and one more: on a
    few objects a single doubtful split would otherwise decide.
    """

    shares: tuple[float, ...]
    foreground: tuple[float, ...]
    classes: float
    objects: int
    unmatched: int

    def share(self, threshold: float, output: str) -> float:
        """Return the share of the pixels that change class, for what is asked."""
        # The worse of the two neighbours: between them it can hardly be worse.
        below = int(np.clip(threshold * 100 - 1, 0, len(self.shares) - 1))
        share = max(self.shares[below], self.shares[min(below + 1, len(self.shares) - 1)])
        return max(share, self.classes) if output == "classes" else share

    def fault(self, threshold: float, output: str) -> str:
        """Say why int8 must not be used here; empty when it may."""
        position = int(np.clip(threshold * 100 - 1, 0, len(self.foreground) - 1))
        share = self.share(threshold, output)
        if share >= LARGEST_SHARE:
            return f"{share:.2%} of the pixels differ from float32".replace("%", " %")
        if not LEAST_FOREGROUND <= self.foreground[position] <= 1.0 - LEAST_FOREGROUND:
            return "the tiles to check it on hold no objects"
        if output == "labels" and self.unmatched > 1 + LARGEST_UNMATCHED * self.objects:
            return f"{self.unmatched} of {self.objects} objects differ from float32"
        return ""


def compare(
    exact: Sequence[NDArray[np.float32]],  # (head, y, x) each
    quick: Sequence[NDArray[np.float32]],
    spec: ModelSpec,
) -> Agreement:
    """Compare activations of held-out tiles in float32 and in int8."""
    crossed, above = np.zeros(_THRESHOLDS.size), np.zeros(_THRESHOLDS.size)
    pixels = classes = objects = unmatched = 0
    for one, other in zip(exact, quick, strict=True):
        of_classes = spec.output == "classes"
        a, b = (1.0 - t[0] if of_classes else t[0] for t in (one, other))
        crossed += np.abs(_reached(np.minimum(a, b)) - _reached(np.maximum(a, b)))
        above += _reached(a)
        pixels += a.size
        if of_classes:
            classes += int(np.count_nonzero(one.argmax(axis=0) != other.argmax(axis=0)))
        found = match_objects(one, other, spec)
        objects, unmatched = objects + found[0], unmatched + found[1]
    total = max(1, pixels)
    return Agreement(
        tuple((crossed / total).tolist()),
        tuple((above / total).tolist()),
        classes / total,
        objects,
        unmatched,
    )


def _reached(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Count the values that reach each threshold; NaN reaches none."""
    ordered = np.sort(np.nan_to_num(values.astype(np.float64), nan=-1.0), axis=None)
    return (ordered.size - np.searchsorted(ordered, _THRESHOLDS)).astype(np.float64)


def match_objects(
    one: NDArray[np.float32], other: NDArray[np.float32], spec: ModelSpec
) -> tuple[int, int]:
    """Return the objects of both, and how many have no partner; only for heads that split."""
    if spec.output not in ("foreground_distance", "foreground_boundary"):
        return 0, 0
    a, b = (
        label_objects(
            tile[0],
            tile[1] if spec.output == "foreground_distance" else 1.0 - tile[1],
            ObjectOptions(threshold=spec.threshold, smallest=_IGNORED_OBJECTS),
        )
        for tile in (one, other)
    )
    areas = np.bincount(a.ravel()), np.bincount(b.ravel())
    both = (a > 0) & (b > 0)
    keys, overlap = np.unique(
        a[both].astype(np.int64) * areas[1].size + b[both], return_counts=True
    )
    union = areas[0][keys // areas[1].size] + areas[1][keys % areas[1].size] - overlap
    count = int(a.max()) + int(b.max())
    return count, count - 2 * int(np.count_nonzero(overlap > 0.5 * union))


def pays_off(
    seconds_a_pixel: float, pixels_left: int, calibration_pixels: int, held_out_pixels: int
) -> bool:
    """Tell whether quantising now makes the rest of a run end sooner.

    Parameters
    ----------
    seconds_a_pixel
        As measured in this run, in the format it has begun with.
    pixels_left
        Of the slices that are still to be predicted.
    calibration_pixels, held_out_pixels
        Of the tiles that the quantisation and its check have to predict.
    """
    passes = _CALIBRATION_PASSES * calibration_pixels + _CHECK_PASSES * held_out_pixels
    cost = _FIXED_SECONDS + passes * seconds_a_pixel
    return pixels_left * seconds_a_pixel * _GAIN > _MARGIN * cost
