"""Kills at any moment cost one run: nothing is left behind, and the next run works."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
from support.listening import Listener, everything, stack

from napari_slicewise.io.source import ArraySource

SHARED = Path("/dev/shm")


def blocks():
    return {path.name for path in SHARED.iterdir() if path.name.startswith("psm_")}


def left_since(before):
    """Blocks that stay; those of other tests, which run at the same time, lose their name soon."""
    deadline = time.monotonic() + 5
    while (left := blocks() - before) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


@pytest.mark.skipif(not SHARED.is_dir(), reason="looks into /dev/shm")
def test_a_worker_killed_at_random_moments_leaves_no_memory_and_the_next_run_works(
    controller, random_model_path
):
    chance = random.Random(5)
    before = blocks()
    heard = Listener(controller)
    source = ArraySource(stack(400, 64, 64))
    for number in range(3):
        done = len(heard.results)
        controller.start(everything(random_model_path, source), source)
        if number:  # the first is killed while the worker still loads
            heard.wait(lambda done=done: len(heard.results) > done)
            time.sleep(chance.uniform(0, 0.3))
        psutil.Process(controller.worker_pid).kill()
        report = heard.report(number + 1)
        assert report.outcome == "failed"
        assert "killed" in report.message
        assert report.slices == len(heard.results) - done
        assert not left_since(before)
    few = ArraySource(stack(3, 64, 64))
    controller.start(everything(random_model_path, few), few)
    assert heard.report(4).outcome == "completed"


@pytest.mark.skipif(not SHARED.is_dir(), reason="looks into /dev/shm")
def test_a_desktop_that_is_killed_leaves_no_memory_even_without_a_resource_tracker(
    random_model_path,
):
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
    before = blocks()
    with subprocess.Popen([sys.executable, "-c", desktop], stdout=subprocess.PIPE) as process:
        worker = psutil.Process(int(process.stdout.readline()))
        others = [p for p in psutil.Process(process.pid).children() if p != worker]
        assert any("resource_tracker" in " ".join(p.cmdline()) for p in others)
        for other in others:
            other.kill()
        process.kill()
    assert not psutil.wait_procs([worker], timeout=20)[1]
    assert not left_since(before)
