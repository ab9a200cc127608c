"""``slicewise convert`` and OME-Zarr on the command line: nothing that is known gets lost."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import tifffile
from support.random_models import write_random_model

from napari_slicewise import read_image, segment
from napari_slicewise.cli import main
from napari_slicewise.io.image_info import Axis, Channel
from napari_slicewise.io.outputs import write_labels, write_picture
from napari_slicewise.io.picture import Picture

YX = (Axis("y", 40, 0.5, "µm"), Axis("x", 50, 0.25, "µm"))
ZYX = (Axis("z", 3, 2.0, "µm"), *YX)
CHANNELS = (Channel("DAPI", (0, 0, 255)), Channel("GFP", (0, 255, 0)))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_random_model(tmp_path_factory.mktemp("models") / "random.safetensors"))


def stack(*shape):
    rng = np.random.default_rng(1)
    return (rng.normal(size=shape).cumsum(-1) * 100 + 2000).astype(np.uint16)


def convert(*arguments):
    return main(["convert", *map(str, arguments), "--quiet"])


def test_an_image_survives_a_journey_through_all_formats(tmp_path):
    data = stack(3, 2, 40, 50)
    picture = Picture((ZYX[0], Axis("c", 2), *YX), "image", CHANNELS)
    names = ["a.ome.tif", "b.ome.zarr", "c.tif", "d.zarr", "e.ome.tif"]
    write_picture(tmp_path / names[0], data, picture)
    for number, (source, target) in enumerate(pairwise(names)):
        version = "0.4" if number else "0.5"
        done = convert(tmp_path / source, tmp_path / target, "--zarr-version", version)
        assert done == 0
        with read_image(tmp_path / target) as image:
            np.testing.assert_array_equal(image.data, data)
            assert image.info.axes == ZYX
            assert [c.name for c in image.info.channels] == ["DAPI", "GFP"]
            assert [c.color for c in image.info.channels] == [(0, 0, 255), (0, 255, 0)]
    assert sorted(p.name for p in tmp_path.iterdir()) == names


def test_labels_stay_labels_and_keep_how_they_were_made(tmp_path):
    labels = stack(3, 40, 50)
    write_labels(tmp_path / "a.tif", labels, ZYX, {"model": "nuclei"})
    assert convert(tmp_path / "a.tif", tmp_path / "b.zarr") == 0
    assert convert(tmp_path / "b.zarr", tmp_path / "c.tif") == 0
    with read_image(tmp_path / "c.tif") as image:
        assert image.info.is_labels
        assert image.info.metadata["slicewise"]["provenance"] == {"model": "nuclei"}
        np.testing.assert_array_equal(image.data, labels)


def test_colours_and_one_series_of_several(tmp_path, capsys):
    photo = np.random.default_rng(2).integers(0, 255, (40, 50, 3)).astype(np.uint8)
    with tifffile.TiffWriter(tmp_path / "two.tif") as tif:
        tif.write(stack(40, 50), metadata=None)
        tif.write(photo, photometric="rgb", metadata=None)
    assert convert(tmp_path / "two.tif", tmp_path / "rgb.zarr", "--series", "1") == 0
    assert convert(tmp_path / "rgb.zarr", tmp_path / "rgb.ome.tif") == 0
    with read_image(tmp_path / "rgb.ome.tif") as image:
        assert image.info.rgb
        np.testing.assert_array_equal(image.data, photo)
    assert convert(tmp_path / "two.tif", tmp_path / "first.tif") == 0
    assert "1 more in two.tif" in capsys.readouterr().err


def test_labels_of_a_zarr_go_along(tmp_path):
    write_picture(tmp_path / "a.zarr", stack(3, 40, 50), Picture(ZYX, "image"))
    labels = np.ones((3, 40, 50), np.uint8)
    write_labels(tmp_path / "a.zarr" / "labels" / "cells", labels, ZYX)
    assert convert(tmp_path / "a.zarr", tmp_path / "b.zarr") == 0
    with read_image(tmp_path / "b.zarr", series=1) as image:
        assert (image.info.series_name, image.info.is_labels) == ("cells", True)
        np.testing.assert_array_equal(image.data, labels)


@pytest.mark.parametrize(
    ("target", "text"),
    [("in.tif", "is the input"), ("out.jpg", "no format"), ("no/out.tif", "no folder")],
)
def test_bad_outputs_give_one_line_and_leave_nothing(tmp_path, capsys, target, text):
    tifffile.imwrite(tmp_path / "in.tif", stack(40, 50))
    before = (tmp_path / "in.tif").read_bytes()
    assert convert(tmp_path / "in.tif", tmp_path / target) == 1
    assert text in capsys.readouterr().err
    assert (tmp_path / "in.tif").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["in.tif"]


@pytest.mark.parametrize("name", ["in.zarr", "in.tif"])
def test_labels_of_a_run_carry_the_sizes_of_the_image(tmp_path, model, name):
    data = stack(3, 40, 50)
    source = tmp_path / name
    if name == "in.zarr":
        write_picture(source, data, Picture(ZYX, "image"))
    else:
        metadata = {"axes": "ZYX", "spacing": [2.0, 0.5, 0.25], "unit": "um"}
        tifffile.imwrite(source, data, photometric="minisblack", metadata=metadata)
    out = tmp_path / "out.zarr"
    for _ in range(2):  # the second time over the first result
        assert main(["segment", str(source), "-o", str(out), "--model", model, "--quiet"]) == 0
    with read_image(source) as image, read_image(out) as labels:
        assert labels.info.is_labels
        assert labels.info.axes == ZYX
        np.testing.assert_array_equal(labels.data, segment(image, model))
    assert sorted(p.name for p in tmp_path.iterdir()) == [name, "out.zarr"]


def test_labels_of_a_run_go_into_their_image_and_folders_may_hold_zarr(tmp_path, model):
    (tmp_path / "in").mkdir()
    source = tmp_path / "in" / "a.zarr"
    write_picture(source, stack(3, 40, 50), Picture(ZYX, "image"))
    inside = source / "labels" / "nuclei"
    assert main(["segment", str(source), "-o", str(inside), "--model", model, "--quiet"]) == 0
    with read_image(source, series=1) as labels:
        assert (labels.info.series_name, labels.info.axes) == ("nuclei", ZYX)
    out = tmp_path / "out"
    assert main(["segment", str(source.parent), "-o", str(out), "--model", model]) == 0
    assert [p.name for p in out.iterdir()] == ["a.zarr"]
