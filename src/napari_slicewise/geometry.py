"""Whole-number geometry: how a slice is cut into tiles."""

from __future__ import annotations

from dataclasses import dataclass

from napari_slicewise.errors import RequestError

__all__ = ["Box", "Tile", "pad_to_multiple", "tile_grid"]


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels, ends excluded."""

    y0: int
    y1: int
    x0: int
    x1: int

    def __post_init__(self) -> None:
        if not (0 <= self.y0 < self.y1 and 0 <= self.x0 < self.x1):
            raise RequestError(
                f"A box needs a positive size: {self.y0, self.y1, self.x0, self.x1}."
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.y1 - self.y0, self.x1 - self.x0

    @property
    def slices(self) -> tuple[slice, slice]:
        """For indexing the last two axes of an array."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)


@dataclass(frozen=True)
class Tile:
    """What the network reads, and the part of its output that is kept.

    Parameters
    ----------
    read, keep
        Both in the padded slice.
    lost
        Pixels at each border of ``read`` that the network gives no output for; 0 for
        padded convolutions.
    """

    read: Box
    keep: Box
    lost: int = 0

    @property
    def inner(self) -> tuple[slice, slice]:
        """Where ``keep`` lies within the network's output."""
        y, x = self.read.y0 + self.lost, self.read.x0 + self.lost
        return (
            slice(self.keep.y0 - y, self.keep.y1 - y),
            slice(self.keep.x0 - x, self.keep.x1 - x),
        )


def pad_to_multiple(shape: tuple[int, int], multiple: int, remainder: int = 0) -> tuple[int, int]:
    """Return the smallest ``(y, x)`` that holds ``shape``, sides ``multiple * k + remainder``."""
    height, width = (-(-(side - remainder) // multiple) * multiple + remainder for side in shape)
    return height, width


def _spans(
    length: int, tile: int, margin: int, step_multiple: int, lost: int
) -> list[tuple[int, ...]]:
    """Cut one axis: ``(read0, read1, keep0, keep1)`` for each tile, the keeps side by side."""
    if length <= tile:
        return [(0, length, lost, length - lost)]
    step = (tile - 2 * margin) // step_multiple * step_multiple
    if step < step_multiple:
        raise RequestError(
            f"Tiles of {tile} pixels leave nothing to keep beside a margin of {margin}.",
            f"Choose tiles of {2 * margin + step_multiple} pixels or more.",
        )
    starts = [*range(0, length - tile, step), length - tile]
    spans: list[tuple[int, ...]] = []
    keep0 = lost
    for number, start in enumerate(starts):
        last = number == len(starts) - 1
        keep1 = length - lost if last else start + margin + step
        spans.append((start, start + tile, keep0, keep1))
        keep0 = keep1
    return spans


def tile_grid(
    shape: tuple[int, int],
    tile: tuple[int, int],
    margin: int,
    step_multiple: int,
    lost: int = 0,
) -> tuple[Tile, ...]:
    """Cover a slice with tiles of one size whose kept parts do not overlap.

    For unpadded convolutions this is the overlap-tile strategy of Ronneberger et al.
    2015 (10.1007/978-3-319-24574-4_28), figure 2.

    Parameters
    ----------
    shape
        Rows and columns of the padded slice.
    tile
        Rows and columns of a tile; a side longer than the slice is cut to it.
    margin
        Pixels at a tile's inner borders that are read and not kept. From half of the
        receptive field on, the result equals that of the whole slice.
    step_multiple
        Tiles begin at multiples of this, on the grid of the network's pooling:
        elsewhere the prediction shifts.
    lost
        Pixels at each border of its input that the network gives no output for.

    Raises
    ------
    RequestError
        When the tile is too small for its margin, or slice and tile do not lie on one
        pooling grid.
    """
    for side, part in zip(shape, tile, strict=True):
        if (side - part) % step_multiple:
            raise RequestError(
                f"Tiles of {part} pixels in {side} do not fit a grid of {step_multiple}: "
                "their difference is no multiple of it."
            )
    rows = _spans(shape[0], tile[0], margin, step_multiple, lost)
    columns = _spans(shape[1], tile[1], margin, step_multiple, lost)
    return tuple(
        Tile(Box(y0, y1, x0, x1), Box(ky0, ky1, kx0, kx1), lost)
        for y0, y1, ky0, ky1 in rows
        for x0, x1, kx0, kx1 in columns
    )
