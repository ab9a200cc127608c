"""What can be wrong with a cluster is told in words, and never waited for in silence."""

from __future__ import annotations

import signal
import socket
import sys
from dataclasses import replace

import psutil
import pytest
from support.killed_runs import start, wait_for_slices, write_model, write_stack

from napari_slicewise.api import load_model, read_image
from napari_slicewise.cli import main
from napari_slicewise.errors import RequestError, WorkerError
from napari_slicewise.inference.blocks import BlockWork, probe, segment_block
from napari_slicewise.inference.request import Request
from napari_slicewise.io.kept_draft import draft_place
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.run_record import RunRecord
from napari_slicewise.io.zarr_levels import create_levels

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "random.safetensors")


@pytest.fixture
def work(tmp_path, model):
    """The work on a stack whose result is begun."""
    image = write_stack(tmp_path / "in.tif", 3, 64, 80)
    loaded = load_model(model)
    with read_image(image) as opened:
        source = opened.source()
        picture = Picture(opened.info.axes)
        request = Request("m", tuple(source.indices()), output="classes")
    (tmp_path / "store").mkdir()
    create_levels(tmp_path / "store", picture, "uint8", "0.5")
    (tmp_path / "alive").touch()
    return BlockWork(
        image=str(image),
        series=0,
        channel=None,
        model=str(model),
        sha256=loaded.sha256,
        request=request,
        picture=picture,
        store=str(tmp_path / "store"),
        alive=str(tmp_path / "alive"),
    )


@pytest.mark.parametrize("name", ["image", "model", "store"])
@pytest.mark.parametrize(
    "task", [lambda work: probe(work, None), segment_block], ids=["probe", "segment"]
)
def test_a_path_that_a_worker_does_not_see_is_named(work, name, task):
    hidden = f"/nowhere/{name}"
    with pytest.raises(RequestError, match=hidden) as caught:
        task(replace(work, **{name: hidden}))
    assert "same paths" in caught.value.hint


def test_a_worker_of_another_version_is_refused(work):
    with pytest.raises(RequestError, match=r"napari-slicewise .*, the client 0\.0\.1"):
        probe(replace(work, version="0.0.1"), None)


def test_a_run_that_nobody_waits_for_writes_nothing(work, tmp_path):
    (tmp_path / "alive").unlink()
    assert segment_block(work).slices == []


def test_fallbacks_of_workers_come_back_with_their_slices(work, monkeypatch):
    asked = []

    def before_batch(_self, _device, pixels):
        asked.append(pixels)
        if len(asked) == 2:
            raise MemoryError("out of memory")

    monkeypatch.setattr("napari_slicewise.inference.device.LocalDevices.before_batch", before_batch)
    done = segment_block(work)
    assert [stored.index for stored in done.slices] == [(0,), (1,), (2,)]
    (told,) = done.fallbacks
    assert told.startswith("Not enough memory: going on with")


def test_an_address_without_a_scheduler_ends_soon_and_in_words(tmp_path, work, model, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        arguments = ["segment", work.image, "-o", str(tmp_path / "out.zarr"), "--model", str(model)]
        assert main([*arguments, "--scheduler", address]) == 1
        assert f"no dask scheduler at {address}" in capsys.readouterr().err
        assert main([*arguments, "--scheduler", "nonsense://x"]) == 1
        assert "no dask scheduler at nonsense" in capsys.readouterr().err


@pytest.mark.parametrize("count", ["0", "-1", "1.5", "many"])
def test_a_number_of_workers_that_is_none_is_a_usage_error(work, count, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["segment", work.image, "-o", "out.zarr", "--workers", count])
    assert ended.value.code == 2
    assert "--workers" in capsys.readouterr().err


def test_more_workers_than_a_machine_can_use_are_refused(tmp_path, work, model, capsys):
    arguments = ["segment", work.image, "-o", str(tmp_path / "out.zarr"), "--model", str(model)]
    assert main([*arguments, "--workers", "5000"]) == 1
    assert "5000 workers are more" in capsys.readouterr().err


class _Future:
    def result(self):
        raise ModuleNotFoundError("No module named 'napari_slicewise'\nmore")

    def release(self):
        """Nothing is held."""


class _Client:
    loop = None

    def submit(self, *_task, **_options):
        return _Future()

    def cancel(self, _futures, force):
        """Nothing is running."""


def test_a_worker_without_the_package_is_told_apart_from_a_fault_of_the_image(work, monkeypatch):
    import distributed

    from napari_slicewise.cluster import ClusterRun

    monkeypatch.setattr(distributed, "as_completed", lambda futures, **_: iter(futures))
    run = ClusterRun(_Client(), work, writer=None)
    with pytest.raises(
        WorkerError, match=r"Error: No module named 'napari_slicewise' Install"
    ) as caught:
        list(run._gather(probe, [(work, None)]))
    assert "same versions" in caught.value.hint


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_of_the_client_ends_the_workers_and_keeps_what_they_did(tmp_path, model):
    image = write_stack(tmp_path / "in.tif", 40, 96, 128)
    out = tmp_path / "out.zarr"
    options = ("--model", model, "--workers", 2, "--threads", 1)
    with start(image, "-o", out, *options) as process:
        wait_for_slices(process, 3)
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        gone, left = psutil.wait_procs(family, timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert "slices are kept; the same command goes on" in said
    assert not left
    assert len(gone) >= 2
    assert not out.exists()
    assert not list(draft_place(out).glob("alive-*"))
    entries = RunRecord(draft_place(out) / "record.jsonl").read()
    assert sum("local" in entry for entry in entries) >= 3
