"""Large images are read in parts, by many threads, and no file stays open."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_slicewise.errors import ImageError
from napari_slicewise.io.tiff_pages import PageArray
from napari_slicewise.io.tiff_reader import open_image, open_series, read_layers

RNG = np.random.default_rng(11)


def noise(shape: tuple[int, ...], dtype: str = "uint16") -> Any:
    return RNG.integers(0, 200, shape).astype(dtype)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zlib"},
        {"compression": "lzw", "predictor": True},
        {"tile": (256, 128), "compression": "zlib"},
        {"tile": (256, 256)},
        {"byteorder": ">"},
        {"bigtiff": True, "rowsperstrip": 17, "compression": "zlib"},
    ],
    ids=str,
)
def test_large_images_are_lazy_and_read_any_part(tmp_path: Path, options: dict[str, Any]) -> None:
    data = RNG.integers(0, 60000, (3, 1700, 1801)).astype(np.uint16)
    path = tmp_path / "large.tif"
    tifffile.imwrite(path, data, photometric="minisblack", metadata={"axes": "ZYX"}, **options)
    array = open_image(path).data
    assert isinstance(array, PageArray)
    np.testing.assert_array_equal(array[1], data[1])
    np.testing.assert_array_equal(array[:, 100:130, 700:711], data[:, 100:130, 700:711])
    np.testing.assert_array_equal(array[2, ::300, ::-250], data[2, ::300, ::-250])
    np.testing.assert_array_equal(array[-1, 5], data[-1, 5])
    assert array[0, 3, 4] == data[0, 3, 4]
    lazy = read_layers(path)[0][0]
    assert not isinstance(lazy, np.ndarray)
    np.testing.assert_array_equal(np.asarray(lazy[2, 900:, :100]), data[2, 900:, :100])


def test_a_pyramid_gives_its_levels(tmp_path: Path) -> None:
    data = noise((512, 640), "uint8")
    path = tmp_path / "pyramid.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tif:
        tif.write(data, subifds=2, tile=(64, 64), metadata={"axes": "YX"})
        tif.write(data[::2, ::2], subfiletype=1, tile=(64, 64))
        tif.write(data[::4, ::4], subfiletype=1, tile=(64, 64))
    levels, attributes, _ = read_layers(path)[0]
    assert attributes["multiscale"] is True
    assert [level.shape for level in levels] == [(512, 640), (256, 320), (128, 160)]
    np.testing.assert_array_equal(levels[2], data[::4, ::4])


def test_many_threads_read_the_right_planes(tmp_path: Path) -> None:
    data = RNG.integers(0, 60000, (40, 512, 512)).astype(np.uint16)
    path = tmp_path / "threads.tif"
    tifffile.imwrite(path, data, photometric="minisblack", metadata=None, compression="zlib")
    array = open_image(path).data
    wrong: list[int] = []

    def look(start: int) -> None:
        for plane in range(start, 40, 4):
            if not np.array_equal(array[plane], data[plane]):
                wrong.append(plane)

    threads = [threading.Thread(target=look, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_file_can_be_removed_while_its_layer_lives(tmp_path: Path) -> None:
    path = tmp_path / "gone.tif"
    tifffile.imwrite(path, noise((40, 512, 512)), photometric="minisblack", metadata=None)
    array = open_image(path).data
    array[0]
    path.unlink()
    with pytest.raises(ImageError, match="not there any more"):
        array[1]


def test_a_long_stack_opens_without_reading_every_page(tmp_path: Path) -> None:
    path = tmp_path / "long.tif"
    with tifffile.TiffWriter(path) as tif:
        for number in range(1200):
            tif.write(np.full((4, 5), number, np.uint16), metadata=None, contiguous=False)
    array = open_image(path).data
    assert array.shape == (1200, 4, 5)
    np.testing.assert_array_equal(array[:, 0, 0], np.arange(1200))


def test_a_page_of_another_size_makes_another_series(tmp_path: Path) -> None:
    path = tmp_path / "mixed.tif"
    with tifffile.TiffWriter(path) as tif:
        for number in range(12):
            size = 10 if number == 4 else 20
            tif.write(np.full((size, size), number, np.uint8), metadata=None, contiguous=False)
    assert [image.info.shape for image in open_series(path)] == [(11, 20, 20), (10, 10)]


def test_a_lazy_image_travels_to_another_process(tmp_path: Path) -> None:
    data = noise((40, 512, 512))
    path = tmp_path / "travel.tif"
    tifffile.imwrite(path, data, photometric="minisblack", metadata=None)
    array = pickle.loads(pickle.dumps(open_image(path).data))
    np.testing.assert_array_equal(array[7], data[7])
