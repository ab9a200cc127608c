"""Numbered PNG and JPEG files as stacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest

from napari_slicewise.cli import main
from napari_slicewise.errors import ImageError
from napari_slicewise.io.info import describe
from napari_slicewise.io.tiff_reader import get_reader, open_image, read_layers

RNG = np.random.default_rng(3)


def write_png(path: Path, data: Any) -> None:
    path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(data)))


def test_a_folder_of_png_slices_is_a_stack(tmp_path: Path) -> None:
    data = RNG.integers(0, 60000, (12, 20, 30)).astype(np.uint16)
    for number, plane in enumerate(data):
        write_png(tmp_path / f"cells_z{number}.png", plane)  # 10 comes after 9, not after 1
    assert get_reader(str(tmp_path)) is not None
    assert get_reader(str(tmp_path / "cells_z0.png")) is None
    array, attributes, _ = read_layers(tmp_path)[0]
    np.testing.assert_array_equal(np.asarray(array), data)
    assert attributes["axis_labels"] == ["z", "y", "x"]
    assert attributes["units"] == ["pixel"] * 3
    assert "image, PNG, deflate" in describe(tmp_path)


def test_colours_of_png_and_jpeg_stay_colours(tmp_path: Path) -> None:
    data = RNG.integers(0, 255, (2, 20, 30, 3)).astype(np.uint8)
    for number, plane in enumerate(data):
        write_png(tmp_path / f"t{number:03}.png", plane)
    array, attributes, _ = read_layers(tmp_path)[0]
    assert attributes["rgb"] is True
    np.testing.assert_array_equal(np.asarray(array), data)
    smooth = np.full((20, 30, 3), (200, 100, 50), np.uint8)
    (tmp_path / "a.jpg").write_bytes(imagecodecs.jpeg8_encode(smooth, level=99))
    picture = open_image(tmp_path / "a.jpg")
    assert picture.info.rgb
    assert np.abs(picture.data.astype(int) - smooth).max() < 4


def test_a_pattern_picks_files_and_they_are_converted(tmp_path: Path) -> None:
    data = RNG.integers(0, 255, (3, 20, 30)).astype(np.uint8)
    for number, plane in enumerate(data):
        write_png(tmp_path / f"raw_{number}.png", plane)
        write_png(tmp_path / f"mask_{number}.png", plane // 2)
    target = tmp_path / "stack.ome.tif"
    assert main(["convert", str(tmp_path / "raw_*.png"), str(target), "--quiet"]) == 0
    np.testing.assert_array_equal(open_image(target).data, data)


def test_damaged_pictures_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    with pytest.raises(ImageError, match=r"a.png is corrupt"):
        open_image(tmp_path / "a.png")
    with pytest.raises(ImageError, match="There is no file"):
        open_image(tmp_path / "b.png")
