"""Time runs to OME-Zarr whose objects are numbered in order, and in rounds.

    python benchmarks/numbering.py STACK [--model NAME|FILE] [--runs N]

STACK is a TIFF z-stack. In order, each slice is written for good as soon as it is computed; all
objects are kept. In rounds, objects of one slice are left out, so that the slices wait in a work
array until all are there. Both ways are run in turn, in a process each; printed are the median
seconds of the whole command, their ratio, and the largest memory of the processes.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WAYS = {"in order": ("--least-slices", "1"), "in rounds": ("--least-slices", "2")}
TELLING = """
import resource, sys
from napari_slicewise.cli import main
status = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
raise SystemExit(status)
"""


def main() -> None:
    """Print a line for each way."""
    options = _parse()
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    memory = dict.fromkeys(WAYS, 0)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.runs):
            for name, more in WAYS.items():
                out = Path(folder) / f"{name} {number}.ome.zarr"
                command = ["segment", str(options.stack), "-o", str(out), "--quiet", *more]
                command += ["--model", options.model]
                begun = time.perf_counter()
                done = subprocess.run(
                    [sys.executable, "-c", TELLING, *command],
                    check=True,
                    capture_output=True,
                    text=True,
                )
                seconds[name].append(time.perf_counter() - begun)
                memory[name] = max(memory[name], int(done.stdout.split()[-1]) // 1024)
    middle = {name: statistics.median(found) for name, found in seconds.items()}
    for name, found in middle.items():
        print(f"{name:10s} {found:7.2f} s, {memory[name]} MiB")
    print(f"in rounds takes {middle['in rounds'] / middle['in order']:.2f} times as long")


def _parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stack", type=Path)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--runs", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
