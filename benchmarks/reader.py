"""What opening costs: very large files, very many pages, and a thousand times the same.

    python benchmarks/reader.py [--cycles 1000] [--folder DIR]

A sparse BigTIFF of 12 GB and a stack of 100,000 pages are written first (400 MB on the disk).
Each is opened in a fresh process, once to warm up and five times measured: the best time, and how
far the process's peak memory rose. Then small files of four kinds are opened, read and let go in
turns; open files, threads and memory are compared with those after the first fifty.
"""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import psutil
import tifffile

from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.outputs import write_picture
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.tiff_reader import read_layers

OPENING = """
import sys, time
import dask.array, numpy
from pathlib import Path
from napari_slicewise.io.tiff_reader import read_layers

def peak_mib():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

read_layers(sys.argv[2])
read_layers(sys.argv[1])
times = []
Path("/proc/self/clear_refs").write_text("5")
before = peak_mib()
for _ in range(5):
    began = time.perf_counter()
    data = read_layers(sys.argv[1])[0][0]
    times.append(time.perf_counter() - began)
numpy.asarray(data[len(data) // 2])
print(f"{min(times):.2f} s, peak memory +{peak_mib() - before:.0f} MiB, {data.shape} {data.dtype}")
"""


def write_large(path: Path) -> None:
    """Write 12 GB of nothing, which takes no room on the disk."""
    tifffile.imwrite(
        path, shape=(1431, 2048, 2048), dtype=np.uint16, bigtiff=True, photometric="minisblack"
    )


def write_many(path: Path) -> None:
    """Write 100,000 pages of 32 x 32 pixels, each with a header of its own."""
    plane = np.zeros((32, 32), np.uint16)
    with tifffile.TiffWriter(path, bigtiff=True) as tif:
        for number in range(100_000):
            plane[0, 0] = number % 65536
            tif.write(plane, contiguous=False, metadata=None)


def small_files(folder: Path) -> list[Path]:
    """Write a file of each kind that the cycles open."""
    axes = tuple(Axis(name, size) for name, size in zip("zyx", (4, 300, 300), strict=True))
    names = ("a.ome.tif", "b.tif", "c.ome.zarr")
    noise = np.random.default_rng(0).integers(0, 9, (4, 300, 300)).astype(np.uint16)
    paths = [write_picture(folder / name, noise, Picture(axes, "image")) for name in names]
    lazy = folder / "lazy.tif"  # above the size that is read at once
    tifffile.imwrite(lazy, np.zeros((40, 512, 512), np.uint16), photometric="minisblack")
    return [*paths, lazy]


def cycles(paths: list[Path], count: int) -> str:
    """Open, read and let go; return what is left."""
    process = psutil.Process()

    def held() -> tuple[int, int, float]:
        gc.collect()
        return process.num_fds(), process.num_threads(), process.memory_info().rss / 2**20

    before = held()
    for number in range(count):
        if number == 50:
            before = held()
        for data, _, _ in read_layers(paths[number % len(paths)]):
            np.asarray(data[1])
    after = held()
    files, threads, mib = (b - a for a, b in zip(before, after, strict=True))
    return f"{files:+} handles, {threads:+} threads, {mib:+.1f} MiB"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="where the large files go")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        folder = Path(place)
        small = small_files(folder)
        for title, write in (("12 GB, sparse BigTIFF", write_large), ("100,000 pages", write_many)):
            path = folder / "large.tif"
            write(path)
            command = [sys.executable, "-W", "ignore", "-c", OPENING, str(path), str(small[3])]
            print(f"{title}: {subprocess.check_output(command, text=True).strip()}", flush=True)
            path.unlink()
        print(f"{options.cycles} times opened and let go: {cycles(small, options.cycles)}")


if __name__ == "__main__":
    main()
