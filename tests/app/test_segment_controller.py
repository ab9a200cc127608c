"""The controller with a real worker process: results, Stop, a kill, nothing left behind."""

from __future__ import annotations

import multiprocessing.shared_memory as shm
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from support.listening import Listener, everything, stack

from napari_slicewise.app.segment import SegmentController
from napari_slicewise.errors import ImageError, ModelError, RequestError
from napari_slicewise.inference.request import Request, visiting_order
from napari_slicewise.io.source import ArraySource
from napari_slicewise.models.spec import ModelSpec


def test_a_run_gives_the_slice_on_show_first_and_then_all(controller, random_model_path):
    heard = Listener(controller)
    source = ArraySource(stack(12, 40, 50))
    order = visiting_order(tuple(source.indices()), (7,))
    controller.start(Request(str(random_model_path), order), source)
    report = heard.report()
    assert report.outcome == "completed"
    assert [result.index for result in heard.results] == list(order)
    assert [p.done for p in heard.progress] == list(range(1, 13))
    assert heard.progress[-1].seconds_left == 0
    assert all(result.values.shape == (40, 50) for result in heard.results)
    assert report.details["model_sha256"]
    assert controller.phase == "idle"


def test_stop_keeps_what_is_done_and_the_next_run_works(controller, random_model_path):
    heard = Listener(controller)
    source = ArraySource(stack(200, 64, 64))
    controller.start(everything(random_model_path, source), source)
    with pytest.raises(RequestError, match="already"):
        controller.start(everything(random_model_path, source), source)
    heard.wait(lambda: len(heard.results) >= 5)
    controller.stop()
    report = heard.report()
    assert report.outcome == "cancelled"
    assert 5 <= len(heard.results) == report.slices < 200
    pid = controller.worker_pid
    source = ArraySource(stack(3, 64, 64))
    controller.start(everything(random_model_path, source), source)
    assert heard.report(2).outcome == "completed"
    assert controller.worker_pid == pid  # the worker stayed warm


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_killed_worker_ends_the_run_with_a_message_and_the_next_run_works(
    controller, random_model_path
):
    heard = Listener(controller)
    source = ArraySource(stack(200, 64, 64))
    controller.start(everything(random_model_path, source), source)
    heard.wait(lambda: len(heard.results) >= 3)
    os.kill(controller.worker_pid, signal.SIGKILL)
    report = heard.report()
    assert report.outcome == "failed"
    assert "killed" in report.message
    assert report.hint
    assert report.slices >= 3
    source = ArraySource(stack(2, 64, 64))
    controller.start(everything(random_model_path, source), source)
    assert heard.report(2).outcome == "completed"


@pytest.mark.skipif(sys.platform == "win32", reason="SIGSTOP is POSIX")
def test_a_second_stop_ends_a_worker_that_does_not_answer(controller, random_model_path):
    heard = Listener(controller)
    source = ArraySource(stack(500, 64, 64))
    controller.start(everything(random_model_path, source), source)
    heard.wait(lambda: len(heard.results) >= 1)
    os.kill(controller.worker_pid, signal.SIGSTOP)
    controller.stop()
    assert not heard.reports
    controller.stop()
    assert heard.report().outcome == "cancelled"


def test_an_unreadable_slice_ends_the_run_and_the_slices_before_it_stay(
    controller, random_model_path
):
    class Broken(ArraySource):
        def read_slice(self, index):
            if index == (20,):
                raise ImageError("page 20 is broken", "Copy the file again.")
            return super().read_slice(index)

    heard = Listener(controller)
    source = Broken(stack(21, 32, 32))
    controller.start(everything(random_model_path, source, intensity_range="slice"), source)
    report = heard.report()
    assert (report.outcome, report.message) == ("failed", "page 20 is broken")
    assert report.hint == "Copy the file again."
    assert report.slices == len(heard.results) == 20


def test_a_file_that_is_no_model_is_said_before_anything_runs(controller, tmp_path):
    text = tmp_path / "model.pt"
    text.write_text("these are no weights")
    heard = Listener(controller)
    source = ArraySource(stack(2, 32, 32))
    controller.start(everything(text, source), source)
    report = heard.report()
    assert report.outcome == "failed"
    assert "model.pt" in report.message
    assert not heard.results


def test_a_model_file_is_described_or_refused(controller, random_model_path):
    heard = Listener(controller)
    controller.inspect_model(str(random_model_path))
    controller.inspect_model(str(random_model_path) + ".missing")
    heard.wait(lambda: len(heard.inspected) == 2)
    assert isinstance(heard.inspected[0][1], ModelSpec)
    assert heard.inspected[0][1].first_filters == 4
    assert isinstance(heard.inspected[1][1], ModelError)


def test_close_leaves_no_thread_no_process_and_no_shared_memory(random_model_path, monkeypatch):
    names = []
    create = shm.SharedMemory.__init__

    def noted(self, *args, **kwargs):
        create(self, *args, **kwargs)
        names.append(self.name)

    monkeypatch.setattr(shm.SharedMemory, "__init__", noted)
    before = set(threading.enumerate())
    controller = SegmentController()
    heard = Listener(controller)
    source = ArraySource(stack(300, 64, 64))
    controller.start(everything(random_model_path, source), source)
    heard.wait(lambda: len(heard.results) >= 2)
    pid = controller.worker_pid
    controller.close()
    controller.close()
    assert set(threading.enumerate()) == before
    assert names
    for name in names:
        with pytest.raises(FileNotFoundError):
            shm.SharedMemory(name=name)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc")
def test_the_worker_goes_within_two_seconds_when_the_desktop_is_killed(random_model_path):
    desktop = textwrap.dedent(f"""
        import numpy as np, time
        from napari_slicewise.app.segment import SegmentController
        from napari_slicewise.inference.request import Request
        from napari_slicewise.io.source import ArraySource
        controller = SegmentController()
        controller.slice_finished.connect(lambda r: print(controller.worker_pid, flush=True))
        source = ArraySource(np.random.default_rng(0).normal(size=(500, 256, 256)))
        controller.start(Request({str(random_model_path)!r}, tuple(source.indices())), source)
        time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", desktop], stdout=subprocess.PIPE) as process:
        worker = int(process.stdout.readline())
        process.kill()
    deadline = time.monotonic() + 2
    while Path(f"/proc/{worker}").exists() and _state(worker) != "Z":
        assert time.monotonic() < deadline, "the worker still runs"
        time.sleep(0.02)


def _state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def test_a_whole_run_leaves_torch_and_qt_out_of_the_desktop(random_model_path):
    desktop = textwrap.dedent(f"""
        import numpy as np, sys, threading
        from napari_slicewise.app.segment import SegmentController
        from napari_slicewise.inference.request import Request
        from napari_slicewise.io.source import ArraySource
        controller, done = SegmentController(), threading.Event()
        controller.run_finished.connect(lambda r: (print(r.outcome), done.set()))
        source = ArraySource(np.random.default_rng(0).normal(size=(2, 64, 64)))
        controller.start(Request({str(random_model_path)!r}, tuple(source.indices())), source)
        done.wait(60)
        controller.close()
        print(sorted({{"torch", "qtpy", "vispy"}} & set(sys.modules)))
    """)
    said = subprocess.run(
        [sys.executable, "-c", desktop], capture_output=True, text=True, check=True, timeout=120
    )
    assert said.stdout.split("\n")[:2] == ["completed", "[]"]
    assert not said.stderr
