"""How long a stack takes, file read to labels written, beside the loop of a tutorial.

    python benchmarks/stack.py [--filters 16] [--slices 32] [--side 512] [--rounds 5]
                               [--without-peers] [--out TABLE.md] [--plot PLOT.png]

Every contestant has the same weights, reads the same TIFF and writes the same kind of
file. They run in turns, in one process, so that a machine whose speed drifts slows all of
them; the table gives medians of the ratios of each round, with their range. The first
round is not counted: what it takes longer is the column "made ready". Each turn has a thread
of its own, with which its OpenMP threads end: libgomp stops spinning when the pools of
several threads together outnumber the cores, and slows whoever comes later. "Bare" is the
prepared network alone, on one slice in memory, as often as there are slices.

The weights are those of the bundled nuclei model, with 16 first filters. With 32 or 64
each filter stands 2 or 4 times and counts a half or a quarter (Net2WiderNet, Chen et al.
2016, arXiv:1511.05641): the same function in a larger network, so that the check of int8
means what it means for a real model. The image is drawn: discs, blurred, with noise.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="slicewise-benchmark-")  # nothing is ready

import stack_contestants
import stack_peers
import stack_report
import tifffile
import torch
from stack_contestants import Contestant

from napari_slicewise.inference.openvino_backend import openvino_version
from napari_slicewise.inference.quantization import can_quantize

TUTORIAL = "tutorial's loop (torch, float32)"


def contestants(options: argparse.Namespace, folder: Path) -> tuple[dict[str, Contestant], str]:
    """Return everyone who takes part, by name, and who is missing, in words."""
    load = lambda: stack_contestants.make_model(folder, options.filters)  # noqa: E731
    found = {TUTORIAL: stack_contestants.tutorial(load())}
    kinds = [("torch", "float32"), ("torch", "bfloat16")]
    if openvino_version() is not None:
        kinds += [("OpenVINO", "float32"), ("OpenVINO", "bfloat16")]
    if can_quantize():
        kinds.append(("OpenVINO", "int8"))
    for engine, precision in kinds:
        if options.only and f"{engine} {precision}" not in options.only:
            continue
        model = load()
        name = f"{engine} {precision}"
        found[name] = stack_contestants.ours(model, engine, precision)
        found[f"{name}, bare"] = stack_contestants.bare(model, engine, precision, options)
    missing = "" if can_quantize() else "OpenVINO or NNCF is not installed. "
    if not options.without_peers:
        for name, make in stack_peers.PEERS.items():
            try:
                found[name] = make(load(), folder)
            except (ImportError, ValueError) as error:  # not installed, or versions that clash
                missing += f"{name} is left out: {str(error).splitlines()[0]}. "
    return found, missing


def measure(
    found: dict[str, Contestant], image: Path, rounds: int
) -> tuple[dict[str, list[float]], dict[str, float], dict[str, float]]:
    """Run all in turns.

    Returns
    -------
    seconds, ready, differ
        Of each counted round; what the first one took longer; the share of the pixels
        that differ from the tutorial's result.
    """
    out = image.with_name("out.tif")
    expected = None
    differ: dict[str, float] = {}
    seconds: dict[str, list[float]] = {name: [] for name in found}
    first: dict[str, float] = {}
    for number in range(rounds + 1):
        for name, run in found.items():
            taken = _time_on_a_thread(run, image, out)
            if number:
                seconds[name].append(taken)
            else:
                first[name] = taken
                masks = tifffile.imread(out)
                expected = masks if expected is None else expected
                differ[name] = float((masks != expected).mean())
            print(f"round {number}: {name}: {taken:.2f} s", file=sys.stderr, flush=True)
    ready = {name: max(0.0, first[name] - statistics.median(seconds[name])) for name in found}
    return seconds, ready, differ


def _time_on_a_thread(run: Contestant, image: Path, out: Path) -> float:
    """Return how many seconds a turn took."""
    taken: list[float] = []

    def turn() -> None:
        began = time.perf_counter()
        run(image, out)
        taken.append(time.perf_counter() - began)

    thread = threading.Thread(target=turn)
    thread.start()
    thread.join()
    if not taken:
        raise SystemExit("a contestant failed, see above")
    return taken[0]


def main() -> int:
    """Run the benchmark."""
    options = _parse()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image = folder / "stack.tif"
        shape = (options.slices, options.side, options.side)
        # Without the photometric a stack of 3 or 4 slices would be taken for colours.
        tifffile.imwrite(image, stack_contestants.draw(shape), photometric="minisblack")
        found, missing = contestants(options, folder)
        seconds, ready, differ = measure(found, image, options.rounds)
    title = (
        f"{options.filters} first filters, {' x '.join(map(str, shape))} uint8, "
        f"{torch.get_num_threads()} threads, {options.rounds} rounds"
    )
    text = f"{title}\n\n{stack_report.table(seconds, ready, differ, options.slices)}\n"
    checks = stack_contestants.checks()
    text += f"\n{checks}\n" if checks else ""
    text += f"\n{missing.strip()}\n" if missing else ""
    print(text)
    if options.out:
        options.out.write_text(text, "utf-8")
    if options.plot:
        stack_report.plot(seconds, title, options.plot)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--filters", type=int, default=16, choices=(16, 32, 64))
    parser.add_argument("--slices", type=int, default=32)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--only", nargs="+", help='of ours, such as "OpenVINO int8"')
    parser.add_argument("--out", type=Path, help="file for the table")
    parser.add_argument("--plot", type=Path, help="file for the plot, .png")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
