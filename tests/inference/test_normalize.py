"""Normalisation: dtypes, missing values, constant and nearly empty images."""

import numpy as np
import pytest

from napari_slicewise.errors import ImageError
from napari_slicewise.inference.normalize import IntensityRange, measure_range, normalize
from napari_slicewise.models.spec import ModelSpec

PERCENTILE = ModelSpec("p", normalization="percentile", percentiles=(1.0, 99.8))
DIVIDE = ModelSpec("d", normalization="divide_by_255")


def _normalize(image, spec=PERCENTILE):
    return normalize(image, measure_range([image], spec))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "uint64", "f2", "f4", "f8"])
def test_percentiles_become_zero_and_one_whatever_the_dtype(dtype):
    image = np.random.default_rng(0).integers(0, 127, (2, 64, 64)).astype(dtype)
    range_ = measure_range([image], PERCENTILE)
    for channel in range(2):
        low, high = np.percentile(image[channel].astype(float), (1.0, 99.8))
        assert range_.low[channel] == pytest.approx(low)
        assert range_.high[channel] == pytest.approx(high)
    normal = normalize(image, range_)
    assert normal.dtype == np.float32
    np.testing.assert_allclose(
        normal[0],
        np.clip((image[0].astype(float) - range_.low[0]) / (range_.high[0] - range_.low[0]), -1, 4),
        atol=1e-6,
    )


def test_large_integers_keep_their_differences():
    image = (np.arange(64).reshape(1, 8, 8) + 2**31).astype(np.uint32)
    assert np.unique(_normalize(image)).size == 64


def test_bright_specks_are_clipped_but_not_down_to_one():
    image = np.zeros((1, 100, 100), np.float32)
    image[0, :50] = 1.0
    image[0, 0, :2] = (2.0, 1000.0)
    assert _normalize(image)[0, 0, :3].tolist() == [2.0, 4.0, 1.0]


def test_nan_becomes_the_low_end_and_infinity_the_bound():
    image = np.random.default_rng(0).random((1, 32, 32)).astype(np.float32)
    clean = measure_range([image], PERCENTILE)
    image[0, 0, :3] = (np.nan, np.inf, -np.inf)
    range_ = measure_range([image], PERCENTILE)
    assert range_.high[0] == pytest.approx(clean.high[0], abs=0.01)
    assert normalize(image, range_)[0, 0, :3].tolist() == [0.0, 4.0, -1.0]


@pytest.mark.parametrize("value", [0, 7, np.nan])
@pytest.mark.parametrize("spec", [PERCENTILE, DIVIDE], ids=["percentile", "divide"])
def test_constant_images_are_zeros(value, spec):
    image = np.full((1, 5, 7), value, np.float32)
    assert not _normalize(image, spec).any()


def test_few_bright_pixels_in_an_empty_image_are_seen():
    image = np.zeros((1, 100, 100), np.uint16)
    image[0, 50, 50:53] = 900
    assert _normalize(image)[0, 50, 50] == 1.0


@pytest.mark.parametrize("spec", [PERCENTILE, DIVIDE], ids=["percentile", "divide"])
def test_bool_images_become_zero_and_one(spec):
    image = np.eye(16, dtype=bool)[np.newaxis]
    assert np.array_equal(_normalize(image, spec), image.astype(np.float32))


def test_bytes_are_divided_by_255_whatever_they_hold():
    image = np.array([[[3, 51, 60]]], np.uint8)
    np.testing.assert_allclose(_normalize(image, DIVIDE), image / np.float32(255))


def test_other_types_are_stretched_to_the_range_of_bytes():
    image = np.linspace(-500, 4000, 10_000).reshape(1, 100, 100).astype(np.int16)
    normal = _normalize(image, DIVIDE)
    assert (normal.min(), normal.max()) == (0.0, 1.0)
    assert normal[0, 50, 0] == pytest.approx(0.5, abs=0.01)


def test_range_of_a_stack_lies_over_all_its_samples():
    dark, bright = np.zeros((1, 10, 10), np.uint8), np.full((1, 10, 10), 200, np.uint8)
    range_ = measure_range(iter([dark, bright]), PERCENTILE)
    assert (range_.low, range_.high) == ((0.0,), (200.0,))


def test_range_of_a_large_slice_is_measured_on_a_part_of_it():
    image = np.tile(np.arange(1000, dtype=np.uint16), (1, 2000, 2))
    range_ = measure_range([image], PERCENTILE)
    assert range_.low[0] == pytest.approx(10, abs=5)
    assert range_.high[0] == pytest.approx(998, abs=5)


def test_the_image_itself_is_left_as_it_was():
    image = np.random.default_rng(0).random((1, 8, 8)).astype(np.float32)
    before = image.copy()
    _normalize(image)
    assert np.array_equal(image, before)


def test_channels_that_do_not_fit_are_refused():
    with pytest.raises(ImageError, match="2 channels, its intensity range 1"):
        normalize(np.zeros((2, 3, 3)), IntensityRange((0.0,), (1.0,)))
    with pytest.raises(ImageError, match="differ"):
        measure_range([np.zeros((1, 3, 3)), np.zeros((2, 3, 3))], PERCENTILE)
    with pytest.raises(ImageError, match="no slice"):
        measure_range([], PERCENTILE)
    with pytest.raises(ImageError, match="each channel"):
        IntensityRange((0.0,), (1.0, 2.0))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint16, ">u2", np.int32])
@pytest.mark.parametrize("size", [(1, 3), (7, 11), (300, 200)])
def test_counted_percentiles_are_those_of_numpy(dtype, size):
    rng = np.random.default_rng(0)
    values = rng.integers(-100 if np.dtype(dtype).kind == "i" else 0, 120, (1, *size)).astype(dtype)
    range_ = measure_range([values], ModelSpec("m", percentiles=(1.3, 99.1)))
    expected = np.percentile(values.astype(np.float64), (1.3, 99.1))
    np.testing.assert_allclose((range_.low[0], range_.high[0]), expected, rtol=1e-12)


Z_SCORE = ModelSpec("z", normalization="z_score")
UNCHANGED = ModelSpec("n", normalization="none")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_z_score_gives_each_channel_mean_0_and_deviation_1(dtype):
    rng = np.random.default_rng(3)
    image = np.stack([rng.normal(100, 10, (50, 60)), rng.normal(30, 4, (50, 60))]).astype(dtype)
    normal = _normalize(image, Z_SCORE)
    np.testing.assert_allclose(normal.mean(axis=(1, 2)), 0.0, atol=1e-4)
    np.testing.assert_allclose(normal.std(axis=(1, 2)), 1.0, atol=1e-4)


def test_z_score_of_a_stack_is_over_all_its_slices():
    dark, bright = np.full((1, 8, 8), 10.0), np.full((1, 8, 8), 30.0)
    range_ = measure_range([dark, bright], Z_SCORE)
    np.testing.assert_allclose(normalize(dark, range_), -1.0)
    np.testing.assert_allclose(normalize(bright, range_), 1.0)


def test_z_score_of_a_constant_image_is_zeros():
    assert not _normalize(np.full((1, 5, 5), 7, np.uint16), Z_SCORE).any()


def test_z_score_passes_over_what_is_no_number():
    image = np.arange(100.0).reshape(1, 10, 10)
    clean = measure_range([image[:, :, 1:]], Z_SCORE)
    image[0, :, 0] = [np.nan, np.inf, -np.inf, *[np.nan] * 7]
    assert measure_range([image], Z_SCORE) == clean
    assert np.isfinite(normalize(image, clean)).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32])
def test_no_scaling_leaves_the_numbers_as_they_are(dtype):
    image = np.arange(120).reshape(1, 10, 12).astype(dtype) * 2
    np.testing.assert_array_equal(_normalize(image, UNCHANGED), image.astype(np.float32))
