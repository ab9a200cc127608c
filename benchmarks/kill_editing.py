"""Kill napari while somebody paints, and see what the journal brings back.

    python benchmarks/kill_editing.py --kills 20

Each round starts ``napari`` as a process of its own on a virtual screen (Xvfb) with the panel
open. Mouse and key events go to its canvas: strokes, fills, Ctrl+Z. Before each action the
session notes what it begins, after it the labels as they are. At a random moment the process
gets ``kill -9``. What is restored must be the labels after the last finished action, or after
the one that was under way.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_slicewise.app.keeping_offers import find_offers, restore
from napari_slicewise.editing.identity import ImageIdentity
from napari_slicewise.io.source import ArraySource

SESSION = Path(__file__).with_name("kill_session.py")
SHAPE = (5, 160, 200)
PATIENCE_S = 90.0


@dataclass(frozen=True)
class Outcome:
    """What came back after one kill.

    Parameters
    ----------
    actions
        Actions that were finished.
    under_way
        What had begun; empty between two actions.
    result
        ``all``; ``all, and the action under way``; or what is wrong.
    """

    actions: int
    under_way: str
    result: str

    @property
    def good(self) -> bool:
        """Whether at most the action under way is missing."""
        return self.result.startswith("all")


def kill_once(folder: Path, seed: int, longest_s: float = 6.0) -> Outcome:
    """Start, kill, restore.

    Parameters
    ----------
    folder
        An empty folder for this round.
    seed
        Decides the actions and the moment.
    longest_s
        Latest moment of the kill after the first action, in seconds.
    """
    image = np.random.default_rng(7).integers(0, 4096, SHAPE, dtype=np.uint16)
    tifffile.imwrite(folder / "cells.tif", image, imagej=True, metadata={"axes": "ZYX"})
    notes = folder / "notes"
    notes.mkdir()
    environment = {
        **os.environ,
        "SLICEWISE_JOURNALS": str(folder / "journals"),
        "NAPARI_CONFIG": "",
        "XDG_CONFIG_HOME": str(folder / "config"),
        "KILL_FOLDER": str(folder),
        "KILL_SEED": str(seed),
    }
    screen = ["xvfb-run", "-a", "-s", "-screen 0 1400x900x24"]
    command = [*screen, sys.executable, "-m", "napari", str(SESSION)]
    log = (folder / "log.txt").open("w")
    process = subprocess.Popen(
        command, env=environment, stdout=log, stderr=log, start_new_session=True
    )
    try:
        _wait_for(notes / "1.npy", process, folder)
        time.sleep(random.Random(seed).uniform(0.0, longest_s))
        os.kill(int((notes / "pid").read_text()), signal.SIGKILL)
        process.wait(30)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)
        log.close()
    return _judge(folder, image)


def _wait_for(path: Path, process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while not path.exists():
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError((folder / "log.txt").read_text()[-3000:])
        time.sleep(0.05)


def _judge(folder: Path, image: np.ndarray[Any, Any]) -> Outcome:
    notes = folder / "notes"
    finished = max(int(path.stem) for path in notes.glob("*.npy"))
    begun = json.loads((notes / "begun.json").read_text())
    under_way = begun["kind"] if begun["number"] > finished else ""
    before = np.load(notes / f"{finished}.npy")
    identity = ImageIdentity.of(ArraySource(image))
    offers = find_offers([identity], folder / "journals").offers
    if len(offers) != 1:
        return Outcome(finished, under_way, f"{len(offers)} journals are offered")
    labels = restore(offers[0].info, identity).session.labels.data
    if np.array_equal(labels, before):
        return Outcome(finished, under_way, "all")
    differs = labels != before
    if under_way == "undo":
        earlier = np.load(notes / f"{begun['back_to']}.npy")
        also = np.array_equal(labels, earlier)
    else:
        also = bool(under_way) and bool((labels[differs] == begun["label"]).all())
    if also:
        return Outcome(finished, under_way, "all, and the action under way")
    lost = int(np.count_nonzero(differs))
    return Outcome(finished, under_way, f"{lost} voxels differ")


def main() -> int:
    """Print one line a kill, and the count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    good = 0
    print("| kill | actions finished | under way | restored |\n| --- | --- | --- | --- |")
    for number in range(options.kills):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            outcome = kill_once(Path(folder), options.seed + number)
        good += outcome.good
        way = outcome.under_way or "nothing"
        print(f"| {number + 1} | {outcome.actions} | {way} | {outcome.result} |", flush=True)
    print(f"{good} of {options.kills}: nothing but the action under way was lost")
    return 0 if good == options.kills else 1


if __name__ == "__main__":
    raise SystemExit(main())
