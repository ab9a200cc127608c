"""OME-Zarr: what is written comes back, from us and by the rules, or nothing is written at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yaozarrs import validate_zarr_store

from napari_slicewise.errors import ImageError, OutputError
from napari_slicewise.io.image_info import Axis, Channel, ImageWarning
from napari_slicewise.io.info import describe
from napari_slicewise.io.outputs import open_writer, write_labels, write_picture
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.tiff_reader import get_reader, open_image, open_series, read_layers
from napari_slicewise.io.zarr_document import Version
from napari_slicewise.io.zarr_writer import ZarrWriter

VERSIONS: tuple[Version, ...] = ("0.4", "0.5")
ZYX = (Axis("z", 3, 2.0, "µm"), Axis("y", 20, 0.5, "µm"), Axis("x", 30, 0.25, "µm"))
LABELS = np.arange(3 * 20 * 30, dtype=np.uint32).reshape(3, 20, 30)
RNG = np.random.default_rng(5)


def write(path: Path, data: Any, picture: Picture, version: Version = "0.5") -> Path:
    with ZarrWriter(path, picture, data.dtype, version=version) as writer:
        for index in np.ndindex(*picture.shape[: len(picture.axes) - 2]):
            writer.write(index, data[index])
    return path


@pytest.mark.parametrize("version", VERSIONS)
def test_labels_come_back_as_labels_with_their_sizes(tmp_path: Path, version: Version) -> None:
    picture = Picture(ZYX, provenance={"model": "nuclei"})
    path = write(tmp_path / "out.ome.zarr", LABELS, picture, version)
    array, attributes, kind = read_layers(path)[0]
    assert kind == "labels"
    np.testing.assert_array_equal(array, LABELS)
    assert attributes["name"] == "out"
    assert attributes["scale"] == [2.0, 0.5, 0.25]
    assert attributes["units"] == ["µm", "µm", "µm"]
    assert attributes["axis_labels"] == ["z", "y", "x"]
    assert attributes["metadata"]["slicewise"]["provenance"] == {"model": "nuclei"}
    assert f"labels, OME-Zarr {version}, blosc" in describe(path)
    group = zarr.open_group(str(path), mode="r")
    assert group.metadata.zarr_format == (2 if version == "0.4" else 3)


@pytest.mark.parametrize("version", VERSIONS)
def test_channels_keep_names_colours_and_order(tmp_path: Path, version: Version) -> None:
    data = RNG.integers(3, 900, (3, 2, 20, 30)).astype(np.uint16)
    channels = (Channel("DAPI", (0, 0, 255), (5.0, 700.0)), Channel("GFP", (0, 255, 0)))
    axes = (ZYX[0], Axis("c", 2), *ZYX[1:])
    path = write(tmp_path / "c.zarr", data, Picture(axes, "image", channels), version)
    layers = read_layers(path)
    assert [attributes["name"] for _, attributes, _ in layers] == ["c: DAPI", "c: GFP"]
    np.testing.assert_array_equal(layers[1][0], data[:, 1])
    assert layers[0][1]["colormap"]["colors"][-1][:3] == [0, 0, 1]
    assert layers[0][1]["contrast_limits"] == [5.0, 700.0]
    assert layers[1][1]["contrast_limits"] == [data[:, 1].min(), data[:, 1].max()]
    stored = zarr.open_array(str(path / "0"), mode="r")
    np.testing.assert_array_equal(stored[:], np.moveaxis(data, 1, 0))
    np.testing.assert_array_equal(open_image(path).source(1).read_slice((2,))[0], data[2, 1])


@pytest.mark.parametrize("version", VERSIONS)
def test_large_slices_get_a_pyramid_that_is_read_lazily(tmp_path: Path, version: Version) -> None:
    data = RNG.integers(0, 60000, (4, 1301, 1700)).astype(np.uint16)
    axes = tuple(Axis(name, n, 0.5, "µm") for name, n in zip("zyx", data.shape, strict=True))
    path = write(tmp_path / "p.zarr", data, Picture(axes, "image"), version)
    levels, attributes, _ = read_layers(path)[0]
    assert attributes["multiscale"] is True
    assert [level.shape[1:] for level in levels] == [(1301, 1700), (651, 850), (326, 425)]
    assert not isinstance(levels[0], np.ndarray)
    np.testing.assert_array_equal(np.asarray(levels[0][2, 900:, 3:50]), data[2, 900:, 3:50])
    block = data[1, :2, :2].astype(float)
    assert np.asarray(levels[1][1, 0, 0]) == round(block.mean())
    lazy = open_image(path).data
    np.testing.assert_array_equal(lazy[::-2, 5, [7, 3]], data[::-2, 5][:, [7, 3]])
    validate_zarr_store(str(path))


def test_labels_are_added_to_an_image_and_open_over_it(tmp_path: Path) -> None:
    for version in VERSIONS:
        image = RNG.integers(0, 99, (3, 20, 30)).astype(np.uint8)
        path = write(tmp_path / f"i{version}.zarr", image, Picture(ZYX, "image"), version)
        for name in ("nuclei", "cells", "cells"):
            write_labels(path / "labels" / name, LABELS, ZYX, inputs=[path])
        layers = read_layers(path)
        assert [kind for _, _, kind in layers] == ["image", "labels", "labels"]
        assert [a["name"] for _, a, _ in layers][1:] == [f"i{version} nuclei", f"i{version} cells"]
        assert all(attributes.get("visible", True) for _, attributes, _ in layers)
        np.testing.assert_array_equal(layers[1][0], LABELS)
        np.testing.assert_array_equal(layers[0][0], image)
        assert read_layers(path / "labels" / "cells")[0][2] == "labels"
        validate_zarr_store(str(path))


def test_an_rgb_picture_comes_back_as_one(tmp_path: Path) -> None:
    data = RNG.integers(0, 255, (3, 20, 30, 3)).astype(np.uint8)
    path = write(tmp_path / "rgb.zarr", data, Picture(ZYX, "image", rgb=3))
    array, attributes, _ = read_layers(path)[0]
    assert attributes["rgb"] is True
    np.testing.assert_array_equal(array, data)
    assert zarr.open_array(str(path / "0"), mode="r").shape == (3, 3, 20, 30)


def foreign(folder: Path, ome: dict[str, Any], data: Any) -> Path:
    group = zarr.create_group(str(folder), zarr_format=2, attributes=ome)
    group.create_array("s0", shape=data.shape, dtype=data.dtype)[...] = data
    return folder


def test_files_of_others_are_read_with_what_they_say(tmp_path: Path) -> None:
    data = RNG.integers(0, 9, (2, 3, 8, 9)).astype(np.uint8)
    axes = [
        {"name": "t", "type": "time", "unit": "second"},
        {"name": "c", "type": "channel"},
        {"name": "y", "type": "space", "unit": "nanometer"},
        {"name": "x", "type": "space", "unit": "nanometer"},
    ]
    scale = {"type": "scale", "scale": [1, 1, 4, 5]}
    datasets = [{"path": "s0", "coordinateTransformations": [scale]}]
    again = [{"type": "scale", "scale": [3.0, 1, 2, 1]}]
    multiscale = {"version": "0.4", "axes": axes, "datasets": datasets}
    ome = {"multiscales": [multiscale | {"coordinateTransformations": again}]}
    info = open_image(foreign(tmp_path / "a.zarr", ome, data)).info
    assert info.warnings == ()
    assert [(a.name, a.step, a.unit) for a in info.axes] == [
        ("t", 3.0, "s"),
        ("y", 8.0, "nm"),
        ("x", 5.0, "nm"),
    ]
    assert info.channel_axis == 1


def test_steps_without_a_unit_and_broken_rules_are_told(tmp_path: Path) -> None:
    data = np.zeros((8, 9), np.uint8)
    axes = [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    scale = {"type": "scale", "scale": [0.5, 0.5]}
    datasets = [{"path": "s0", "coordinateTransformations": [scale]}]
    multiscale = {"version": "0.4", "axes": axes, "datasets": datasets}
    path = foreign(tmp_path / "a.zarr", {"multiscales": [multiscale]}, data)
    with pytest.warns(ImageWarning, match=r"left out \(y 0.5, x 0.5\)"):
        assert read_layers(path)[0][1]["units"] == ["pixel", "pixel"]
    del datasets[0]["coordinateTransformations"]
    path = foreign(tmp_path / "b.zarr", {"multiscales": [multiscale]}, data)
    with pytest.warns(ImageWarning, match=r"rules of OME-Zarr 0.4 .*Field required"):
        read_layers(path)
    path = foreign(tmp_path / "c.zarr", {"multiscales": [{"datasets": []}]}, data)
    with pytest.raises(ImageError, match="name no array"):
        read_layers(path)


def test_several_images_and_plates_are_found(tmp_path: Path) -> None:
    image = np.arange(600, dtype=np.uint16).reshape(20, 30)
    root = tmp_path / "many.zarr"
    zarr.create_group(str(root), zarr_format=2, attributes={"bioformats2raw.layout": 3})
    for number in range(2):
        write(root / str(number), image + number, Picture(ZYX[1:], "image"), "0.4")
    assert [int(opened.data[0, 0]) for opened in open_series(root)] == [0, 1]
    plate = tmp_path / "plate.zarr"
    wells = {"plate": {"wells": [{"path": "A/1"}, {"path": "A/2"}]}}
    zarr.create_group(str(plate), zarr_format=2, attributes=wells)
    well = {"well": {"images": [{"path": "0"}]}}
    zarr.create_group(str(plate / "A" / "2"), zarr_format=2, attributes=well)
    write(plate / "A" / "2" / "0", image, Picture(ZYX[1:], "image"), "0.4")
    with pytest.warns(ImageWarning, match=r"plate of 2 wells: the first field \(A/2/0\)"):
        array = read_layers(plate)[0][0]
    np.testing.assert_array_equal(array, image)


def test_only_ome_zarr_folders_are_claimed(tmp_path: Path) -> None:
    zarr.create_group(str(tmp_path / "plain.zarr"), zarr_format=3)
    (tmp_path / "empty.zarr").mkdir()
    write_labels(tmp_path / "ours.zarr", LABELS, ZYX)
    claimed = [p.name for p in sorted(tmp_path.iterdir()) if get_reader(str(p)) is not None]
    assert claimed == ["ours.zarr"]


def test_a_damaged_chunk_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zarr", LABELS, Picture(ZYX, "image"))
    chunk = next((path / "0" / "c" / "1").rglob("0/0"))
    chunk.write_bytes(chunk.read_bytes()[:20])
    with pytest.raises(ImageError, match=r"could not read the zarr array"):
        open_image(path)


def test_an_input_or_a_strange_folder_is_never_replaced(tmp_path: Path) -> None:
    path = write(tmp_path / "in.zarr", LABELS, Picture(ZYX, "image"))
    for output in (path, path / "0.zarr", tmp_path / "x" / ".." / "in.zarr"):
        (tmp_path / "x").mkdir(exist_ok=True)
        with pytest.raises(OutputError, match="is the input"):
            write_labels(output, LABELS, ZYX, inputs=[path])
    (tmp_path / "strange.zarr").mkdir()
    (tmp_path / "strange.zarr" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="no zarr folder"):
        write_labels(tmp_path / "strange.zarr", LABELS, ZYX)
    with pytest.raises(OutputError, match="negative"):
        write_labels(tmp_path / "out.zarr", LABELS.astype(np.int32) - 9, ZYX)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.zarr", "strange.zarr", "x"]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError])
def test_a_failure_leaves_the_old_folder_and_nothing_else(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    path = write(tmp_path / "out.zarr", LABELS, Picture(ZYX))
    with pytest.raises(failure), open_writer(path, Picture(ZYX), np.uint32) as writer:  # noqa: PT012
        writer.write((0,), LABELS[1])
        raise failure
    np.testing.assert_array_equal(open_image(path).data, LABELS)
    assert [file.name for file in tmp_path.iterdir()] == ["out.zarr"]


def test_a_folder_lost_between_two_renames_comes_back(tmp_path: Path) -> None:
    path = write(tmp_path / "out.zarr", LABELS, Picture(ZYX))
    path.rename(tmp_path / ".out.zarr.4194305.old.slicewise-tmp")  # beyond the last process number
    (tmp_path / ".out.zarr.4194305.slicewise-tmp").mkdir()
    with pytest.raises(ValueError, match="stop"), open_writer(path, Picture(ZYX), np.uint32):
        raise ValueError("stop")
    np.testing.assert_array_equal(open_image(path).data, LABELS)
    assert [file.name for file in tmp_path.iterdir()] == ["out.zarr"]


@st.composite
def pictures(draw: st.DrawFn) -> tuple[Any, tuple[Axis, ...]]:
    names = draw(st.lists(st.sampled_from(["t", "z", "c", "p"]), max_size=3, unique=True))
    sizes = [draw(st.integers(1, 3)) for _ in names] + [draw(st.integers(1, 20)) for _ in "yx"]
    length = draw(st.sampled_from(["µm", "nm", "mm", "Å", "inch", "pixel"]))
    axes = []
    for name, size in zip([*names, "y", "x"], sizes, strict=True):
        unit = {"t": draw(st.sampled_from(["s", "ms", "h"])), "c": "pixel"}.get(name, length)
        step = 1.0 if unit == "pixel" else draw(st.floats(0.001, 1000))
        axes.append(Axis(name, size, step, unit))
    dtype = draw(st.sampled_from(["bool", "uint8", "int16", "uint32", "float32", "float64"]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return (rng.normal(size=sizes) * 100).astype(dtype), tuple(axes)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(picture=pictures(), version=st.sampled_from(VERSIONS))
def test_any_image_comes_back(tmp_path: Path, picture: Any, version: Version) -> None:
    data, axes = picture
    path = write(tmp_path / "any.zarr", data, Picture(axes, "image"), version)
    opened = open_image(path)
    np.testing.assert_array_equal(opened.data, data)
    assert opened.data.dtype == data.dtype
    assert opened.info.axis_names == tuple(axis.name for axis in axes)
    assert opened.info.axes == tuple(axis for axis in axes if axis.name != "c")
    assert opened.info.warnings == ()
    assert write_picture(tmp_path / "again.ome.zarr", data, Picture(axes, "image")).exists()
    json.dumps(opened.info.metadata)
