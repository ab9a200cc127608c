"""What is written comes back, from us and from others, or nothing is written at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_slicewise.errors import OutputError
from napari_slicewise.io import tiff_writer
from napari_slicewise.io.image_info import Axis, Channel
from napari_slicewise.io.layer_writer import write_image_layer, write_labels_layer
from napari_slicewise.io.outputs import write_labels, write_picture
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.tiff_reader import open_image, read_layers
from napari_slicewise.io.tiff_writer import LabelsWriter

ZYX = (Axis("z", 3, 2.0, "µm"), Axis("y", 20, 0.5, "µm"), Axis("x", 30, 0.25, "µm"))
LABELS = np.arange(3 * 20 * 30, dtype=np.uint32).reshape(3, 20, 30)


@pytest.mark.parametrize("name", ["out.ome.tif", "out.tif"])
def test_labels_come_back_as_labels_with_their_sizes(tmp_path: Path, name: str) -> None:
    write_labels(tmp_path / name, LABELS, ZYX, {"model": "nuclei", "seconds": 1.5})
    array, attributes, kind = read_layers(tmp_path / name)[0]
    assert kind == "labels"
    assert array.dtype == np.uint16
    np.testing.assert_array_equal(array, LABELS)
    np.testing.assert_allclose(attributes["scale"], [2.0, 0.5, 0.25], rtol=1e-6)
    assert attributes["units"] == ["µm", "µm", "µm"]
    assert attributes["axis_labels"] == ["z", "y", "x"]
    provenance = attributes["metadata"]["slicewise"]["provenance"]
    assert provenance == {"model": "nuclei", "seconds": 1.5}


def test_others_read_no_colours_and_no_predictor(tmp_path: Path) -> None:
    write_labels(tmp_path / "out.ome.tif", LABELS, ZYX)
    with tifffile.TiffFile(tmp_path / "out.ome.tif") as tif:
        page = tif.pages.first
        assert tif.is_ome
        assert tif.series[0].axes == "ZYX"
        assert page.photometric == tifffile.PHOTOMETRIC.MINISBLACK
        assert page.predictor == 1
        assert not page.is_tiled
        assert page.tags["ResolutionUnit"].value == 3
        np.testing.assert_allclose(np.divide(*page.tags["XResolution"].value), 40000)
    write_labels(tmp_path / "out.tif", LABELS, ZYX)
    with tifffile.TiffFile(tmp_path / "out.tif") as tif:
        assert tif.is_imagej
        assert tif.imagej_metadata["slices"] == 3


@pytest.mark.parametrize(("top", "dtype"), [(255, "uint16"), (65535, "uint16"), (65536, "uint32")])
def test_the_dtype_follows_the_largest_label(tmp_path: Path, top: int, dtype: str) -> None:
    labels = np.zeros((20, 30), np.int64)
    labels[3, 4] = top
    write_labels(tmp_path / "out.tif", labels, ZYX[1:])
    array = open_image(tmp_path / "out.tif").data
    assert array.dtype == dtype
    assert array[3, 4] == top


def test_slices_may_come_in_any_order_and_some_not_at_all(tmp_path: Path) -> None:
    with LabelsWriter(tmp_path / "out.ome.tif", ZYX) as writer:
        writer.write((2,), LABELS[2])
        writer.write((0,), LABELS[1])
        writer.write((0,), LABELS[0])
    array = open_image(tmp_path / "out.ome.tif").data
    np.testing.assert_array_equal(array[[0, 2]], LABELS[[0, 2]])
    assert not array[1].any()


def test_a_probability_is_an_image(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 600, dtype=np.float32).reshape(20, 30)
    with LabelsWriter(tmp_path / "p.ome.tif", ZYX[1:], np.float32, kind="image") as writer:
        writer.write((), values)
    array, _, kind = read_layers(tmp_path / "p.ome.tif")[0]
    assert kind == "image"
    np.testing.assert_array_equal(array, values)


def test_an_input_is_never_replaced(tmp_path: Path) -> None:
    source = tmp_path / "in.tif"
    tifffile.imwrite(source, LABELS, photometric="minisblack")
    link = tmp_path / "link.tif"
    link.symlink_to(source)
    for output in (source, tmp_path / "x" / ".." / "in.tif", link):
        (tmp_path / "x").mkdir(exist_ok=True)
        with pytest.raises(OutputError, match="is the input"):
            LabelsWriter(output, ZYX, inputs=[source])
    np.testing.assert_array_equal(tifffile.imread(source), LABELS)


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    path = tmp_path / "out.tif"
    path.write_bytes(b"old")
    with pytest.raises(failure), LabelsWriter(path, ZYX) as writer:  # noqa: PT012
        writer.write((0,), LABELS[0])
        raise failure
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["out.tif"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
def test_a_failure_while_writing_removes_the_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    path = tmp_path / "out.tif"
    path.write_bytes(b"old")

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(tiff_writer, "_compare", fail)
    expected = OutputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        write_labels(path, LABELS, ZYX)
    if expected is OutputError:
        assert "No space is left" in str(caught.value)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["out.tif"]


@pytest.mark.skipif(os.name == "nt", reason="needs processes that can be asked for")
def test_what_a_killed_program_left_is_removed_by_the_next(tmp_path: Path) -> None:
    leftover = tmp_path / ".out.tif.4194305.slicewise-tmp"  # beyond the largest process number
    other = tmp_path / ".else.tif.4194305.slicewise-tmp"
    leftover.write_bytes(b"half")
    other.write_bytes(b"half")
    write_labels(tmp_path / "out.tif", LABELS, ZYX)
    assert not leftover.exists()
    assert other.exists()


def test_bad_output_places_are_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        write_labels(tmp_path, LABELS, ZYX)
    with pytest.raises(OutputError, match="There is no folder"):
        write_labels(tmp_path / "no" / "out.tif", LABELS, ZYX)
    with pytest.raises(OutputError, match="The axes say"):
        write_labels(tmp_path / "out.tif", LABELS[0], ZYX)
    with pytest.raises(OutputError, match="negative"):
        write_labels(tmp_path / "out.tif", LABELS.astype(np.int32) - 5, ZYX)
    assert not list(tmp_path.iterdir())


def test_a_layer_keeps_scale_units_and_names(tmp_path: Path) -> None:
    meta = {
        "name": "cells",
        "scale": np.array([3.0, 0.5, 0.25]),
        "units": ("second", "micrometer", "micrometer"),
        "axis_labels": ("t", "y", "x"),
        "metadata": {"slicewise": {"model": "m"}},
    }
    path = str(tmp_path / "cells.ome.tif")
    assert write_labels_layer(path, LABELS, meta) == [path]
    _, attributes, _ = read_layers(path)[0]
    assert attributes["scale"] == [3.0, 0.5, 0.25]
    assert attributes["units"] == ["s", "µm", "µm"]
    assert attributes["axis_labels"] == ["t", "y", "x"]
    notes = attributes["metadata"]["slicewise"]["provenance"]
    assert notes == {"name": "cells", "slicewise": {"model": "m"}}


def test_layers_without_names_or_units_are_saved_as_they_are(tmp_path: Path) -> None:
    meta = {"axis_labels": ("-3", "-2", "-1"), "units": ("pixel",) * 3, "scale": (1.0, 1.0, 1.0)}
    path = str(tmp_path / "plain.tif")
    write_image_layer(path, LABELS.astype(np.float32), meta)
    array, attributes, kind = read_layers(path)[0]
    assert kind == "image"
    np.testing.assert_array_equal(array, LABELS)
    assert attributes["units"] == ["pixel"] * 3
    assert attributes["axis_labels"] == ["z", "y", "x"]


def test_a_colour_picture_comes_back_in_colour(tmp_path: Path) -> None:
    data = np.random.default_rng(1).integers(0, 255, (2, 20, 30, 3)).astype(np.uint8)
    path = str(tmp_path / "rgb.ome.tif")
    write_image_layer(path, data, {"rgb": True, "axis_labels": ("z", "y", "x")})
    array, attributes, _ = read_layers(path)[0]
    assert attributes["rgb"] is True
    np.testing.assert_array_equal(array, data)


def test_channels_keep_names_and_colours(tmp_path: Path) -> None:
    axes = (Axis("c", 2), *ZYX)
    channels = (Channel("DAPI", (0, 0, 255)), Channel("GFP", (0, 255, 0)))
    data = np.random.default_rng(1).integers(0, 255, (2, 3, 20, 30)).astype(np.uint8)
    write_picture(tmp_path / "c.ome.tif", data, Picture(axes, "image", channels))
    layers = read_layers(tmp_path / "c.ome.tif")
    assert [attributes["name"] for _, attributes, _ in layers] == ["c: DAPI", "c: GFP"]
    np.testing.assert_array_equal(layers[1][0], data[1])
    assert layers[0][1]["colormap"]["colors"][-1][:3] == [0, 0, 1]


LENGTHS = ["µm", "nm", "mm", "cm", "m", "Å", "inch", "pixel"]
STEPS = st.floats(0.001, 1000, allow_nan=False)


@st.composite
def pictures(draw: st.DrawFn) -> tuple[Any, tuple[Axis, ...]]:
    names = draw(st.lists(st.sampled_from(["t", "z", "p", "i"]), max_size=3, unique=True))
    sizes = [draw(st.integers(1, 4)) for _ in names] + [draw(st.integers(1, 20)) for _ in "yx"]
    length = draw(st.sampled_from(LENGTHS))
    axes = []
    for name, size in zip([*names, "y", "x"], sizes, strict=True):
        unit = draw(st.sampled_from(["s", "ms", "min", "h"])) if name == "t" else length
        axes.append(Axis(name, size, draw(STEPS) if unit != "pixel" else 1.0, unit))
    dtype = draw(st.sampled_from(["uint8", "uint16", "uint32", "int64"]))
    top = draw(st.sampled_from([1, 255, 70000, 2**31]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    limit = min(top, np.iinfo(dtype).max)
    return rng.integers(0, limit, sizes, endpoint=True).astype(dtype), tuple(axes)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(picture=pictures(), ome=st.booleans())
def test_any_labels_come_back(tmp_path: Path, picture: Any, ome: bool) -> None:
    labels, axes = picture
    path = tmp_path / ("any.ome.tif" if ome else "any.tif")
    write_labels(path, labels, axes)
    array, attributes, kind = read_layers(path)[0]
    assert kind == "labels"
    np.testing.assert_array_equal(array, labels)
    assert attributes["axis_labels"] == [axis.name for axis in axes]
    assert attributes["units"] == [axis.unit for axis in axes]
    np.testing.assert_allclose(attributes["scale"], [axis.step for axis in axes], rtol=1e-5)
    np.testing.assert_array_equal(np.squeeze(tifffile.imread(path)), np.squeeze(labels))


@pytest.mark.parametrize("name", ["a.ome.tif", "a.tif", "a.ome.zarr"])
def test_a_layer_of_five_axes_keeps_its_sizes_whatever_they_measure(
    tmp_path: Path, name: str
) -> None:
    """napari's own names of axes tell nothing, so a length may stand on the axis of time."""
    data = np.arange(2 * 3 * 2 * 4 * 5, dtype=np.uint16).reshape(2, 3, 2, 4, 5)
    meta = {"name": "cells", "scale": [5, 4, 3, 2, 1], "units": ["um"] * 5}
    path = write_image_layer(str(tmp_path / name), data, meta)[0]
    opened = open_image(path)
    np.testing.assert_array_equal(opened.data, data)
    assert [axis.step for axis in opened.info.axes] == [5, 4, 3, 2, 1]
    assert {axis.unit for axis in opened.info.axes} == {"µm"}


@pytest.mark.parametrize("name", ["a.ome.tif", "a.tif"])
def test_numbers_of_64_bits_are_stored_in_32_where_they_fit(tmp_path: Path, name: str) -> None:
    data = np.array([[-5, 2**31 - 1], [0, 7]])
    write_image_layer(str(tmp_path / name), data, {})
    np.testing.assert_array_equal(open_image(tmp_path / name).data, data)
    write_image_layer(str(tmp_path / name), np.array([[0, 2**32 - 1]]), {})
    assert open_image(tmp_path / name).data.max() == 2**32 - 1
    with pytest.raises(OutputError, match="int64"):
        write_image_layer(str(tmp_path / name), np.array([[-1, 2**32]]), {})
    assert open_image(tmp_path / name).data.max() == 2**32 - 1


@pytest.mark.parametrize("name", ["a.ome.tif", "a.tif", "a.ome.zarr"])
@pytest.mark.parametrize("shape", [(7,), (0,), (0, 5)])
def test_what_is_no_picture_is_refused(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(OutputError, match="shape"):
        write_image_layer(str(tmp_path / name), np.zeros(shape, np.uint8), {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a\udcff.ome.tif", "a\udcff.tif"])
def test_names_that_are_no_text_do_not_hinder_saving(tmp_path: Path, name: str) -> None:
    """Linux allows any bytes in a name, and layers are named after their files."""
    meta = {"name": "b\udcff\x01", "features": {"index": [1], "class": ["\udcff"]}}
    write_labels_layer(str(tmp_path / name), np.ones((4, 5), np.uint8), meta)
    info = open_image(tmp_path / name).info
    assert info.objects["class"] == ["\udcff"]
    assert not info.warnings
    channels = (Channel("\udcff\x01ü"), Channel("b"))
    picture = Picture((Axis("c", 2), Axis("y", 4), Axis("x", 5)), "image", channels)
    write_picture(tmp_path / "c.ome.tif", np.ones((2, 4, 5), np.uint8), picture)
    assert [c.name for c in open_image(tmp_path / "c.ome.tif").info.channels] == ["?ü", "b"]
