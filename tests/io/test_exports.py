"""What other programs are given covers the labels exactly, and reads back."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from imagecodecs import png_decode
from roifile import ROI_TYPE, roiread
from shapely.geometry import shape

from napari_slicewise.errors import OutputError
from napari_slicewise.io.exports_geojson import write_geojson
from napari_slicewise.io.exports_imagej import write_imagej_rois
from napari_slicewise.io.exports_png import write_png_stack
from napari_slicewise.io.outlines import outlines
from napari_slicewise.io.source import ArraySource


def rasterised(geometry: Any, size: tuple[int, int]) -> np.ndarray:
    """Pixels whose centre lies in a geometry, ``(y, x)``."""
    rows, columns = np.indices(size)
    return shapely.contains_xy(geometry, columns + 0.5, rows + 0.5)


def stack(seed: int = 0) -> np.ndarray:
    """Noise: objects with holes, pieces, and corners that touch."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, (3, 24, 30)).astype(np.uint32)
    labels[1, 4:20, 4:20] = 70_000
    labels[1, 8:12, 8:12] = 0
    labels[1, 9, 9] = 5
    return labels


@pytest.mark.parametrize("seed", range(5))
def test_geojson_covers_every_object_exactly_with_valid_polygons(tmp_path: Path, seed: int):
    labels = stack(seed)
    path = write_geojson(tmp_path / "cells.geojson", ArraySource(labels), classes={5: "nucleus"})
    document = json.loads(path.read_text("utf-8"))
    assert document["type"] == "FeatureCollection"
    drawn = np.zeros_like(labels)
    for feature in document["features"]:
        geometry = shape(feature["geometry"])
        number = feature["properties"]["measurements"]["Label"]
        z = feature["geometry"]["plane"]["z"]
        assert geometry.is_valid, shapely.is_valid_reason(geometry)
        assert geometry.area == np.count_nonzero(labels[z] == number)
        drawn[z][rasterised(geometry, labels.shape[1:])] = number
        assert feature["properties"]["objectType"] == "annotation"
        assert uuid.UUID(feature["id"])
        has_class = "classification" in feature["properties"]
        assert has_class == (number == 5)
    np.testing.assert_array_equal(drawn, labels)


def test_outer_rings_run_one_way_and_holes_the_other():
    mask = np.ones((3, 4), bool)
    mask[1, 1] = False
    (piece,) = outlines(mask, (10, 20))
    assert piece.shell.tolist() == [[20, 10], [24, 10], [24, 13], [20, 13]]
    assert [hole.tolist() for hole in piece.holes] == [[[21, 11], [21, 12], [22, 12], [22, 11]]]


def test_points_in_time_and_single_images_have_planes(tmp_path: Path):
    movie = np.zeros((2, 3, 5, 5), np.uint8)
    movie[1, 2, 2, 2] = 1
    document = json.loads(write_geojson(tmp_path / "m.json", ArraySource(movie)).read_text())
    assert document["features"][0]["geometry"]["plane"] == {"c": -1, "z": 2, "t": 1}
    blank = json.loads(write_geojson(tmp_path / "b.json", ArraySource(movie[0, 0])).read_text())
    assert blank["features"] == []


@pytest.mark.parametrize("seed", range(3))
def test_imagej_regions_read_back_with_positions_and_cover_the_objects(tmp_path: Path, seed: int):
    labels = stack(seed)
    path = write_imagej_rois(tmp_path / "cells.zip", ArraySource(labels))
    drawn = np.zeros_like(labels)
    kinds = set()
    for region in roiread(path):
        number, z = (int(part) for part in region.name.split("-"))
        assert (region.position, region.z_position) == (z, z)
        filled = np.zeros(labels.shape[1:], bool)
        for ring in region.coordinates(multi=True) if region.composite else [region.coordinates()]:
            filled ^= rasterised(shapely.Polygon(ring), labels.shape[1:])
        drawn[z - 1][filled] = number
        kinds.add(region.roitype)
        rows, columns = np.nonzero(labels[z - 1] == number)
        assert (region.left, region.top) == (columns.min(), rows.min())
        assert (region.right, region.bottom) == (columns.max() + 1, rows.max() + 1)
    np.testing.assert_array_equal(drawn, labels)
    assert ROI_TYPE.RECT in kinds


def test_a_plain_object_is_a_traced_region(tmp_path: Path):
    labels = np.zeros((6, 6), np.uint8)
    labels[2:4, 1:5] = 3
    (region,) = roiread(write_imagej_rois(tmp_path / "one.zip", ArraySource(labels)))
    assert region.roitype == ROI_TYPE.TRACED
    assert region.coordinates().tolist() == [[1, 2], [5, 2], [5, 4], [1, 4]]


def test_png_files_hold_the_numbers_and_a_number_too_large_is_refused(tmp_path: Path):
    labels = stack().astype(np.uint32) % 65_536
    folder = write_png_stack(tmp_path / "maps", ArraySource(labels))
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == [f"labels_000{z}.png" for z in range(3)]
    for z, file in enumerate(files):
        read = png_decode(file.read_bytes())
        assert read.dtype == np.uint16
        np.testing.assert_array_equal(read, labels[z])
    with pytest.raises(OutputError, match="there already"):
        write_png_stack(folder, ArraySource(labels))
    with pytest.raises(OutputError, match="does not fit 16 bits"):
        write_png_stack(tmp_path / "more", ArraySource(stack()))
    assert [entry.name for entry in tmp_path.iterdir()] == ["maps"]


def test_inputs_survive(tmp_path: Path):
    source = tmp_path / "image.zip"
    source.write_bytes(b"mine")
    with pytest.raises(OutputError, match="is the input"):
        write_imagej_rois(source, ArraySource(stack()), inputs=[source])
    with pytest.raises(OutputError, match="end in"):
        write_imagej_rois(tmp_path / "a.roi", ArraySource(stack()))
    with pytest.raises(OutputError, match="is the input"):
        write_geojson(source, ArraySource(stack()), inputs=[source])
    assert source.read_bytes() == b"mine"
