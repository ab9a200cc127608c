"""A volume in cubes: what was written along one axis is read along another."""

from __future__ import annotations

import numpy as np
import pytest

from napari_slicewise.io import cube_store, label_store
from napari_slicewise.io.cube_store import CubeStore
from napari_slicewise.io.source import ArraySource
from napari_slicewise.io.turned_source import TurnedSource, store_volume

SHAPE = (2, 7, 9, 11)


@pytest.fixture(params=["memory", "disk"], autouse=True)
def _place(request, monkeypatch):
    monkeypatch.setattr(cube_store, "_SLAB_BYTES", 2 * 9 * 11 * 4 * 3)  # slabs of three slices
    if request.param == "disk":
        monkeypatch.setattr(label_store, "memory_budget", lambda: 0)


def volume(seed=0):
    return np.random.default_rng(seed).random(SHAPE, np.float32)


@pytest.mark.parametrize("written", [0, 1, 2])
@pytest.mark.parametrize("read", [0, 1, 2])
def test_slices_come_back_along_any_axis(written, read):
    values = volume()
    cubes = CubeStore(SHAPE, np.float32)
    for position in np.random.default_rng(1).permutation(SHAPE[written + 1]):
        cubes.write(written, int(position), values.take(position, axis=written + 1))
    cubes.flush()
    for position in np.random.default_rng(2).permutation(SHAPE[read + 1]):
        plane = cubes.read(read, int(position))
        np.testing.assert_array_equal(plane, values.take(position, axis=read + 1))


def test_sums_along_two_axes_are_read_along_the_third():
    values = volume()
    sums = CubeStore(SHAPE, np.float32)
    for axis in (1, 2):
        for position in range(SHAPE[axis + 1]):
            sums.add(axis, position, values.take(position, axis=axis + 1))
        sums.flush()
    for z in range(SHAPE[1]):
        np.testing.assert_array_equal(sums.read(0, z), 2 * values[:, z])


def test_what_was_read_is_not_changed_by_what_is_written_later():
    cubes = CubeStore(SHAPE, np.float32)
    before = cubes.read(0, 3)
    cubes.write(0, 3, np.ones(SHAPE[2:], np.float32))
    assert not before.any()
    assert cubes.read(0, 3).all()


def nearest(planes, shape):
    """As many rows as wanted, the nearest ones."""
    rows = (np.arange(shape[0]) + 0.5) * planes.shape[1] // shape[0]
    return planes[:, rows.astype(int)]


@pytest.mark.parametrize("outer", [(0,), (1,)])
def test_a_stack_of_a_series_is_seen_from_its_sides(outer):
    array = np.random.default_rng(0).integers(0, 99, (2, 3, 5, 6, 2), np.uint8)
    source = ArraySource(array, (2, 3), 4)
    cubes = store_volume(source, outer)
    stack = array[outer]  # (z, y, x, channel)
    for along, shape in (("y", (3, 6)), ("x", (3, 5))):
        view = TurnedSource(cubes, along, rgb=False, pixel_um=None, rows=3, resample=nearest)
        assert (view.channels, view.slice_shape, view.dtype) == (2, shape, np.dtype(np.uint8))
        for position in range(view.leading_shape[0]):
            plane = stack[:, position] if along == "y" else stack[:, :, position]
            np.testing.assert_array_equal(view.read_slice((position,)), np.moveaxis(plane, -1, 0))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, bool])
def test_steps_along_z_that_are_longer_than_pixels_become_as_long(dtype):
    array = (np.random.default_rng(0).random((3, 5, 6)) * 2).astype(dtype)
    cubes = store_volume(ArraySource(array), ())
    view = TurnedSource(cubes, "y", rgb=False, pixel_um=None, rows=6, resample=nearest)
    plane = view.read_slice((4,))
    assert (plane.shape, plane.dtype, view.slice_shape) == ((1, 6, 6), np.dtype(dtype), (6, 6))
    np.testing.assert_array_equal(plane[0], np.repeat(array[:, 4], 2, axis=0))
    sums = CubeStore((1, 3, 5, 6), np.float32)
    view.add(sums, (4,), plane.astype(np.float32))
    sums.flush()
    for z in range(3):
        found = sums.read(0, z)[0]
        np.testing.assert_array_equal(found[4], array[z, 4])
        assert not found[:4].any()
