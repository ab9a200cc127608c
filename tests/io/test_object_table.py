"""The table of objects travels with the labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.layers import Labels

from napari_slicewise.cli import main
from napari_slicewise.io import object_table
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.layer_writer import write_labels_layer
from napari_slicewise.io.object_table import ObjectCounter, join_columns, read_columns
from napari_slicewise.io.outputs import write_labels, write_picture
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.tiff_reader import open_image, read_layers

NAMES = ["a.ome.tif", "a.tif", "a.ome.zarr"]
AXES = (Axis("z", 3, 2.0, "µm"), Axis("y", 8, 0.5, "µm"), Axis("x", 8, 500.0, "nm"))
MEASURED = {
    "index": [1, 9],
    "pixels": [8, 9],
    "volume_um3": [4.0, 4.5],
    "slices": [2, 1],
    "first_slice": ["0", "2"],
    "last_slice": ["1", "2"],
}


def two_objects() -> Any:
    labels = np.zeros((3, 8, 8), np.uint16)
    labels[0:2, 1:3, 1:3] = 1
    labels[2, 5:8, 5:8] = 9
    return labels


@pytest.mark.parametrize("name", NAMES)
def test_the_writer_measures_each_object(tmp_path: Path, name: str) -> None:
    path = write_labels(tmp_path / name, two_objects(), AXES)
    assert open_image(path).info.objects == MEASURED
    options = read_layers(path)[0][1]
    assert "features" not in options  # they would be wrong after the first stroke
    assert options["metadata"]["objects"] == MEASURED


@pytest.mark.parametrize("name", NAMES)
def test_features_of_a_layer_are_kept_and_what_can_be_measured_is_measured_anew(
    tmp_path: Path, name: str
) -> None:
    features = {
        "index": [0, 1, 9, 77],
        "class": ["background", "ü 细胞", None, "gone"],
        "score": [0.0, 0.5, np.nan, 1.0],
        "pixels": [7, 7, 7, 7],
    }
    layer = Labels(two_objects(), scale=(2, 0.5, 0.5), units=["um"] * 3, features=features)
    data, meta, _ = layer.as_layer_data_tuple()
    write_labels_layer(str(tmp_path / name), data, meta)
    data, options, kind = read_layers(tmp_path / name)[0]
    assert options["features"] == MEASURED | {"class": ["ü 细胞", None], "score": [0.5, None]}
    again = Labels.create(data, options, kind)
    assert next(iter(again.features["class"])) == "ü 细胞"
    assert "objects" not in options["metadata"]["slicewise"]


def test_ome_tiff_holds_the_table_as_an_annotation_of_the_image(tmp_path: Path) -> None:
    path = write_labels(tmp_path / "a.ome.tif", two_objects(), AXES)
    with tifffile.TiffFile(path) as tif:
        annotations = tifffile.xml2dict(tif.ome_metadata)["OME"]["StructuredAnnotations"]
    comment = annotations["CommentAnnotation"]
    assert comment["Namespace"] == "napari-slicewise/objects"
    assert json.loads(comment["Value"]) == MEASURED


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_zarr_labels_name_their_image_and_the_properties_of_objects(
    tmp_path: Path, version: Any
) -> None:
    from napari_slicewise.io.zarr_writer import ZarrWriter

    image = tmp_path / "image.ome.zarr"
    with ZarrWriter(image, Picture(AXES, "image"), np.uint16, version=version) as writer:
        for index, plane in enumerate(two_objects()):
            writer.write((index,), plane)
    inside = image / "labels" / "nuclei"
    write_picture(inside, two_objects(), Picture(AXES))
    if version == "0.5":
        attributes = json.loads((inside / "zarr.json").read_text())["attributes"]["ome"]
    else:
        attributes = json.loads((inside / ".zattrs").read_text())
    label = attributes["image-label"]
    assert label["source"] == {"image": "../../"}
    assert label["properties"][1]["label-value"] == 9
    assert label["properties"][1]["volume_um3"] == 4.5
    assert not [info for info in [open_image(image, 1).info] if info.warnings]


def test_labels_of_their_own_name_no_image(tmp_path: Path) -> None:
    path = write_labels(tmp_path / "a.ome.zarr", two_objects(), AXES)
    label = json.loads((path / "zarr.json").read_text())["attributes"]["ome"]["image-label"]
    assert "source" not in label


def test_sizes_are_areas_of_planes_and_left_out_where_pixels_have_no_size() -> None:
    plane = ObjectCounter(AXES[1:])
    plane.add((), two_objects()[2])
    assert plane.columns() == {"index": [9], "pixels": [9], "area_um2": [2.25], "slices": [1]}
    unknown = ObjectCounter((Axis("z", 3), *AXES[1:]))
    unknown.add((2,), two_objects()[2])
    assert "volume_um3" not in unknown.columns()


def test_counting_in_pieces_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.random.default_rng(0).integers(0, 40, (2, 5, 30, 30))
    axes = tuple(Axis(name, size) for name, size in zip("tzyx", labels.shape, strict=True))
    monkeypatch.setattr(object_table, "_PENDING", 50)
    counter = ObjectCounter(axes)
    places = list(np.ndindex(2, 5))
    np.random.default_rng(1).shuffle(places)
    for place in places:
        counter.add(tuple(place), labels[tuple(place)])
    columns = counter.columns()
    assert columns["index"] == list(range(1, 40))
    assert columns["pixels"] == np.bincount(labels.ravel())[1:].tolist()
    assert columns["first_slice"] == ["0,0"] * 39


def test_too_many_objects_are_left_out_and_strange_tables_are_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(object_table, "MOST_OBJECTS", 1)
    counter = ObjectCounter(AXES)
    counter.add((0,), two_objects()[0] + two_objects()[2])
    assert counter.columns() == {}
    for strange in ("{", "[]", '{"index": 3}', '{"index": [1], "a": []}', [1, {}], None, 7):
        assert not read_columns(strange).get("index")


def test_features_without_numbers_belong_to_the_number_of_their_row() -> None:
    joined = join_columns({"index": [1, 9]}, {"name": ["zero", "one", "two"]})
    assert joined == {"index": [1, 9], "name": ["one", None]}


def test_a_table_survives_a_journey_through_all_formats(tmp_path: Path) -> None:
    layer = Labels(two_objects(), features={"index": [1, 9], "class": ["a", "b"]})
    data, meta, _ = layer.as_layer_data_tuple()
    path = tmp_path / "start.ome.tif"
    write_labels_layer(str(path), data, meta)
    for name in ("one.ome.zarr", "two.tif", "three.ome.tif"):
        assert main(["convert", str(path), str(tmp_path / name), "--quiet"]) == 0
        path = tmp_path / name
    assert open_image(path).info.objects["class"] == ["a", "b"]
