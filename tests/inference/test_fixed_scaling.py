"""Models with a fixed gain and offset, and with bounds of their own."""

import numpy as np
import pytest

from napari_slicewise.errors import ModelError
from napari_slicewise.inference.normalize import measure_range, normalize
from napari_slicewise.models.spec import ModelSpec


def scaled(image, **fields):
    spec = ModelSpec("m", in_channels=len(image), **fields)
    return normalize(image, measure_range([image], spec))


def test_each_channel_has_its_own_gain_and_offset():
    image = np.array([[[0, 100, 65535]], [[10, 20, 30]]], np.uint16)
    out = scaled(image, normalization="linear", gain=(0.5, 2.0), offset=(-1.0, 3.0))
    np.testing.assert_allclose(out, [[[-1.0, 49.0, 32766.5]], [[23.0, 43.0, 63.0]]], rtol=1e-6)


@pytest.mark.parametrize(
    "fields",
    [
        {"normalization": "linear", "gain": (1.0,), "offset": (0.0,)},
        {"normalization": "none"},
        {"normalization": "percentile", "percentiles": (0.0, 100.0)},
        {"normalization": "z_score"},
        {"normalization": "divide_by_255"},
    ],
    ids=lambda fields: fields["normalization"],
)
def test_bounds_of_the_model_come_before_the_usual_ones(fields):
    image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    out = scaled(image, clip=(0.25, 0.5), **fields)
    assert (out.min(), out.max()) == (0.25, 0.5)


@pytest.mark.parametrize(
    "fields",
    [
        {"normalization": "linear"},
        {"normalization": "linear", "gain": (1.0, 2.0), "offset": (0.0, 0.0)},
        {"normalization": "linear", "gain": (0.0,), "offset": (0.0,)},
        {"normalization": "linear", "gain": (-1.0,), "offset": (0.0,)},
        {"gain": (float("nan"),)},
        {"clip": (1.0, 0.0)},
        {"clip": (1.0,)},
        {"clip": ("a", "b")},
    ],
)
def test_numbers_that_scale_nothing_are_refused(fields):
    with pytest.raises(ModelError, match=r"gain|clip"):
        ModelSpec("m", **fields)


def test_scaling_survives_the_card():
    spec = ModelSpec("m", normalization="linear", gain=(0.5,), offset=(1.0,), clip=(0.0, 2.0))
    assert ModelSpec.from_json(spec.to_json()) == spec
