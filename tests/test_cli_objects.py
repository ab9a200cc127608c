"""What the command line can ask of objects, and the same after an interruption and on workers."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys

import numpy as np
import pytest
import zarr
from support.killed_runs import (
    TELLING,
    assert_same_result,
    start,
    wait_for_slices,
    write_model,
    write_stack,
)

from napari_slicewise.api import ObjectOptions, segment
from napari_slicewise.cli import main
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.kept_draft import draft_place
from napari_slicewise.io.outputs import write_picture
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.run_record import RunRecord
from napari_slicewise.io.tiff_reader import open_image

SLICES = 24
IN_ORDER = ("--least-slices", 1)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_model(tmp_path_factory.mktemp("models") / "random.safetensors"))


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return write_stack(tmp_path_factory.mktemp("images") / "in.tif", SLICES, 96, 128)


@pytest.fixture(scope="module")
def measured(image, tmp_path_factory):
    """The same stack, with the size of its voxels: 0.5 x 0.5 x 2 um."""
    path = tmp_path_factory.mktemp("measured") / "in.tif"
    axes = Axis("z", SLICES, 2.0, "um"), Axis("y", 96, 0.5, "um"), Axis("x", 128, 0.5, "um")
    with open_image(image) as opened:
        return write_picture(path, np.asarray(opened.data), Picture(axes, "image"))


def run(image, out, model, *options):
    arguments = ["segment", image, "-o", out, "--model", model, "--quiet", *options]
    return main(list(map(str, arguments)))


def run_anyhow(image, out, model, *options):
    """Run, with workers in a process of its own: theirs leave threads behind."""
    if "--workers" not in options:
        return run(image, out, model, *options)
    pytest.importorskip("distributed")
    with start(image, "-o", out, "--model", model, *options) as process:
        process.communicate(timeout=120)
        return process.returncode


def labels_of(out):
    return zarr.open_array(str(out / "0"), mode="r")[...]


@pytest.mark.parametrize(
    ("options", "objects"),
    [
        (("--largest", 60), ObjectOptions(largest=60)),
        (("--core-threshold", 0.45), ObjectOptions(core_threshold=0.45)),
        (("--smoothing", 1.5), ObjectOptions(smoothing=1.5)),
        (("--holes", 40), ObjectOptions(holes=40)),
        (("--no-border",), ObjectOptions(border=False)),
        (("--gap", 0), ObjectOptions(gap=0)),
        (("--least-iou", 0.6), ObjectOptions(least_iou=0.6)),
        (("--least-slices", 3), ObjectOptions(least_slices=3)),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, tuple) else "",
)
def test_each_option_of_objects_does_what_it_does_in_python(
    tmp_path, image, model, options, objects
):
    assert run(image, tmp_path / "out.zarr", model, *options) == 0
    found = labels_of(tmp_path / "out.zarr")
    np.testing.assert_array_equal(found, segment(image, model, objects=objects))
    assert not np.array_equal(found, segment(image, model))


def test_impossible_options_are_refused_in_words(tmp_path, image, model, capsys):
    for options in (("--gap", -1), ("--holes", -5), ("--least-slices", 0), ("--largest", 3)):
        assert run(image, tmp_path / "out.zarr", model, *options) == 1
        said = capsys.readouterr().err
        assert "Traceback" not in said
        assert said.startswith("slicewise: ")
    assert not (tmp_path / "out.zarr").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_objects_of_few_slices_are_left_out_alike_after_a_kill(tmp_path, image, model):
    options = ("--least-slices", 3)
    out = tmp_path / "out.zarr"
    with start(image, "-o", out, "--model", model, *options) as process:
        wait_for_slices(process, 11)
        process.kill()
        process.communicate(timeout=60)
    entries = RunRecord(draft_place(out) / "record.jsonl").read()
    done = [tuple(entry["local"]["index"]) for entry in entries if "local" in entry]
    assert len(done) == len(set(done)) >= 11
    assert run(image, out, model, *options) == 0
    assert run(image, tmp_path / "unbroken.zarr", model, *options) == 0
    assert_same_result(out, tmp_path / "unbroken.zarr")
    np.testing.assert_array_equal(
        labels_of(out), segment(image, model, objects=ObjectOptions(least_slices=3))
    )


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_lost_work_array_is_computed_again(tmp_path, image, model):
    options = ("--least-slices", 2)
    out = tmp_path / "out.zarr"
    with start(image, "-o", out, "--model", model, *options) as process:
        wait_for_slices(process, 5)
        process.kill()
        process.communicate(timeout=60)
    (draft_place(out) / "work" / "zarr.json").write_text("{")
    assert run(image, out, model, *options) == 0
    assert run(image, tmp_path / "unbroken.zarr", model, *options) == 0
    assert_same_result(out, tmp_path / "unbroken.zarr")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_run_under_nohup_does_not_end_with_its_terminal(tmp_path, image, model):
    command = ["nohup", sys.executable, "-c", TELLING, "segment", str(image)]
    command += ["-o", str(tmp_path / "out.zarr"), "--model", model]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_for_slices(process, 3)
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=120)
    assert process.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_run_that_is_told_twice_to_end_leaves_no_result_and_no_traceback(tmp_path, image, model):
    out = tmp_path / "out.zarr"
    with start(image, "-o", out, "--model", model) as process:
        wait_for_slices(process, 3)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGTERM)
    assert "Traceback" not in said
    assert not out.exists()


def test_a_gap_wider_than_the_stack_is_as_good_as_the_whole_stack(tmp_path, image, model):
    for name, gap in (("wide.zarr", 10**9), ("whole.zarr", SLICES)):
        assert run(image, tmp_path / name, model, "--gap", gap) == 0
    assert_same_result(tmp_path / "wide.zarr", tmp_path / "whole.zarr")


def test_a_pattern_that_matches_nothing_is_named(tmp_path, model, capsys):
    assert run(tmp_path / "none*.tif", tmp_path / "results", model) == 1
    assert f"No file matches {tmp_path / 'none*.tif'}" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def sureness(image, model, labels):
    """The mean probability of each object, from another run of the network."""
    probability = segment(image, model, output="probability", threshold=0.5)
    numbers = np.unique(labels[labels > 0])
    return {int(n): float(probability[labels == n].mean()) for n in numbers}


@pytest.mark.parametrize(
    "way",
    [
        ("out.tif",),
        ("out.zarr", "--least-slices", 1),
        ("out.zarr",),
        ("out.zarr", "--workers", 2),
    ],
    ids=["tif", "in order", "in rounds", "workers"],
)
def test_the_table_says_how_sure_the_network_is_of_each_object(tmp_path, image, model, way):
    out = tmp_path / way[0]
    assert run_anyhow(image, out, model, "--objects", *way[1:]) == 0
    with open_image(out) as opened:
        table, labels = opened.info.objects, np.asarray(opened.data)
    wanted = sureness(image, model, labels)
    assert len(wanted) > 20
    found = dict(zip(table["index"], table["confidence"], strict=True))
    assert found.keys() == wanted.keys()
    np.testing.assert_allclose(list(found.values()), list(wanted.values()), atol=2e-4)
    text = (tmp_path / "out.objects.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert [int(row["id"]) for row in rows] == table["index"]
    assert [float(row["confidence"]) for row in rows] == table["confidence"]
    assert rows[0].keys() == {"id", *table} - {"index"}


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_run_that_goes_on_is_as_sure_as_an_unbroken_one(tmp_path, image, model):
    out, options = tmp_path / "out.zarr", ("--least-slices", 1)
    with start(image, "-o", out, "--model", model, *options) as process:
        wait_for_slices(process, 11)
        process.kill()
        process.communicate(timeout=60)
    assert run(image, out, model, *options) == 0
    assert run(image, tmp_path / "unbroken.zarr", model, *options) == 0
    tables = [open_image(path).info.objects for path in (out, tmp_path / "unbroken.zarr")]
    assert tables[0] == tables[1]
    assert None not in tables[0]["confidence"]


def test_specks_are_left_out_of_a_z_stack_and_the_report_says_so(tmp_path, image, model):
    """What the window does by itself, the command line does too."""
    for name, options in (("usual", ()), ("two", ("--least-slices", 2)), ("all", IN_ORDER)):
        assert run(image, tmp_path / f"{name}.zarr", model, *options) == 0
    usual, two, everything = (labels_of(tmp_path / f"{n}.zarr") for n in ("usual", "two", "all"))
    np.testing.assert_array_equal(usual, two)
    assert (usual > 0).sum() < (everything > 0).sum()
    np.testing.assert_array_equal(usual, segment(image, model))
    attributes = zarr.open_group(str(tmp_path / "usual.zarr"), mode="r").attrs
    assert attributes["napari-slicewise"]["provenance"]["least_slices"] == 2


def test_a_movie_keeps_what_is_seen_once(tmp_path, model):
    movie = write_stack(tmp_path / "movie.tif", 8, 96, 128, axes="TYX")
    for name, options in (("usual", ()), ("all", IN_ORDER)):
        assert run(movie, tmp_path / f"{name}.zarr", model, *options) == 0
    found = [labels_of(tmp_path / f"{name}.zarr") for name in ("usual", "all")]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    "way",
    [("out.tif",), ("out.zarr",), ("out.zarr", "--workers", 2)],
    ids=["tif", "zarr", "workers"],
)
def test_objects_of_less_volume_are_left_out_however_the_run_goes(tmp_path, measured, model, way):
    options = ("--least-slices", 1, "--smallest", "30um3", "--largest", "200 um3")
    assert run_anyhow(measured, tmp_path / way[0], model, *way[1:], *options) == 0
    with open_image(tmp_path / way[0]) as opened:
        found, table = np.asarray(opened.data), opened.info.objects
    every = segment(measured, model, objects=ObjectOptions(least_slices=1, smallest=0))
    volumes = np.bincount(every.ravel()) * (0.5 * 0.5 * 2.0)
    kept = np.flatnonzero((volumes >= 30) & (volumes <= 200))
    assert 3 < len(kept) < len(volumes) - 5
    np.testing.assert_array_equal(found > 0, np.isin(every, kept[kept > 0]))
    assert sorted(table["volume_um3"]) == sorted(volumes[kept[kept > 0]])


def test_areas_in_um2_are_those_in_pixels(tmp_path, measured, model, image, capsys):
    for name, size in (("um2", "10um2"), ("px", "40px")):
        assert run(measured, tmp_path / f"{name}.zarr", model, "--smallest", size) == 0
    np.testing.assert_array_equal(labels_of(tmp_path / "um2.zarr"), labels_of(tmp_path / "px.zarr"))
    assert run(image, tmp_path / "none.zarr", model, "--smallest", "10um2") == 1
    assert "does not tell its pixel size" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--directions", "zyx", "--workers", 2), "one side only"),
        (("--track",), "movie"),
        (("--smallest", "5um4"), "is no size"),
        (("--smallest", "50um3", "--no-link"), "linked objects"),
        (("--track", "--output", "probability"), "--track is about objects"),
        (("--objects", "--output", "classes"), "--objects is about objects"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, image, model, capsys, options, words):
    assert run(image, tmp_path / "out.zarr", model, *options) == 1
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_three_directions_give_the_same_in_a_file_and_in_python(tmp_path, image, model):
    assert run(image, tmp_path / "out.zarr", model, "--directions", "zyx", "--slices", "0:8") == 0
    found = labels_of(tmp_path / "out.zarr")
    assert found[:8].any()
    assert not found[8:].any()
    three = segment(image, model, directions="zyx", output="classes")
    assert not np.array_equal(three, segment(image, model, output="classes"))
    assert ((found[:8] > 0) <= (three[:8] > 0)).all()
