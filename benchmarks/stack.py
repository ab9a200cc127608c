"""How long a stack takes, file read to labels written, beside the loop of a tutorial.

    python benchmarks/stack.py [--filters 16] [--slices 16] [--side 512] [--rounds 3]

Every contestant has the same weights (random, batch norm that has seen data), reads the
same TIFF and writes the same kind of file. They run in turns, in one process, so that a
machine whose speed drifts slows all of them; the table gives medians of the ratios of
each round, with their range. The tutorial's loop: eager float32, one slice at a time,
threshold.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
import torch

from napari_slicewise.api import SegmentRun, read_image
from napari_slicewise.inference.device import LocalDevices
from napari_slicewise.inference.loading import LoadedModel, load_model_file
from napari_slicewise.inference.openvino_backend import openvino_version
from napari_slicewise.inference.request import Engine, Precision, Request
from napari_slicewise.io.tiff_writer import LabelsWriter
from napari_slicewise.models.checkpoint import write_checkpoint
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.unet import UNet

Contestant = Callable[[Path, Path], None]


class FixedEngine(LocalDevices):
    """The processor, with the engine that is to be measured."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def engine(self, _device: str, _precision: Precision) -> Engine:
        """Return the engine under test."""
        return self._engine


def make_model(folder: Path, filters: int) -> LoadedModel:
    """Write and load a tutorial network with random weights."""
    torch.manual_seed(0)
    network = UNet(in_channels=1, out_channels=1, first_filters=filters)
    with torch.no_grad():
        for _ in range(2):
            network(torch.randn(2, 1, 64, 64))
    spec = ModelSpec("random", first_filters=filters, normalization="divide_by_255")
    write_checkpoint(folder / "random.safetensors", network.state_dict(), spec)
    return load_model_file(folder / "random.safetensors")


def tutorial(model: LoadedModel) -> Contestant:
    """Return the loop that a tutorial would write."""
    network = model.network

    def run(image: Path, out: Path) -> None:
        stack = tifffile.imread(image)
        masks = np.zeros(stack.shape, np.uint8)
        with torch.no_grad():
            for z, plane in enumerate(stack):
                tensor = torch.from_numpy(plane.astype(np.float32) / 255)[None, None]
                masks[z] = (torch.sigmoid(network(tensor))[0, 0] > 0.5).numpy()
        tifffile.imwrite(out, masks, compression="zlib")

    return run


def ours(model: LoadedModel, engine: Engine, precision: Precision) -> Contestant:
    """Return our engine, as ``slicewise segment --output classes`` runs it."""

    def run(image: Path, out: Path) -> None:
        with read_image(image) as opened:
            source = opened.source()
            request = Request(
                "random", tuple(source.indices()), output="classes", precision=precision
            )
            run = SegmentRun(request, source, model, FixedEngine(engine))
            with LabelsWriter(out, opened.info.axes, np.uint8) as writer:
                for result in run:
                    writer.write(result.index, result.values)

    return run


def measure(contestants: dict[str, Contestant], image: Path, rounds: int) -> dict[str, list[float]]:
    """Run all contestants in turns; seconds of each round, the first round not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, run in contestants.items():
            began = time.perf_counter()
            run(image, image.with_name("out.tif"))
            if number:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def table(seconds: dict[str, list[float]], slices: int) -> str:
    """Format a Markdown table; the first contestant is what the others are compared with."""
    base = next(iter(seconds.values()))
    lines = ["| | s a slice | times the tutorial's speed |", "| --- | --- | --- |"]
    for name, times in seconds.items():
        ratios = [slow / fast for slow, fast in zip(base, times, strict=True)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        median = statistics.median(times) / slices
        lines.append(f"| {name} | {median:.3f} | {statistics.median(ratios):.2f} ({spread}) |")
    return "\n".join(lines)


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--slices", type=int, default=16)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = make_model(Path(folder), options.filters)
        image = Path(folder) / "stack.tif"
        shape = (options.slices, options.side, options.side)
        tifffile.imwrite(image, np.random.default_rng(0).integers(0, 255, shape, np.uint8))
        contestants = {
            "tutorial's loop (torch, float32)": tutorial(model),
            "torch, float32": ours(load_copy(model), "torch", "float32"),
            "torch, bfloat16": ours(load_copy(model), "torch", "bfloat16"),
        }
        if openvino_version() is not None:
            for precision in ("float32", "bfloat16"):
                name = f"OpenVINO, {precision}"
                contestants[name] = ours(load_copy(model), "OpenVINO", precision)
        seconds = measure(contestants, image, options.rounds)
    threads = torch.get_num_threads()
    print(f"{options.filters} first filters, {shape} uint8, {threads} threads\n")
    print(table(seconds, options.slices))
    return 0


def load_copy(model: LoadedModel) -> LoadedModel:
    """Load the model again, so that each contestant keeps its own prepared network."""
    return load_model_file(model.path)


if __name__ == "__main__":
    sys.exit(main())
