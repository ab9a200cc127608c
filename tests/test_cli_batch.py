"""Folders and patterns of images: a table of what became of each, and no image done twice."""

from __future__ import annotations

import csv

import imagecodecs
import numpy as np
import pytest
import tifffile
from support.killed_runs import write_model, write_stack

from napari_slicewise.cli import main


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_model(tmp_path_factory.mktemp("models") / "random.safetensors"))


def segment(*arguments):
    return main(["segment", *map(str, arguments), "--quiet"])


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return {row["input"].rsplit("/", maxsplit=1)[-1]: row for row in csv.DictReader(file)}


def test_the_table_has_a_row_for_each_input(tmp_path, model, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    write_stack(folder / "a.tif", 4, 64, 80)
    (folder / "b.tif").write_text("this is no TIFF")
    plane = tifffile.imread(folder / "a.tif")[0]
    (folder / "c.png").write_bytes(imagecodecs.png_encode(plane))
    out = tmp_path / "out"
    assert segment(folder, "-o", out, "--model", model) == 1
    rows = rows_of(out / "report.csv")
    assert [rows[name]["status"] for name in ("a.tif", "b.tif", "c.png")] == [
        "done",
        "failed",
        "done",
    ]
    labels = tifffile.imread(out / "a.tif")
    assert int(rows["a.tif"]["objects"]) == labels.max() > 0
    assert (rows["a.tif"]["slices"], rows["c.png"]["slices"]) == ("4", "1")
    assert "CPU" in rows["a.tif"]["device"]
    assert rows["a.tif"]["precision"]
    assert "b.tif" in rows["b.tif"]["error"]
    assert "b.tif" in capsys.readouterr().err


def test_what_is_done_is_not_done_again_until_all_is(tmp_path, model):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    write_stack(folder / "a.tif", 2, 64, 80)
    (folder / "b.tif").write_text("this is no TIFF")
    assert segment(folder, "-o", out, "--model", model) == 1
    first, written = rows_of(out / "report.csv"), (out / "a.tif").stat().st_mtime_ns
    write_stack(folder / "b.tif", 3, 64, 80)
    assert segment(folder, "-o", out, "--model", model) == 0
    second = rows_of(out / "report.csv")
    assert second["a.tif"] == first["a.tif"]
    assert second["b.tif"]["status"] == "done"
    assert (out / "a.tif").stat().st_mtime_ns == written
    assert sorted(path.name for path in out.iterdir()) == ["a.tif", "b.tif", "report.csv"]
    assert segment(folder, "-o", out, "--model", model) == 0
    assert (out / "a.tif").stat().st_mtime_ns > written


@pytest.mark.parametrize("change", ["image", "threshold", "result", "restart"])
def test_an_image_is_done_again_where_anything_is_different(tmp_path, model, change):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    write_stack(folder / "a.tif", 2, 64, 80)
    (folder / "b.tif").write_text("this is no TIFF")
    assert segment(folder, "-o", out, "--model", model) == 1
    written = (out / "a.tif").stat().st_mtime_ns
    options = {"threshold": ["--threshold", "0.6"], "restart": ["--restart"]}.get(change, [])
    if change == "image":
        write_stack(folder / "a.tif", 3, 64, 80)
    elif change == "result":
        tifffile.imwrite(out / "a.tif", np.zeros((5, 5), np.uint8))
        written = (out / "a.tif").stat().st_mtime_ns
    assert segment(folder, "-o", out, "--model", model, *options) == 1
    assert (out / "a.tif").stat().st_mtime_ns > written


def test_the_name_of_the_output_says_whether_a_pattern_is_one_image(tmp_path, model):
    folder = tmp_path / "in"
    folder.mkdir()
    stack = tifffile.imread(write_stack(tmp_path / "whole.tif", 3, 64, 80))
    for z, plane in enumerate(stack):
        (folder / f"z{z}.png").write_bytes(imagecodecs.png_encode(plane))
    assert segment(tmp_path / "whole.tif", "-o", tmp_path / "whole.zarr", "--model", model) == 0
    for source, out in ((folder / "z*.png", "pattern.ome.tif"), (folder, "folder.ome.tif")):
        assert segment(source, "-o", tmp_path / out, "--model", model) == 0
        assert tifffile.imread(tmp_path / out).shape == (3, 64, 80)
    (tmp_path / "each").mkdir()
    assert segment(folder / "z*.png", "-o", tmp_path / "each", "--model", model) == 0
    names = sorted(path.name for path in (tmp_path / "each").iterdir())
    assert names == ["report.csv", "z0.ome.tif", "z1.ome.tif", "z2.ome.tif"]


def test_a_table_never_replaces_an_input(tmp_path, model, capsys):
    image = write_stack(tmp_path / "in.tif", 2, 64, 80)
    before = image.read_bytes()
    assert segment(image, "-o", tmp_path / "o.tif", "--model", model, "--report", image) == 1
    assert "is the input" in capsys.readouterr().err
    assert image.read_bytes() == before
