"""Tiles cover a slice once, on the pooling grid, with their margin around them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicewise.errors import RequestError
from napari_slicewise.geometry import Box, pad_to_multiple, tile_grid

sixteens = st.integers(1, 40).map(lambda n: 16 * n)


@given(height=sixteens, width=sixteens, tile=sixteens, margin=st.integers(0, 4))
def test_kept_parts_cover_each_pixel_once_and_lie_a_margin_inside(height, width, tile, margin):
    margin *= 16
    if tile < 2 * margin + 16:
        tile = 2 * margin + 16
    covered = np.zeros((height, width), int)
    shape = (min(tile, height), min(tile, width))
    for piece in tile_grid((height, width), shape, margin, 16):
        covered[piece.keep.slices] += 1
        assert piece.read.shape == shape
        assert piece.read.y0 % 16 == piece.read.x0 % 16 == 0
        for low, keep_low, keep_high, high, end in (
            (piece.read.y0, piece.keep.y0, piece.keep.y1, piece.read.y1, height),
            (piece.read.x0, piece.keep.x0, piece.keep.x1, piece.read.x1, width),
        ):
            assert keep_low == 0 or keep_low - low >= margin
            assert keep_high == end or high - keep_high >= margin
    assert (covered == 1).all()


def test_a_slice_that_fits_is_one_tile():
    (tile,) = tile_grid((32, 48), (64, 64), 16, 16)
    assert tile.read == tile.keep == Box(0, 32, 0, 48)


def test_a_tile_smaller_than_its_margins_is_refused():
    with pytest.raises(RequestError, match="nothing to keep"):
        tile_grid((256, 256), (64, 64), 32, 16)


def test_sides_off_the_pooling_grid_are_refused():
    with pytest.raises(RequestError, match="grid of 16"):
        tile_grid((250, 256), (64, 64), 16, 16)


@given(height=st.integers(12, 60), width=st.integers(12, 60), tile=st.integers(13, 40))
def test_overlap_tiles_cover_what_the_network_can_answer(height, width, tile):
    height, width, tile = (16 * n + 12 for n in (height, width, tile))
    covered = np.zeros((height, width), int)
    shape = (min(tile, height), min(tile, width))
    for piece in tile_grid((height, width), shape, 92, 16, lost=92):
        covered[piece.keep.slices] += 1
        assert piece.read.y0 % 16 == piece.read.x0 % 16 == 0
        for part, read in zip(piece.inner, piece.read.shape, strict=True):
            assert 0 <= part.start < part.stop <= read - 184
    assert (covered[92:-92, 92:-92] == 1).all()
    assert covered.sum() == (height - 184) * (width - 184)


def test_padding_goes_up_to_the_next_multiple():
    assert pad_to_multiple((1, 17), 16) == (16, 32)
    assert pad_to_multiple((16, 32), 16) == (16, 32)
    assert pad_to_multiple((572, 573), 16, remainder=12) == (572, 588)
