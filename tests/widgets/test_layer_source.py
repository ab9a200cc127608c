"""Layers become slices over the plane on show, wherever the sliders stand."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_slicewise.errors import ImageError
from napari_slicewise.widgets.layer_source import (
    ChannelChoice,
    channel_axes,
    layer_source,
    named_channel_axis,
    shown_index,
)

NO_CHANNELS = ChannelChoice()


def counted(shape):
    """An image whose pixels say on which leading position they lie."""
    leading = shape[:-2]
    numbers = np.arange(int(np.prod(leading, dtype=int))).reshape(*leading, 1, 1)
    return np.broadcast_to(numbers, shape).astype(np.uint16).copy()


def test_a_stack_is_sliced_along_its_first_axis():
    viewer = ViewerModel()
    layer = viewer.add_image(counted((5, 8, 9)))
    viewer.dims.set_current_step(0, 3)
    source = layer_source(layer, viewer.dims, NO_CHANNELS)
    assert (source.leading_shape, source.slice_shape) == ((5,), (8, 9))
    assert shown_index(layer, source, viewer.dims) == (3,)


def test_a_single_image_has_one_slice_with_an_empty_index():
    viewer = ViewerModel()
    viewer.add_image(counted((5, 8, 9)))
    layer = viewer.add_image(np.zeros((8, 9)))
    source = layer_source(layer, viewer.dims, NO_CHANNELS)
    assert source.leading_shape == ()
    assert shown_index(layer, source, viewer.dims) == ()


@pytest.mark.parametrize("seed", range(12))
def test_the_index_is_that_of_the_slice_that_napari_shows(seed):
    rng = np.random.default_rng(seed)
    viewer = ViewerModel()
    units = rng.choice(["um", "nm", "mm"], 2)
    factor = {"um": 1.0, "nm": 1e3, "mm": 1e-3}
    for number, unit in enumerate(units):
        shape = (int(rng.integers(3, 7)), int(rng.integers(3, 7)), 8, 9)[number:]
        ndim = len(shape)
        viewer.add_image(
            counted(shape),
            scale=rng.uniform(0.3, 3, ndim) * factor[unit],
            translate=rng.uniform(-2, 2, ndim) * factor[unit],
            units=[unit] * ndim,
        )
    for axis in (0, 1):
        low, high, _ = viewer.dims.range[axis]
        viewer.dims.set_point(axis, float(rng.uniform(low, high)))
    for layer in viewer.layers:
        source = layer_source(layer, viewer.dims, NO_CHANNELS)
        index = shown_index(layer, source, viewer.dims)
        if not layer._slice.empty:
            assert np.asarray(layer.data[index])[0, 0] == layer._slice.image.raw[0, 0]


def test_rolled_axes_are_sliced_over_the_plane_on_show():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((5, 8, 9)))
    viewer.dims.order = (2, 0, 1)
    viewer.dims.set_current_step(2, 7)
    source = layer_source(layer, viewer.dims, NO_CHANNELS)
    assert (source.leading_shape, source.slice_shape) == ((9,), (5, 8))
    assert shown_index(layer, source, viewer.dims) == (7,)


def test_transposing_the_view_changes_nothing():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((5, 8, 9)))
    before = layer_source(layer, viewer.dims, NO_CHANNELS)
    viewer.dims.transpose()
    assert layer_source(layer, viewer.dims, NO_CHANNELS) == before


def test_in_3d_the_slices_are_those_of_the_last_two_axes():
    viewer = ViewerModel(ndisplay=3)
    layer = viewer.add_image(np.zeros((4, 5, 8, 9)))
    source = layer_source(layer, viewer.dims, NO_CHANNELS)
    assert (source.leading_shape, source.slice_shape) == ((4, 5), (8, 9))


def test_a_colour_picture_has_its_colours_last():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((5, 40, 50, 4), np.uint8), rgb=True)
    source = layer_source(layer, viewer.dims, NO_CHANNELS)
    assert (source.leading_shape, source.slice_shape) == ((5,), (40, 50))
    assert source.rgb
    assert source.read_slice((0,)).shape == (3, 40, 50)


def test_of_a_pyramid_the_finest_level_is_taken():
    viewer = ViewerModel()
    fine = np.zeros((5, 64, 64))
    layer = viewer.add_image([fine, fine[:, ::2, ::2]], multiscale=True)
    assert layer_source(layer, viewer.dims, NO_CHANNELS).data is layer.data[0]


@pytest.mark.parametrize("slices", [1, 3, 4])
def test_a_stack_of_few_slices_is_not_taken_for_channels(slices):
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((slices, 40, 50), np.uint8))
    source = layer_source(layer, viewer.dims, NO_CHANNELS)
    assert (source.channels, source.leading_shape) == (1, (slices,))
    assert named_channel_axis(layer) is None


def test_an_axis_called_channel_is_one():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((7, 2, 8, 9)), axis_labels=("t", "C", "y", "x"))
    assert named_channel_axis(layer) == 1
    assert channel_axes(layer) == (1,)
    source = layer_source(layer, viewer.dims, ChannelChoice(1, 0))
    assert (source.channels, source.leading_shape) == (1, (7,))
    assert layer_source(layer, viewer.dims, ChannelChoice(1, None)).channels == 2


def test_any_short_axis_may_be_called_channels():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((3, 30, 40, 50)))
    assert channel_axes(layer) == (0,)
    source = layer_source(layer, viewer.dims, ChannelChoice(0, 2))
    assert (source.leading_shape, source.channel) == ((30,), 2)


def test_an_image_without_room_for_a_plane_beside_its_channels_is_refused():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((8, 9)))
    with pytest.raises(ImageError, match="too few axes"):
        layer_source(layer, viewer.dims, ChannelChoice(0, 0))
