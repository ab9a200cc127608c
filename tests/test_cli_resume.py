"""Killed, stopped or out of space: the same command goes on, to the result of an unbroken run."""

from __future__ import annotations

import os
import random
import signal
import sys
import time

import numpy as np
import pytest
import zarr
from support.killed_runs import (
    assert_same_result,
    chunk_times,
    finished_in,
    start,
    wait_for_slices,
    write_model,
    write_stack,
)
from support.random_models import write_random_model

from napari_slicewise.cli import main
from napari_slicewise.io.kept_draft import draft_place

KILLS = int(os.environ.get("SLICEWISE_KILLS", "3"))
SLICES = 30
IN_ORDER = ("--least-slices", "1")  # each slice is written for good as soon as it is computed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_model(tmp_path_factory.mktemp("models") / "random.safetensors"))


@pytest.fixture
def image(tmp_path):
    return write_stack(tmp_path / "in.tif", SLICES, 96, 128)


def segment(image, out, model, *options):
    return main(["segment", str(image), "-o", str(out), "--model", model, *IN_ORDER, *options])


def stop(process, how=signal.SIGKILL):
    process.send_signal(how)
    return process.communicate(timeout=60)


def interrupted(image, out, model, slices, how=signal.SIGKILL):
    """Run until some slices are finished, and stop; what it said."""
    with start(image, "-o", out, "--model", model, *IN_ORDER) as process:
        wait_for_slices(process, slices)
        return stop(process, how)


def test_killed_runs_go_on_to_the_result_of_an_unbroken_one(tmp_path, image, model, capsys):
    assert segment(image, tmp_path / "unbroken.zarr", model, "--quiet") == 0
    out = tmp_path / "out.zarr"
    seed = int(os.environ.get("SLICEWISE_SEED", random.randrange(1 << 30)))
    print("seed", seed)
    chance = random.Random(seed)
    finished: set[tuple[int, ...]] = set()
    times: dict[str, int] = {}
    for kill in range(KILLS):
        with start(image, "-o", out, "--model", model, *IN_ORDER) as process:
            left = (SLICES - len(finished)) // (KILLS - kill + 1)
            wait_for_slices(process, chance.randint(1, max(1, left)))
            time.sleep(chance.random() * 0.02)
            stop(process)
        assert finished < finished_in(out)
        finished = finished_in(out)
        now = chunk_times(draft_place(out) / "store")
        assert times.items() <= now.items()
        times = {name: at for name, at in now.items() if (int(name.split("/")[2]),) in finished}
        assert not out.exists()
    assert len(finished) < SLICES
    report = tmp_path / "report.csv"
    capsys.readouterr()
    assert segment(image, out, model, "--report", str(report)) == 0
    assert f"resuming: {len(finished)} of {SLICES} slices" in capsys.readouterr().out
    assert f",done,{SLICES},{len(finished)}," in report.read_text()
    assert times.items() <= chunk_times(out).items()
    assert_same_result(out, tmp_path / "unbroken.zarr")
    labels = zarr.open_array(str(out / "0"))[...]
    assert labels.max() > 100
    assert len(np.intersect1d(labels[12], labels[13])) > 10  # linked
    assert not draft_place(out).exists()


def test_a_stopped_run_says_how_to_go_on_and_an_old_result_stays(tmp_path, image, model):
    out = tmp_path / "out.zarr"
    assert segment(image, out, model, "--quiet", "--slices", "0:2") == 0
    before = chunk_times(out)
    _, said = interrupted(image, out, model, 4, signal.SIGINT)
    assert f"of {SLICES} slices are kept; the same command goes on" in said
    assert chunk_times(out) == before
    assert segment(image, out, model, "--quiet") == 0
    assert segment(image, tmp_path / "unbroken.zarr", model, "--quiet") == 0
    assert_same_result(out, tmp_path / "unbroken.zarr")


@pytest.mark.parametrize("change", ["threshold", "image", "model"])
def test_another_run_is_refused_until_it_is_told_to_restart(tmp_path, image, model, change, capsys):
    out, options = tmp_path / "out.zarr", []
    interrupted(image, out, model, 3)
    kept = finished_in(out)
    if change == "threshold":
        options = ["--threshold", "0.7"]
    elif change == "image":
        write_stack(image, SLICES, 96, 130)
    else:
        model = str(write_random_model(tmp_path / "other.safetensors", first_filters=6))
    capsys.readouterr()
    assert segment(image, out, model, *options) == 1
    said = capsys.readouterr().err
    assert change in said
    assert "--restart" in said
    assert finished_in(out) == kept
    assert segment(image, out, model, *options, "--restart") == 0
    assert segment(image, tmp_path / "new.zarr", model, *options) == 0
    assert_same_result(out, tmp_path / "new.zarr")


def test_damaged_chunks_and_torn_records_are_computed_again_alone(tmp_path, image, model):
    out = tmp_path / "out.zarr"
    interrupted(image, out, model, 12)
    store = draft_place(out) / "store"
    intact = chunk_times(store)
    for z in ("4", "5"):
        chunk = next((store / "0" / "c" / z).rglob("0/0"))
        chunk.write_bytes(chunk.read_bytes()[:50])
        del intact[str(chunk.relative_to(store))]
    record = draft_place(out) / "record.jsonl"
    record.write_bytes(record.read_bytes()[:-7])
    last = max(finished_in(out))[0]
    intact = {name: at for name, at in intact.items() if int(name.split("/")[2]) <= last}
    assert segment(image, out, model, "--quiet") == 0
    assert intact.items() <= chunk_times(out).items()
    assert segment(image, tmp_path / "unbroken.zarr", model, "--quiet") == 0
    assert_same_result(out, tmp_path / "unbroken.zarr")


def test_a_second_process_on_the_same_output_is_refused(tmp_path, image, model, capsys):
    out = tmp_path / "out.zarr"
    with start(image, "-o", out, "--model", model, *IN_ORDER) as process:
        wait_for_slices(process, 1)
        process.send_signal(signal.SIGSTOP)
        assert segment(image, out, model) == 1
        assert f"is being written by process {process.pid}" in capsys.readouterr().err
        process.send_signal(signal.SIGCONT)
        stop(process)
    assert segment(image, out, model, "--quiet") == 0


def test_a_full_disk_keeps_the_draft(tmp_path, image, model, capsys, monkeypatch):
    out, allowed = tmp_path / "out.zarr", 6

    def full(array, key, value, write=zarr.Array.__setitem__):
        if key[0] >= allowed:
            raise OSError(28, "No space left on device")
        write(array, key, value)

    with monkeypatch.context() as patch:
        patch.setattr(zarr.Array, "__setitem__", full)
        assert segment(image, out, model) == 1
    said = capsys.readouterr().err
    assert "No space is left for out.zarr" in said
    assert f"{allowed} of {SLICES} slices are kept" in said
    assert segment(image, out, model) == 0
    assert f"resuming: {allowed} of {SLICES}" in capsys.readouterr().out


def test_labels_within_an_image_go_on_too(tmp_path, image, model):
    within = tmp_path / "image.zarr"
    assert main(["convert", str(image), str(within), "--quiet"]) == 0
    out = within / "labels" / "nuclei"
    interrupted(within, out, model, 5)
    assert len(finished_in(out)) >= 5
    assert segment(within, out, model, "--quiet") == 0
    assert zarr.open_group(str(within / "labels"), mode="r").attrs["ome"]["labels"] == ["nuclei"]
    assert segment(within, tmp_path / "unbroken.zarr", model, "--quiet") == 0
    np.testing.assert_array_equal(
        zarr.open_array(str(out / "0"))[...],
        zarr.open_array(str(tmp_path / "unbroken.zarr" / "0"))[...],
    )
    assert sorted(path.name for path in (within / "labels").iterdir()) == ["nuclei", "zarr.json"]


def test_time_series_of_stacks_go_on_too(tmp_path, model):
    image = write_stack(tmp_path / "in.tif", 4, 7, 64, 80, axes="TZYX")
    out = tmp_path / "out.zarr"
    interrupted(image, out, model, 16)
    assert segment(image, out, model, "--quiet") == 0
    assert segment(image, tmp_path / "unbroken.zarr", model, "--quiet") == 0
    assert_same_result(out, tmp_path / "unbroken.zarr")
