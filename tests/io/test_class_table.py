"""Classes have one colour each, told apart by everybody, and what files say of colours is read."""

from __future__ import annotations

import numpy as np
import pytest

from napari_slicewise.io.class_table import class_colors, class_columns, read_colors
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.layer_writer import write_labels_layer
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.tiff_reader import open_image, read_layers
from napari_slicewise.io.zarr_writer import ZarrWriter

AXES = (Axis("y", 8, 0.5, "µm"), Axis("x", 9, 0.5, "µm"))


def test_a_class_has_one_colour_whatever_the_others():
    many = class_colors(256)
    assert class_colors(4) == {number: many[number] for number in range(4)}
    assert many[0] == (0, 0, 0, 0)
    assert len({many[number] for number in range(1, 22)}) == 21
    assert all(color[3] == 255 for number, color in many.items() if number)


def test_the_table_names_the_value_of_each_class():
    assert class_columns(("none", "a")) == {"index": [0, 1], "class": ["none", "a"]}


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_colours_come_back_from_a_file(tmp_path, version):
    labels = np.arange(72, dtype=np.uint8).reshape(8, 9) % 3
    picture = Picture(AXES, objects=class_columns(("none", "a", "b")), colors=class_colors(3))
    with ZarrWriter(tmp_path / "c.zarr", picture, np.uint8, version=version) as writer:
        writer.write((), labels)
    with open_image(tmp_path / "c.zarr") as opened:
        assert opened.info.label_colors == class_colors(3)
    attributes = read_layers(tmp_path / "c.zarr")[0][1]
    assert attributes["features"]["class"] == ["a", "b"]


def test_a_layer_with_colours_of_its_own_keeps_them(tmp_path):
    from napari.layers import Labels

    colors = {None: "gray", 0: "transparent", 1: (1.0, 0.0, 0.0, 1.0), 2: (0.0, 0.0, 1.0, 0.5)}
    layer = Labels(np.arange(72).reshape(8, 9) % 3, colormap=colors)
    data, meta, _ = layer.as_layer_data_tuple()
    write_labels_layer(str(tmp_path / "own.ome.zarr"), data, meta)
    attributes = read_layers(tmp_path / "own.ome.zarr")[0][1]
    back = Labels(np.zeros((8, 9), int), colormap=attributes["colormap"])
    np.testing.assert_allclose(back.get_color(1), (1, 0, 0, 1))
    np.testing.assert_allclose(back.get_color(2), (0, 0, 1, 128 / 255))
    plain = Labels(np.arange(72).reshape(8, 9) % 3)
    data, meta, _ = plain.as_layer_data_tuple()
    write_labels_layer(str(tmp_path / "plain.ome.zarr"), data, meta)
    assert "colormap" not in read_layers(tmp_path / "plain.ome.zarr")[0][1]


@pytest.mark.parametrize(
    "entries",
    [
        None,
        "red",
        {},
        [None],
        [{"label-value": 1}],
        [{"label-value": 1, "rgba": None}],
        [{"label-value": 1, "rgba": [1, 2, 3]}],
        [{"label-value": 1, "rgba": [1, 2, 3, 256]}],
        [{"label-value": 1.5, "rgba": [1, 2, 3, 4]}],
        [{"label-value": "1", "rgba": [1, 2, 3, 4]}],
    ],
)
def test_what_is_no_colour_is_passed_over(entries):
    if not isinstance(entries, list):
        assert read_colors(entries) == {}
        return
    good = {"label-value": 2.0, "rgba": [9, 8, 7, 6]}
    assert read_colors([*entries, good]) == {2: (9, 8, 7, 6)}
