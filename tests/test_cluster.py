"""Several workers: the result of one process, whoever is killed in between."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import psutil
import pytest
import zarr
from support.killed_runs import start, wait_for_slices, write_model, write_stack

from napari_slicewise.cli import main
from napari_slicewise.io.kept_draft import draft_place
from napari_slicewise.io.run_record import RunRecord

pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

SLICES = 40


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_model(tmp_path_factory.mktemp("models") / "random.safetensors"))


@pytest.fixture
def image(tmp_path):
    return write_stack(tmp_path / "in.tif", SLICES, 96, 128)


def in_one_process(image, out, model, *options):
    arguments = ["segment", image, "-o", out, "--model", model, "--quiet", *options]
    assert main(list(map(str, arguments))) == 0
    return zarr.open_array(str(out / "0"), mode="r")[...]


def end(process):
    """Wait for the end; the processes of the cluster go with it."""
    out, said = process.communicate(timeout=120)
    assert (process.returncode, said) == (0, "")
    return out


def worker_processes(process):
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def test_a_killed_worker_changes_nothing(tmp_path, image, model):
    expected = in_one_process(image, tmp_path / "one.zarr", model)
    assert expected.max() > 100
    out = tmp_path / "out.zarr"
    options = ("--model", model, "--workers", 2, "--threads", 1)
    with start(image, "-o", out, *options) as process:
        wait_for_slices(process, 5)
        worker_processes(process)[0].kill()
        assert f"{SLICES} slices" in end(process)
    np.testing.assert_array_equal(zarr.open_array(str(out / "0"), mode="r")[...], expected)
    assert not draft_place(out).exists()


def test_a_killed_client_goes_on_with_what_its_workers_did(tmp_path, image, model):
    expected = in_one_process(image, tmp_path / "one.zarr", model)
    out = tmp_path / "out.zarr"
    options = ("--model", model, "--workers", 2, "--threads", 1)
    with start(image, "-o", out, *options) as process:
        wait_for_slices(process, 12)
        workers = worker_processes(process)
        process.kill()
        psutil.wait_procs(workers, timeout=60)
    entries = RunRecord(draft_place(out) / "record.jsonl").read()
    kept = len({tuple(entry["local"]["index"]) for entry in entries if "local" in entry})
    with start(image, "-o", out, *options) as process:
        said = end(process)
    assert f"resuming: {kept} of {SLICES} slices are there" in said
    np.testing.assert_array_equal(zarr.open_array(str(out / "0"), mode="r")[...], expected)


@pytest.fixture
def scheduler(tmp_path):
    """A scheduler and two workers, processes of their own as on a cluster."""
    where = tmp_path / "scheduler.json"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker"]
    ends = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    quiet = ["--no-dashboard", "--scheduler-file", str(where)]
    started = [subprocess.Popen([*dask, *quiet, "--port", "0"], **ends)]
    started += [
        subprocess.Popen([*worker, *quiet, "--no-nanny", "--nthreads", "1"], **ends)
        for _ in range(2)
    ]
    from distributed import Client

    try:
        with Client(scheduler_file=str(where), set_as_default=False, timeout=60) as client:
            client.wait_for_workers(2, timeout=60)
            yield client.scheduler.address
    finally:
        for process in started:
            process.kill()
            process.wait(60)


@pytest.mark.parametrize("output", ["labels", "classes", "probability"])
def test_a_scheduler_elsewhere_gives_the_same_for_stacks_over_time(
    tmp_path, model, scheduler, output
):
    image = write_stack(tmp_path / "in.tif", 3, 6, 64, 80, axes="TZYX")
    expected = in_one_process(image, tmp_path / "one.zarr", model, "--output", output)
    out = tmp_path / "out.zarr"
    with start(
        image, "-o", out, "--model", model, "--scheduler", scheduler, "--output", output
    ) as process:
        end(process)
    np.testing.assert_array_equal(zarr.open_array(str(out / "0"), mode="r")[...], expected)


def test_an_error_of_a_block_ends_the_run_with_that_error(tmp_path, model):
    image = write_stack(tmp_path / "in.tif", 3, 64, 80)
    assert main(["convert", str(image), str(tmp_path / "in.zarr"), "--quiet"]) == 0
    damaged = next((tmp_path / "in.zarr" / "0" / "c" / "1").rglob("0/0"))
    damaged.write_bytes(damaged.read_bytes()[:20])
    out = tmp_path / "out.zarr"
    with start(tmp_path / "in.zarr", "-o", out, "--model", model, "--workers", 1) as process:
        _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "could not" in said
    assert "Traceback" not in said
    assert not out.exists()


def test_a_single_plane_is_a_block_too(tmp_path, model):
    image = write_stack(tmp_path / "in.tif", 64, 80, axes="YX")
    expected = in_one_process(image, tmp_path / "one.zarr", model)
    out = tmp_path / "out.zarr"
    with start(image, "-o", out, "--model", model, "--workers", 1) as process:
        end(process)
    np.testing.assert_array_equal(zarr.open_array(str(out / "0"), mode="r")[...], expected)


def test_outputs_that_cannot_be_shared_are_refused(tmp_path, image, model, capsys):
    out = str(tmp_path / "out.tif")
    assert main(["segment", str(image), "-o", out, "--model", model, "--workers", "2"]) == 1
    assert ".ome.zarr" in capsys.readouterr().err


def test_without_distributed_the_command_that_installs_it_is_told(
    tmp_path, image, model, capsys, monkeypatch
):
    monkeypatch.setattr("napari_slicewise.inference.dask_client.find_spec", lambda _name: None)
    out = str(tmp_path / "out.zarr")
    assert main(["segment", str(image), "-o", out, "--model", model, "--workers", "2"]) == 1
    assert 'pip install "napari-slicewise[cluster]"' in capsys.readouterr().err
