"""What napari and other plugins do with the arrays that lazy layers hold."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Image

from napari_slicewise.io.lazy_array import LazyArray
from napari_slicewise.io.tiff_reader import read_layers

RNG = np.random.default_rng(5)


@pytest.fixture
def stack(tmp_path: Path) -> tuple[Path, Any]:
    """A stack of two channels, above the size that is read at once."""
    data = RNG.integers(0, 60000, (11, 2, 640, 641)).astype(np.uint16)
    path = tmp_path / "stack.ome.tif"
    tifffile.imwrite(path, data, photometric="minisblack", metadata={"axes": "ZCYX"})
    return path, data


def added(path: Path) -> tuple[ViewerModel, list[Image]]:
    viewer = ViewerModel()
    layers = [viewer.add_image(data, **attributes) for data, attributes, _ in read_layers(path)]
    return viewer, layers


def test_napari_shows_the_right_plane_of_the_right_channel(stack: tuple[Path, Any]) -> None:
    path, data = stack
    viewer, layers = added(path)
    assert all(isinstance(layer.data, LazyArray) for layer in layers)
    for plane in (3, 10, 0):
        viewer.dims.set_current_step(0, plane)
        for channel, layer in enumerate(layers):
            np.testing.assert_array_equal(layer._slice.image.raw, data[plane, channel])


def test_a_lazy_layer_is_duplicated_with_its_pixels(stack: tuple[Path, Any]) -> None:
    path, data = stack
    _, layers = added(path)
    copy = Image(deepcopy(layers[1].data))
    np.testing.assert_array_equal(np.asarray(copy.data), data[:, 1])


def test_other_plugins_find_what_they_expect_of_an_array(stack: tuple[Path, Any]) -> None:
    path, data = stack
    array = read_layers(path)[1][0]
    assert array.max(axis=0).compute().shape == (640, 641)
    assert np.max(array) == data[:, 1].max()
    np.testing.assert_array_equal((array + 1)[3], data[3, 1] + 1)
    np.testing.assert_array_equal((array > 7).sum(axis=0), (data[:, 1] > 7).sum(axis=0))
    np.testing.assert_array_equal(array.astype("f4")[2], data[2, 1].astype("f4"))
    np.testing.assert_array_equal(np.stack([array, array])[1, 5], data[5, 1])
    assert array.rechunk((4, 640, 641)).chunks[0] == (4, 4, 3)
    assert len(array) == 11


def test_the_levels_of_a_large_pyramid_follow_the_zoom(tmp_path: Path) -> None:
    data = RNG.integers(0, 60000, (3200, 3300)).astype(np.uint16)
    path = tmp_path / "pyramid.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tif:
        tif.write(data, subifds=1, tile=(256, 256), metadata={"axes": "YX"})
        tif.write(data[::2, ::2], subfiletype=1, tile=(256, 256))
    _, [layer] = added(path)
    assert layer.multiscale
    layer.data_level = 0
    np.testing.assert_array_equal(layer.data[0][700:900, 5:2000], data[700:900, 5:2000])
    np.testing.assert_array_equal(np.asarray(layer.data[1]), data[::2, ::2])


def test_a_lazy_complex_image_is_shown_by_its_size(tmp_path: Path) -> None:
    data = (RNG.random((20, 400, 500)) + 1j).astype(np.complex64)
    path = tmp_path / "complex.tif"
    tifffile.imwrite(path, data, photometric="minisblack", metadata={"axes": "ZYX"})
    array = read_layers(path)[0][0]
    np.testing.assert_allclose(np.asarray(array[4]), abs(data[4]), rtol=1e-6)
