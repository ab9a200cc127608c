"""The Python interface: paths, opened files and arrays give the same labels."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import tifffile
from support.random_models import write_random_model

import napari_slicewise
from napari_slicewise import Axis, load_model, read_image, segment, write_labels
from napari_slicewise.errors import ModelError, OutputError, RequestError


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(write_random_model(tmp_path_factory.mktemp("models") / "random.safetensors"))


@pytest.fixture
def image():
    rng = np.random.default_rng(1)
    return (rng.normal(size=(3, 40, 50)).cumsum(-1) * 100 + 2000).astype(np.uint16)


def test_a_path_an_opened_file_and_arrays_give_the_same_labels(tmp_path, model, image):
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, image, imagej=True, metadata={"axes": "ZYX"})
    expected = segment(image, model)
    assert expected.shape == image.shape
    assert expected.dtype == np.uint32
    np.testing.assert_array_equal(segment(path, model), expected)
    with read_image(path) as opened:
        np.testing.assert_array_equal(segment(opened, model), expected)
    np.testing.assert_array_equal(
        segment(da.from_array(image, chunks=(1, 40, 50)), model), expected
    )


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_channels_may_stand_anywhere(model, image, axis):
    two = np.moveaxis(np.stack([image, image[:, ::-1]]), 0, axis)
    expected = segment(image[:, ::-1], model)
    np.testing.assert_array_equal(segment(two, model, channel_axis=axis, channel=1), expected)


def test_a_channel_without_its_axis_is_refused(model, image):
    with pytest.raises(RequestError, match="which axis"):
        segment(image, model, channel=0)


def test_the_bundled_model_finds_the_nuclei_of_a_drawn_image():
    yy, xx = np.mgrid[:96, :96]
    image = np.full((96, 96), 100.0)
    for y, x in ((24, 24), (70, 30), (50, 72)):
        image += 900 / (1 + np.exp((np.hypot(yy - y, xx - x) - 11) / 1.2))
    noisy = np.random.default_rng(0).poisson(image).astype(np.uint16)
    labels = segment(noisy)
    assert labels.max() == 3
    for y, x in ((24, 24), (70, 30), (50, 72)):
        assert labels[y, x] > 0
    truth = image > 550
    assert (truth & (labels > 0)).sum() / (truth | (labels > 0)).sum() > 0.85


def test_unknown_models_are_refused_with_those_that_are_known(image):
    with pytest.raises(ModelError, match="nuclei"):
        segment(image, "no-such-model")


def test_public_names_are_imported_on_first_use():
    for name in napari_slicewise.__all__:
        assert getattr(napari_slicewise, name) is not None
    with pytest.raises(AttributeError, match="no attribute"):
        _ = napari_slicewise.unknown


def test_what_is_no_image_or_no_output_is_refused_before_anything_is_loaded(image):
    for wrong in (None, 7, object()):
        with pytest.raises(RequestError, match="is no image"):
            segment(wrong, "no-such-model")
    with pytest.raises(RequestError, match="no output 'nope'"):
        segment(image, "no-such-model", output="nope")


def test_nested_lists_are_an_image(model):
    assert segment([[1, 2], [3, 4]], model).shape == (2, 2)


def test_labels_are_written_and_numbers_with_fractions_are_not(tmp_path):
    labels = np.arange(20, dtype=np.uint16).reshape(4, 5)
    axes = (Axis("y", 4, 0.5, "um"), Axis("x", 5, 0.5, "um"))
    path = write_labels(tmp_path / "labels.ome.tif", labels, axes)
    with read_image(path) as opened:
        np.testing.assert_array_equal(np.asarray(opened.data), labels)
        assert [axis.step for axis in opened.info.axes] == [0.5, 0.5]
    with pytest.raises(OutputError, match="whole numbers"):
        write_labels(tmp_path / "wrong.tif", labels + 0.5, axes)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"pixel_um": (-1.0, 1.0)}, "pixel size is"),
        ({"pixel_um": (float("nan"), 1.0)}, "pixel size is"),
        ({"pixel_um": (1.0,)}, "pixel size is"),
        ({"pixel_um": 0.5}, "pixel size is"),
        ({"pixel_um": "ab"}, "pixel size is"),
        ({"device": None}, "device is named"),
        ({"objects": {"gap": 1}}, "ObjectOptions"),
        ({"channels": 1}, "is a list"),
        ({"channels": "1"}, "is a list"),
        ({"channels": [0.5]}, "whole number"),
        ({"channel_axis": "c"}, "whole number"),
        ({"channel_axis": 0, "channel": 1.0}, "whole number"),
    ],
)
def test_what_is_of_the_wrong_kind_is_refused_in_words(model, image, wrong, words):
    with pytest.raises(RequestError, match=words):
        segment(image, model, **wrong)


def test_a_list_of_rows_of_several_lengths_is_refused_in_words(model):
    with pytest.raises(RequestError, match="differ in length"):
        segment([[1, 2], [3]], model)


def test_a_threshold_may_be_a_number_of_numpy(model, image):
    one = segment(image, model, threshold=np.float32(0.5))
    np.testing.assert_array_equal(one, segment(image, model, threshold=0.5))
