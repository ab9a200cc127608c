"""Peak memory against the depth of the stack: files, zarr and dask, command line and panel.

    xvfb-run -a python benchmarks/memory.py [--full] [--inputs tiff zarr dask]
        [--ways tif zarr panel]

Each case is a process of its own that segments a stack of slices into labels; then another
one does a stack 16 times as deep. The figure is the sum, over the processes of a case, of
the largest resident memory that the kernel has counted for them (Linux: VmHWM; elsewhere
what is seen 20 times a second). Files lie in a temporary folder and are removed.

``tif`` and ``zarr`` are the command line's two outputs (of a dask array, which has no
file, the same run as a script); ``panel`` is a real window and its worker process.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import tifffile
import zarr
from desk import Desk, blobs, write_model

TIMES = 16


@dataclass(frozen=True)
class Size:
    """Slices of ``side`` x ``side`` float32 pixels; the stack's depth."""

    depth: int
    side: int

    @property
    def mib(self) -> int:
        """Size of the stack."""
        return self.depth * self.side**2 * 4 >> 20


def write_stack(path: Path, size: Size) -> None:
    """Write a TIFF (uncompressed) or a zarr array (one slice a chunk), slice by slice."""
    slices = blobs(size.depth, size.side)
    if path.suffix == ".tif":
        with tifffile.TiffWriter(path, bigtiff=True) as file:
            for plane in slices:
                file.write(plane, contiguous=True)
        return
    shape, chunks = (size.depth, size.side, size.side), (1, size.side, size.side)
    array = zarr.create_array(path, shape=shape, chunks=chunks, dtype="float32")
    for z, plane in enumerate(slices):
        array[z] = plane


def input_path(folder: Path, kind: str) -> Path:
    """Where the stack of a kind lies."""
    return folder / ("stack.tif" if kind == "tiff" else "stack.zarr")


def open_stack(folder: Path, kind: str) -> Any:
    """Open the array as a script would."""
    array: Any = zarr.open_array(input_path(folder, kind), mode="r")
    if kind == "dask":
        import dask.array as da

        return da.from_zarr(array) * np.float32(0.5)
    return array


def run_panel(folder: Path, kind: str) -> None:
    """Segment in a window."""
    desk = Desk(patience=3600)
    if kind == "tiff":
        desk.viewer.open(input_path(folder, kind), plugin="napari-slicewise")
    else:
        desk.viewer.add_image(open_stack(folder, kind), contrast_limits=(0, 1))
    desk.choose_model(folder / "random.safetensors")
    desk.run()
    print(type(desk.viewer.layers[-1].data).__module__, desk.find("status").text(), flush=True)
    print("PEAK", largest_resident(psutil.Process()), flush=True)
    desk.viewer.close()


def run_script(folder: Path, kind: str, out: Path) -> None:
    """Segment without a window: a file by the command line, an array by a script."""
    model = folder / "random.safetensors"
    if kind == "tiff":
        from napari_slicewise.cli import main as slicewise

        command = ["segment", str(input_path(folder, kind)), "-o", str(out), "--model", str(model)]
        print("exit code", slicewise(command), flush=True)
    else:
        from napari_slicewise.api import SegmentRun, load_model
        from napari_slicewise.inference.request import Request
        from napari_slicewise.io.image_info import Axis
        from napari_slicewise.io.outputs import open_writer
        from napari_slicewise.io.picture import Picture
        from napari_slicewise.io.source import ArraySource

        source = ArraySource(open_stack(folder, kind))
        sizes = (*source.leading_shape, *source.slice_shape)
        axes = tuple(Axis(name, size) for name, size in zip("zyx", sizes, strict=True))
        request = Request(str(model), tuple(source.indices()))
        with open_writer(out, Picture(axes), "uint32") as file:
            for result in SegmentRun(request, source, load_model(str(model))):
                file.write(result.index, result.values)
    print("PEAK", largest_resident(psutil.Process()), flush=True)


def largest_resident(process: psutil.Process) -> int:
    """Sum the largest resident memory of a process and its children, in bytes."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            status = Path(f"/proc/{one.pid}/status").read_text("ascii")
            (line,) = (text for text in status.splitlines() if text.startswith("VmHWM:"))
            total += int(line.split()[1]) * 1024
        except (OSError, ValueError, psutil.Error):
            continue
    return total


def measure(folder: Path, kind: str, way: str) -> tuple[int, float]:
    """Run one case in a process of its own; return bytes and seconds."""
    command = [sys.executable, __file__, "--case", str(folder), kind, way]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        lines = list(child.stdout or ())
    if child.returncode:
        raise RuntimeError(f"{kind} {way} ended with {child.returncode}: {''.join(lines)}")
    print(f"    {kind}, {way}: {' '.join(line.strip() for line in lines)}", file=sys.stderr)
    (peak,) = (int(line.split()[1]) for line in lines if line.startswith("PEAK "))
    return peak, time.monotonic() - began


def peaks(
    size: Size, inputs: list[str], ways: list[str]
) -> dict[tuple[str, str], tuple[int, float]]:
    """Measure each case on a stack of a size, the files removed afterwards."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="slicewise-memory-") as name:
        folder = Path(name)
        write_model(folder / "random.safetensors", 2, next(blobs(1, size.side)))
        for kind in inputs:
            path = input_path(folder, kind)
            if not path.exists():
                write_stack(path, size)
            for way in ways:
                found[kind, way] = measure(folder, kind, way)
    return found


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="up to 8 GiB instead of 1 GiB")
    parser.add_argument("--inputs", nargs="+", default=["tiff", "zarr", "dask"])
    parser.add_argument("--ways", nargs="+", default=["tif", "zarr", "panel"])
    parser.add_argument("--case", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        folder, kind, way = Path(options.case[0]), *options.case[1:]
        if way == "panel":
            run_panel(folder, kind)
        else:
            run_script(folder, kind, folder / f"labels-{kind}.ome.{way}")
        return 0
    shallow = Size(128, 1024) if options.full else Size(64, 512)
    deep = Size(TIMES * shallow.depth, shallow.side)
    small = peaks(shallow, options.inputs, options.ways)
    large = peaks(deep, options.inputs, options.ways)
    print(
        f"Slices of {shallow.side} x {shallow.side} float32; peak of resident memory\n\n"
        f"| input | way | {shallow.mib} MiB | {deep.mib} MiB | ratio | seconds |\n"
        "| --- | --- | --- | --- | --- | --- |"
    )
    for key, (before, _) in small.items():
        after, seconds = large[key]
        cells = (*key, f"{before / 2**20:.0f} MiB", f"{after / 2**20:.0f} MiB")
        print(f"| {' | '.join(cells)} | {after / before:.2f} | {seconds:.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
