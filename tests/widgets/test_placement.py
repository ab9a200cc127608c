"""Labels lie exactly over their image."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_slicewise.io.source import ArraySource
from napari_slicewise.widgets.placement import Placement


def add_labels(viewer, image, source):
    placement = Placement(image, source)
    array = np.zeros(placement.shape, np.uint32)
    labels = viewer.add_layer(placement.make_layer(array, "labels"))
    labels.visible = True
    return labels, placement.view(array)


def random_matrix(rng, ndim):
    return np.linalg.qr(rng.normal(size=(ndim, ndim)))[0] @ np.diag(rng.uniform(0.5, 2, ndim))


def random_affine(rng, ndim):
    affine = np.eye(ndim + 1)
    affine[:ndim, :ndim] = random_matrix(rng, ndim)
    affine[:ndim, ndim] = rng.normal(size=ndim)
    return affine


def corners(layer):
    steps = np.vstack([np.zeros(layer.ndim), np.eye(layer.ndim)])
    return np.array([layer.data_to_world(step) for step in steps])


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
@pytest.mark.parametrize("seed", range(5))
def test_transform_units_and_axis_labels_are_those_of_the_image(seed, caplog):
    rng = np.random.default_rng(seed)
    viewer = ViewerModel()
    image = viewer.add_image(
        rng.random((4, 8, 9)),
        scale=rng.uniform(0.1, 3, 3),
        translate=rng.normal(size=3),
        rotate=np.linalg.qr(rng.normal(size=(3, 3)))[0],
        shear=rng.normal(size=3),
        affine=random_affine(rng, 3),
        units=("s", "um", "um"),
        axis_labels=("t", "rows", "columns"),
    )
    with caplog.at_level(logging.WARNING):
        labels, _ = add_labels(viewer, image, ArraySource(image.data))
        assert viewer.layers.extent.units is not None
    np.testing.assert_allclose(corners(labels), corners(image))
    np.testing.assert_allclose(labels.scale, image.scale)
    np.testing.assert_allclose(labels.translate, image.translate)
    np.testing.assert_allclose(labels.rotate, image.rotate)
    np.testing.assert_allclose(labels.shear, image.shear)
    np.testing.assert_allclose(labels.affine.affine_matrix, image.affine.affine_matrix)
    assert (labels.units, labels.axis_labels) == (image.units, image.axis_labels)
    assert not caplog.records


def test_moving_the_labels_leaves_the_image_where_it_is():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((4, 8, 9)))
    labels, _ = add_labels(viewer, image, ArraySource(image.data))
    labels.affine.translate = (1.0, 2.0, 3.0)
    np.testing.assert_allclose(image.affine.translate, 0.0)


def test_the_colours_of_a_picture_are_no_axis_of_its_labels():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((4, 40, 50, 3), np.uint8), rgb=True, scale=(3, 2, 1))
    labels, view = add_labels(viewer, image, ArraySource(image.data, (1, 2), 3, rgb=True))
    assert labels.data.shape == (4, 40, 50)
    np.testing.assert_allclose(corners(labels), corners(image))
    view.write_slice((2,), np.ones((40, 50), np.uint32))
    assert labels.data[2].all()
    assert not labels.data[[0, 1, 3]].any()


def test_a_leading_channel_axis_is_left_out():
    viewer = ViewerModel()
    image = viewer.add_image(
        np.zeros((2, 4, 8, 9)),
        scale=(1, 3, 0.5, 0.5),
        translate=(0, 1, 2, 3),
        units=("pixel", "um", "um", "um"),
        axis_labels=("c", "z", "y", "x"),
    )
    labels, view = add_labels(viewer, image, ArraySource(image.data, channel_axis=0, channel=1))
    assert labels.data.shape == (4, 8, 9)
    np.testing.assert_allclose(labels.scale, image.scale[1:])
    np.testing.assert_allclose(labels.translate, image.translate[1:])
    assert (labels.units, labels.axis_labels) == (image.units[1:], ("z", "y", "x"))
    view.write_slice((3,), np.ones((8, 9), np.uint32))
    assert labels.data[3].all()


def test_a_channel_axis_between_others_is_kept_and_labels_show_on_each_channel():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((5, 3, 8, 9)), scale=(1, 2, 1, 1), translate=(0, 7, 0, 0))
    labels, view = add_labels(viewer, image, ArraySource(image.data, channel_axis=1, channel=0))
    assert labels.data.shape == (5, 1, 8, 9)
    view.write_slice((4,), np.full((8, 9), 6, np.uint32))
    viewer.dims.set_current_step(0, 4)
    for channel in range(3):
        viewer.dims.set_current_step(1, channel)
        assert viewer.dims.nsteps[1] == 3
        assert not labels._slice.empty
        assert (labels._slice.image.raw == 6).all()


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
def test_a_leading_channel_axis_sheared_into_others_is_kept():
    viewer = ViewerModel()
    affine = np.eye(5)
    affine[2, 0] = 0.3
    image = viewer.add_image(np.zeros((3, 4, 8, 9)), affine=affine)
    labels, _ = add_labels(viewer, image, ArraySource(image.data, channel_axis=0, channel=0))
    assert labels.data.shape == (1, 4, 8, 9)
    np.testing.assert_allclose(
        labels.data_to_world((0, 0, 0, 0)), image.data_to_world((1, 0, 0, 0))
    )


def test_labels_fit_until_the_image_is_moved():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((4, 8, 9)), scale=(2, 1, 1))
    placement = Placement(image, ArraySource(image.data))
    labels, _ = add_labels(viewer, image, ArraySource(image.data))
    assert placement.still_fits(labels)
    image.scale = (3, 1, 1)
    assert not placement.still_fits(labels)
