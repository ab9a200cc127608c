"""A slice is read from any array as (channel, y, x), and a stack is never taken for channels."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr
from dask.callbacks import Callback
from hypothesis import given
from hypothesis import strategies as st

from napari_slicewise.errors import ImageError
from napari_slicewise.io.source import ArraySource


@pytest.mark.parametrize("depth", [1, 3, 4])
def test_a_stack_of_few_slices_stays_a_stack(depth):
    source = ArraySource(np.zeros((depth, 20, 30)))
    assert source.leading_shape == (depth,)
    assert source.channels == 1
    assert list(source.indices()) == [(z,) for z in range(depth)]


@given(st.permutations(range(4)), st.booleans())
def test_any_axis_can_be_rows_columns_or_channels(order, one_channel):
    array = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    lead, channel, rows, columns = order
    source = ArraySource(array, (rows, columns), channel, 1 if one_channel else None)
    expected = array.transpose(lead, channel, rows, columns)[1]
    np.testing.assert_array_equal(
        source.read_slice((1,)), expected[1:2] if one_channel else expected
    )


def test_alpha_is_left_out_of_a_colour_image():
    source = ArraySource(np.zeros((8, 9, 4), np.uint8), (0, 1), 2, rgb=True)
    assert source.channels == 3
    assert source.read_slice(()).shape == (3, 8, 9)


def test_dask_and_zarr_are_read_a_slice_at_a_time():
    array = np.arange(60, dtype=np.uint16).reshape(3, 4, 5)

    class Counted:
        shape, dtype, ndim = array.shape, array.dtype, array.ndim
        reads = 0

        def __getitem__(self, where):
            self.reads += 1
            return array[where]

    disk = Counted()
    for data in (da.from_array(disk, chunks=(1, 4, 5), meta=array[:0]), zarr.array(array)):
        np.testing.assert_array_equal(ArraySource(data).read_slice((2,))[0], array[2])
    assert disk.reads == 1


def test_a_failed_read_is_an_image_error_with_the_slice():
    class Gone:
        shape = (3, 4, 5)
        dtype = np.dtype("uint8")

        def __getitem__(self, where):
            raise OSError("the share is gone")

    with pytest.raises(ImageError, match=r"Slice \(1,\).*the share is gone"):
        ArraySource(Gone()).read_slice((1,))


@pytest.mark.parametrize(
    ("shape", "plane", "channel_axis", "channel", "text"),
    [
        ((5,), (-2, -1), None, None, "needs two"),
        ((5, 0), (-2, -1), None, None, "empty"),
        ((5, 6), (0, 2), None, None, "do not exist"),
        ((5, 6, 7), (1, 2), 2, None, "axes of their own"),
        ((5, 6, 7), (1, 2), 0, 5, "no channel 5"),
    ],
)
def test_axes_that_do_not_fit_are_refused(shape, plane, channel_axis, channel, text):
    with pytest.raises(ImageError, match=text):
        ArraySource(np.zeros(shape), plane, channel_axis, channel)


def test_several_channels_cannot_be_written():
    with pytest.raises(ImageError, match="single channel"):
        ArraySource(np.zeros((2, 3, 4)), (1, 2), 0).write_slice((), np.zeros((3, 4)))


def test_a_slice_of_a_dask_array_is_computed_without_the_callbacks_of_the_process():
    tasks = []
    source = ArraySource(da.arange(24, chunks=24).reshape(2, 3, 4))
    with Callback(pretask=lambda *task: tasks.append(task)):
        np.testing.assert_array_equal(source.read_slice((1,))[0], np.arange(12, 24).reshape(3, 4))
    assert not tasks
