"""TIFF flavours that the tests write themselves, with known pixels and known calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_slicewise.errors import ImageError
from napari_slicewise.io.image_info import ImageWarning
from napari_slicewise.io.tiff_reader import get_reader, open_image, read_layers

RNG = np.random.default_rng(7)


def noise(shape: tuple[int, ...], dtype: str = "uint16") -> Any:
    return RNG.integers(0, 200, shape).astype(dtype)


def write_ome(path: Path, data: Any, axes: str, **metadata: Any) -> Path:
    tifffile.imwrite(
        path, data, ome=True, photometric="minisblack", metadata={"axes": axes, **metadata}
    )
    return path


def test_ome_gives_axes_sizes_units_names_and_colours(tmp_path: Path) -> None:
    data = noise((2, 5, 3, 20, 30))
    path = write_ome(
        tmp_path / "a.ome.tif",
        data,
        "TZCYX",
        PhysicalSizeX=0.2,
        PhysicalSizeXUnit="µm",
        PhysicalSizeY=300.0,
        PhysicalSizeYUnit="nm",
        PhysicalSizeZ=1.5,
        TimeIncrement=4.0,
        TimeIncrementUnit="min",
        Channel={"Name": ["DAPI", "GFP", "Cy5"], "Color": [65535, 16711935, -16776961]},
    )

    layers = read_layers(path)

    assert [kind for _, _, kind in layers] == ["image"] * 3
    for index, (array, attributes, _) in enumerate(layers):
        np.testing.assert_array_equal(array, data[:, :, index])
        assert attributes["scale"] == [4.0, 1.5, 300.0, 0.2]
        assert attributes["units"] == ["min", "µm", "nm", "µm"]
        assert attributes["axis_labels"] == ["t", "z", "y", "x"]
        assert attributes["blending"] == "additive"
    assert [attributes["name"] for _, attributes, _ in layers] == ["a: DAPI", "a: GFP", "a: Cy5"]
    tops = [attributes["colormap"]["colors"][-1][:3] for _, attributes, _ in layers]
    assert tops == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]


def test_imagej_hyperstack_gives_units_of_each_axis_and_display_ranges(tmp_path: Path) -> None:
    data = noise((2, 3, 2, 16, 17))
    path = tmp_path / "hyper.tif"
    tifffile.imwrite(
        path,
        data,
        imagej=True,
        resolution=(1 / 0.25, 1 / 0.5),
        metadata={
            "axes": "TZCYX",
            "unit": "micron",
            "yunit": "nm",
            "spacing": 2.0,
            "zunit": "mm",
            "finterval": 3.0,
            "mode": "composite",
            "Ranges": (1.0, 90.0, 2.0, 80.0),
            "LUTs": [_ramp((255, 0, 0)), _ramp((0, 255, 255))],
            "Labels": ["red", "cyan"] * 6,
        },
    )

    layers = read_layers(path)

    np.testing.assert_array_equal(layers[1][0], data[:, :, 1])
    attributes = layers[1][1]
    np.testing.assert_allclose(attributes["scale"], [3.0, 2.0, 0.5, 0.25], rtol=1e-6)
    assert attributes["units"] == ["s", "mm", "nm", "µm"]
    assert attributes["contrast_limits"] == [2.0, 80.0]
    assert attributes["name"] == "hyper: cyan"
    assert attributes["colormap"]["colors"][-1][:3] == [0, 1, 1]


def _ramp(color: tuple[int, int, int]) -> Any:
    return (np.arange(256)[None] * np.array(color)[:, None] // 255).astype(np.uint8)


@pytest.mark.parametrize("unit", [2, 3])
def test_print_resolution_is_no_calibration(tmp_path: Path, unit: int) -> None:
    path = tmp_path / "dpi.tif"
    tifffile.imwrite(path, noise((8, 9)), resolution=(300, 300), resolutionunit=unit, metadata=None)
    attributes = read_layers(path)[0][1]
    assert attributes["units"] == ["pixel", "pixel"]
    assert attributes["scale"] == [1.0, 1.0]


@pytest.mark.parametrize("size", ["0", "nan", "-1", "", "inf"])
def test_sizes_that_are_no_sizes_mean_not_calibrated(tmp_path: Path, size: str) -> None:
    path = tmp_path / "z.ome.tif"
    write_ome(path, noise((8, 9)), "YX", PhysicalSizeX=0.5, PhysicalSizeY=0.5)
    with tifffile.TiffFile(path) as tif:
        xml = tif.ome_metadata.replace('SizeX="0.5"', f'SizeX="{size}"')
    tifffile.tiffcomment(path, xml.encode())
    assert read_layers(path)[0][1]["units"] == ["pixel", "pixel"]


@pytest.mark.parametrize("slices", [3, 4])
def test_a_stack_of_three_or_four_slices_is_no_colour_picture(tmp_path: Path, slices: int) -> None:
    data = noise((slices, 40, 50), "uint8")
    path = tmp_path / "few.tif"
    tifffile.imwrite(path, data, photometric="minisblack", metadata=None)
    array, attributes, _ = read_layers(path)[0]
    np.testing.assert_array_equal(array, data)
    assert attributes["rgb"] is False


@pytest.mark.parametrize("planar", [None, "separate"])
def test_colours_come_last_however_they_are_stored(tmp_path: Path, planar: str | None) -> None:
    data = noise((2, 40, 50, 3), "uint8")
    stored = data if planar is None else np.moveaxis(data, -1, 1)
    path = tmp_path / "rgb.tif"
    tifffile.imwrite(
        path, stored, photometric="rgb", planarconfig=planar, metadata=None, compression="zlib"
    )
    array, attributes, _ = read_layers(path)[0]
    np.testing.assert_array_equal(array, data)
    assert attributes["rgb"] is True
    assert len(attributes["scale"]) == 3
    source = open_image(path).source()
    assert source.channels == 3
    np.testing.assert_array_equal(source.read_slice((1,)), np.moveaxis(data[1], -1, 0))


def test_white_is_zero_is_shown_the_right_way_round(tmp_path: Path) -> None:
    path = tmp_path / "white.tif"
    tifffile.imwrite(path, noise((8, 9), "uint8"), photometric="miniswhite", metadata=None)
    colors = read_layers(path)[0][1]["colormap"]["colors"]
    assert colors[0][:3] == [1, 1, 1]
    assert colors[-1][:3] == [0, 0, 0]


def test_one_channel_is_read_slice_by_slice(tmp_path: Path) -> None:
    data = noise((4, 3, 10, 12))
    path = write_ome(tmp_path / "c.ome.tif", data, "ZCYX")
    with open_image(path) as image:
        source = image.source(channel=1)
        assert source.leading_shape == (4,)
        np.testing.assert_array_equal(source.read_slice((2,))[0], data[2, 1])
        with pytest.raises(ImageError, match="no channel 3"):
            image.source(channel=3)


def test_every_series_is_reached_and_only_the_first_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "scenes.ome.tif"
    first, second = noise((5, 6)), noise((3, 7, 8))
    with tifffile.TiffWriter(path, ome=True) as tif:
        tif.write(first, metadata={"axes": "YX", "Name": "one"})
        tif.write(second, metadata={"axes": "ZYX", "Name": "two"}, photometric="minisblack")
    layers = read_layers(path)
    np.testing.assert_array_equal(layers[1][0], second)
    assert [attributes["name"] for _, attributes, _ in layers] == ["scenes one", "scenes two"]
    assert [attributes.get("visible", True) for _, attributes, _ in layers] == [True, False]
    np.testing.assert_array_equal(open_image(path, series=1).data, second)
    with pytest.raises(ImageError, match="no series 2"):
        open_image(path, series=2)


def test_an_imagej_stack_cut_in_half_says_what_is_left(tmp_path: Path) -> None:
    data = noise((8, 30, 40))
    path = tmp_path / "half.tif"
    tifffile.imwrite(path, data, imagej=True, metadata={"axes": "ZYX"})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 5 * 30 * 40 * 2])
    with pytest.warns(ImageWarning, match=r"planes 0-\d of 8 could be read"):
        array = read_layers(path)[0][0]
    assert array.shape == data.shape
    np.testing.assert_array_equal(array[:2], data[:2])
    assert not array[-1].any()


def test_the_reader_takes_what_is_its_own_and_nothing_else(tmp_path: Path) -> None:
    for name in ("a.tif", "b.TIFF", "c.ome.tif", "d.lsm", "e.stk", "f.btf", "g.tf8"):
        assert get_reader(str(tmp_path / name)) is not None
    assert get_reader(str(tmp_path / "a.png")) is None
    assert get_reader(str(tmp_path)) is None
    tifffile.imwrite(tmp_path / "x.tif", noise((4, 5)))
    assert get_reader(str(tmp_path)) is not None
