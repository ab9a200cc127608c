"""What workers cost or gain: two of one thread each beside one process of one thread.

    python benchmarks/cluster.py [--slices 48] [--side 512] [--rounds 3] [--workers 2]

Both run the bundled model through the command line, from a zarr image to a zarr result,
in turns, in processes of their own that are held to as many processors as they have
threads (Linux). "whole" is the command from its start to its end; "run" is without what
starting costs once: imports, the model, the workers. It also says whether both results
are the same.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import zarr

from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.outputs import write_picture
from napari_slicewise.io.picture import Picture

START = "from napari_slicewise import cli\nif __name__ == '__main__': raise SystemExit(cli.main())"


def write_image(path: Path, slices: int, side: int) -> None:
    """Write a stack of drawn nuclei."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side]
    plane = np.full((side, side), 100.0)
    for y, x in rng.uniform(0, side, (side * side // 4000, 2)):
        near = np.s_[max(0, int(y) - 20) : int(y) + 20, max(0, int(x) - 20) : int(x) + 20]
        distance = np.hypot(rows[near] - y, columns[near] - x)
        plane[near] += 900 / (1 + np.exp((distance - 10) / 1.2))
    stack = rng.poisson(np.broadcast_to(plane, (slices, side, side))).astype(np.uint16)
    write_picture(
        path, stack, Picture((Axis("z", slices), Axis("y", side), Axis("x", side)), "image")
    )


def run(image: Path, out: Path, processors: int, *options: str) -> tuple[float, float]:
    """Run the command; seconds in all, and those it gives for the run itself."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    held = [] if sys.platform != "linux" else ["taskset", "-c", f"0-{processors - 1}"]
    command = [*held, sys.executable, "-c", START, "segment", image, "-o", out, *options]
    began = time.perf_counter()
    done = subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, check=True
    )
    seconds = re.search(r"in ([\d.]+) s on", done.stdout)
    assert seconds is not None
    return time.perf_counter() - began, float(seconds[1])


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=48)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    ratios: dict[str, list[float]] = {"whole": [], "run": []}
    with tempfile.TemporaryDirectory() as folder:
        image, one, many = (Path(folder) / name for name in ("in.zarr", "one.zarr", "many.zarr"))
        write_image(image, options.slices, options.side)
        workers = ("--workers", str(options.workers), "--threads", "1")
        for _ in range(options.rounds):
            alone = run(image, one, 1)
            together = run(image, many, options.workers, *workers)
            for name, slow, fast in zip(ratios, alone, together, strict=True):
                ratios[name].append(slow / fast)
            print(f"one process {alone[0]:.1f} s, run {alone[1]:.1f} s; ", end="")
            print(f"workers {together[0]:.1f} s, run {together[1]:.1f} s", flush=True)
        labels = [zarr.open_array(str(out / "0"), mode="r")[...] for out in (one, many)]
    same = "the same" if np.array_equal(*labels) else "NOT the same"
    shape = f"{options.slices} x {options.side} x {options.side}"
    print(f"\n{shape}, {options.workers} workers of one thread against one process of one:")
    for name, values in ratios.items():
        spread = f"{min(values):.2f} to {max(values):.2f}"
        print(f"  {name}: {statistics.median(values):.2f} times as fast ({spread})")
    print(f"  labels: {same}, {labels[0].max()} objects")
    return 0


if __name__ == "__main__":
    sys.exit(main())
