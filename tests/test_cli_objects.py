"""What the command line can ask of objects, and the same after an interruption and on workers."""

from __future__ import annotations

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
from napari_slicewise.io.kept_draft import draft_place
from napari_slicewise.io.run_record import RunRecord

SLICES = 24


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_model(tmp_path_factory.mktemp("models") / "random.safetensors"))


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return write_stack(tmp_path_factory.mktemp("images") / "in.tif", SLICES, 96, 128)


def run(image, out, model, *options):
    arguments = ["segment", image, "-o", out, "--model", model, "--quiet", *options]
    return main(list(map(str, arguments)))


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
