"""Files that are replaced, grow or vanish while a layer shows them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_slicewise.errors import ImageError
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.layer_writer import write_image_layer
from napari_slicewise.io.outputs import write_picture
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.tiff_reader import open_image, read_layers

SHAPE = (6, 40, 50)
NAMES = ["a.ome.tif", "a.tif", "a.ome.zarr"]


@pytest.fixture(autouse=True)
def _everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_slicewise.io.tiff_reader._SMALL_BYTES", 0)


def noise(seed: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 60000, shape).astype(np.uint16)


def write(path: Path, data: np.ndarray) -> Path:
    axes = tuple(Axis(name, size) for name, size in zip("zyx", data.shape, strict=True))
    return write_picture(path, data, Picture(axes, "image"))


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_saved_over_its_own_file_shows_the_same_afterwards(
    tmp_path: Path, name: str
) -> None:
    path = write(tmp_path / name, noise(0))
    data, options, _ = read_layers(path)[0]
    write_image_layer(str(path), data, options | {"name": "x" * 500})
    np.testing.assert_array_equal(np.asarray(data), noise(0))


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_the_same_shape_that_took_its_place_is_followed(
    tmp_path: Path, name: str
) -> None:
    path = write(tmp_path / name, np.zeros(SHAPE, np.uint16))
    data = open_image(path).data
    assert not data[3].any()
    write(path, noise(1))
    np.testing.assert_array_equal(data[3], noise(1)[3])


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_another_shape_that_took_its_place_is_told(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, noise(0))
    data = open_image(path).data
    write(path, noise(1, (2, 30, 30)))
    with pytest.raises(ImageError, match="changed"):
        data[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_vanishes_is_told_and_never_shown_as_zeros(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, noise(0))
    data = open_image(path).data
    data[0]
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(ImageError, match=r"gone|no file|moved"):
        data[1]


def test_the_planes_of_a_stack_that_is_still_recorded_stay_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "growing.tif"
    tifffile.imwrite(path, noise(0), photometric="minisblack", metadata=None)
    data = open_image(path).data
    tifffile.imwrite(path, noise(1), photometric="minisblack", metadata=None, append=True)
    np.testing.assert_array_equal(np.asarray(data), noise(0))
    assert open_image(path).data.shape == (12, 40, 50)
