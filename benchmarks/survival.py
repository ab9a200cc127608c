"""The worker killed at random moments, in a real window; then napari itself.

    xvfb-run -a python benchmarks/survival.py [--kills 20] [--slices 60] [--seed 0]

Each time a run is begun, the worker is killed at a moment that was drawn by lot (from the
button to the end of a whole run), and the window must say so, keep what was finished and
finish the next run. At the end nothing may be left: no process, no thread, no shared memory
(Linux: ``/dev/shm``), and torch was never imported by napari's process. Then a napari in a
process of its own is killed in the middle of a run, with and without Python's resource
tracker: the time until its worker is gone is measured. Exits with 1 if anything failed.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from desk import Desk, blobs

SHARED = Path("/dev/shm")


def shared_memory() -> set[str]:
    """Names of the blocks that Python programs of this machine have made."""
    return {path.name for path in SHARED.glob("psm_*")}


def filled(layer: Any) -> set[int]:
    """Slices with labels."""
    return {z for z, slice_ in enumerate(layer.data) if slice_.any()}


def open_desk(slices: int, side: int = 256) -> Desk:
    """Open a window with a stack in it."""
    desk = Desk(patience=120)
    stack = np.stack(list(blobs(slices, side, "uint8")))
    desk.viewer.add_image(stack, contrast_limits=(0, 255))
    desk.wait(lambda: bool(desk.find("segment_button").isEnabled()))
    return desk


def kill_once(desk: Desk, moment: float, slices: int) -> str:
    """Kill the worker so many seconds into a run; return what went wrong."""
    desk.segment()
    labels = desk.viewer.layers[-1]
    desk.rest(moment)
    pid, over = desk.panel.form.worker_pid, not desk.running
    before = filled(labels)
    if pid is not None:
        psutil.Process(pid).kill()
    desk.wait(lambda: not desk.running)
    desk.rest(0.2)
    kept = filled(labels)
    faults = []
    if not before <= kept:
        faults.append(f"lost slices {sorted(before - kept)}")
    if not over and "killed" not in desk.find("problem").text() and len(kept) < slices:
        faults.append("the window did not say so")
    if labels in desk.viewer.layers:
        desk.viewer.layers.remove(labels)
    desk.run()
    if len(filled(desk.viewer.layers[-1])) != slices:
        faults.append(f"the next run filled {len(filled(desk.viewer.layers[-1]))} slices")
    desk.viewer.layers.remove(desk.viewer.layers[-1])
    if not desk.viewer.window._qt_window.isVisible():
        faults.append("the window is gone")
    state = "between runs" if over else f"{len(kept)} slices kept"
    print(f"  after {moment:5.2f} s: {state}{', '.join(['', *faults])}", flush=True)
    return ", ".join(faults)


def survive_kills(kills: int, slices: int, chance: random.Random) -> list[str]:
    """Kill the worker again and again; return what went wrong."""
    blocks, threads = shared_memory(), set(threading.enumerate())
    children = set(psutil.Process().children(recursive=True))
    desk = open_desk(slices)
    desk.run()
    desk.viewer.layers.remove(desk.viewer.layers[-1])
    began = time.monotonic()
    desk.run()
    whole = time.monotonic() - began
    desk.viewer.layers.remove(desk.viewer.layers[-1])
    image = desk.viewer.layers[0]
    faults = []
    for number in range(kills):
        image.data[0, 0, 0] = number  # else the run before is remembered
        for z in range(slices):
            image.data[z, 0, :2] = number
        faults.append(kill_once(desk, chance.uniform(0, 3 * whole), slices))
    if "torch" in sys.modules:
        faults.append("torch was imported by napari's process")
    desk.viewer.close()
    desk.events()
    time.sleep(0.5)
    lasting = ("ThreadPoolExecutor", "zarr", "asyncio", "Dummy", "QtThread")  # of libraries
    new = [t.name for t in set(threading.enumerate()) - threads if not t.name.startswith(lasting)]
    left = [
        " ".join(child.cmdline())
        for child in set(psutil.Process().children(recursive=True)) - children
        if "resource_tracker" not in " ".join(child.cmdline())
    ]
    faults += [f"thread left: {name}" for name in new]
    faults += [f"process left: {name}" for name in left]
    faults += [f"shared memory left: {name}" for name in shared_memory() - blocks]
    print(
        f"  left: {len(new)} threads, {len(left)} processes, "
        f"{len(shared_memory() - blocks)} blocks of shared memory"
    )
    return [fault for fault in faults if fault]


def kill_napari(chance: random.Random, *, tracker_too: bool) -> tuple[float, list[str]]:
    """Kill a napari in mid-run; return the seconds its worker lived on, and faults."""
    blocks = shared_memory()
    victim = subprocess.Popen([sys.executable, __file__, "--victim"], stdout=subprocess.PIPE)
    assert victim.stdout is not None
    worker = psutil.Process(int(victim.stdout.readline()))
    time.sleep(chance.uniform(0, 1.5))
    others = psutil.Process(victim.pid).children(recursive=True)
    if tracker_too:
        for child in others:
            if child != worker:
                child.kill()
    victim.send_signal(signal.SIGKILL)
    began = time.monotonic()
    while is_alive(worker) and time.monotonic() - began < 10:
        time.sleep(0.01)
    seconds = time.monotonic() - began
    victim.communicate()
    time.sleep(0.3)
    faults = [] if seconds < 2 else [f"the worker lived on for {seconds:.1f} s"]
    faults += [f"shared memory left: {name}" for name in shared_memory() - blocks]
    return seconds, faults


def is_alive(process: psutil.Process) -> bool:
    """Whether a process runs; one that nobody has asked after yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def be_the_victim() -> None:
    """Begin a long run, say who the worker is once slices come, and go on."""
    desk = open_desk(400)
    desk.segment()
    desk.wait(lambda: bool(desk.find("progress").value()))
    print(desk.panel.form.worker_pid, flush=True)
    desk.wait(lambda: not desk.running)


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--slices", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--victim", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.victim:
        be_the_victim()
        return 0
    chance = random.Random(options.seed)
    faults = survive_kills(options.kills, options.slices, chance)
    for tracker_too in (False, True):
        seconds, more = kill_napari(chance, tracker_too=tracker_too)
        faults += more
        what = "napari and the resource tracker" if tracker_too else "napari"
        print(f"{what} killed: the worker was gone after {seconds:.2f} s {' '.join(more)}")
    print(f"{options.kills} kills, {len(faults)} faults" + "".join(f"\n  {f}" for f in faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
