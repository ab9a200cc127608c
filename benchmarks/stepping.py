"""What a plane of a long stack costs, beside bare reads of pages with tifffile.

    python benchmarks/stepping.py [--planes 100] [--rounds 5]

Random planes of stacks that are written first; the file is in the system's cache. Three ways
in turns: tifffile with the file open, the lazy array of ``read_image``, and the array that the
layer holds, indexed as napari does it. The table gives milliseconds a plane, the best of the
rounds, and ratios to tifffile.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_slicewise.io.tiff_reader import open_image, read_layers

STACKS = (
    ("2000 x 256 x 256", (2000, 256, 256), None),
    ("500 x 512 x 512", (500, 512, 512), None),
    ("60 x 1024 x 1024", (60, 1024, 1024), None),
    ("1000 x 128 x 128, zlib", (1000, 128, 128), "zlib"),
    ("60 x 1024 x 1024, zlib", (60, 1024, 1024), "zlib"),
)


def write_stack(path: Path, shape: tuple[int, ...], compression: str | None) -> None:
    """Write noise, each plane with a header of its own."""
    rng = np.random.default_rng(0)
    with tifffile.TiffWriter(path) as tif:
        for _ in range(shape[0]):
            plane = rng.integers(0, 200, shape[1:]).astype(np.uint16)
            tif.write(plane, contiguous=False, metadata=None, compression=compression)


def milliseconds(read: Callable[[int], Any], planes: list[int]) -> float:
    """Return the mean time of a read."""
    began = time.perf_counter()
    for plane in planes:
        read(plane)
    return (time.perf_counter() - began) / len(planes) * 1e3


def measure(path: Path, planes: list[int], rounds: int) -> list[float]:
    """Return the best time of each of the three ways."""
    lazy, layer = open_image(path).data, read_layers(path)[0][0]
    with tifffile.TiffFile(path) as tif:
        ways: list[Callable[[int], Any]] = [
            lambda plane: tif.pages[plane].asarray(),
            lambda plane: lazy[plane],
            lambda plane: np.asarray(layer[plane, :, :]),
        ]
        times = [[milliseconds(way, planes) for way in ways] for _ in range(rounds)]
    return [min(column) for column in zip(*times, strict=True)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print("| stack, 16 bits | tifffile | read_image | layer |\n| --- | --- | --- | --- |")
    for title, shape, compression in STACKS:
        rng = np.random.default_rng(1)
        planes = [int(plane) for plane in rng.integers(0, shape[0], options.planes)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "stack.tif"
            write_stack(path, shape, compression)
            bare, lazy, layer = measure(path, planes, options.rounds)
        print(
            f"| {title} | {bare:.2f} ms | {lazy:.2f} ms ({lazy / bare:.2f}) "
            f"| {layer:.2f} ms ({layer / bare:.1f}) |",
            flush=True,
        )


if __name__ == "__main__":
    main()
