"""Damage TIFF files at random, and see whether the reader stays calm.

    python scripts/fuzz_tiff.py FOLDER [--mutations 5000] [--files 40] [--seed 2026] [--keep DIR]

Headers, tags, offsets, sizes, pixels, descriptions (OME-XML, ImageJ) are changed, or the end is
cut off. Each mutation is opened and read in a process of its own, which may use 10 seconds and
2 GiB of address space: a limit that the kernel holds before memory is touched, and no smaller
than the memory itself. The processes are forked from one that has everything imported.

A mutation fails when its process crashes or hangs, when anything but an ImageError comes, or when
the layers have another shape than the undamaged file's and neither a warning nor the damaged file's
own headers say so. Failures are listed with their numbers and kept in --keep; the last line gives
the seed and the counts, the status is 1 when there is a failure.
"""

from __future__ import annotations

import argparse
import os
import pickle
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask
import dask.array
import numpy as np
from tiff_mutations import Layout, lay_out, mutate

from napari_slicewise.errors import ImageError
from napari_slicewise.io.image_info import ImageWarning
from napari_slicewise.io.tiff_reader import read_layers

ENDINGS = (".tif", ".tiff", ".lsm", ".stk", ".svs", ".ndpi", ".btf")
LARGEST_FILE = 8 << 20
READ_WHOLE = 64 << 20  # bytes of a layer; of a larger one, three planes are read

Shapes = list[tuple[tuple[int, ...], str]]


@dataclass
class Outcome:
    """How the reader took one file."""

    what: str
    said: str = ""
    shapes: Shapes = field(default_factory=list)
    warned: bool = False
    peak_mib: int = 0


@dataclass
class Limits:
    """What a process may use."""

    seconds: float
    bytes: int


def open_and_read(path: Path) -> Outcome:
    """Open a file as napari would, and read its pixels."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            layers = read_layers(path)
            for data, options, _ in layers:
                for level in data if options.get("multiscale") else [data]:
                    read(level)
        except ImageError as error:
            return Outcome("refused", str(error))
        except Exception as error:  # noqa: BLE001 (to find these is what this script is for)
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            return Outcome("obscure", f"{type(error).__name__}: {str(error)[:90]} ({where})")
    first = [data[0] if options.get("multiscale") else data for data, options, _ in layers]
    shapes = [(tuple(map(int, level.shape)), str(level.dtype)) for level in first]
    ours = any(issubclass(warning.category, ImageWarning) for warning in caught)
    return Outcome("opened", "", shapes, ours)


def read(level: Any) -> None:
    """Read all of an array, or three planes of a large one; shapes must be what was promised."""
    if level.nbytes <= READ_WHOLE:
        if np.asarray(level).shape != tuple(level.shape):
            raise ValueError(f"promised {level.shape}, came as {np.asarray(level).shape}")
        return
    lead = level.shape[:-3] if level.shape[-1] <= 4 else level.shape[:-2]
    for index in {(0,) * len(lead), tuple(n // 2 for n in lead), tuple(n - 1 for n in lead)}:
        part = (*index, slice(0, 2048), slice(0, 2048))
        np.asarray(level[part])


def peak_kib() -> int:
    """Return the most memory that this process has held (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def in_child(path: Path, limits: Limits) -> Outcome:
    """Open a file in a forked process, and end that when its time is over."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        resource.setrlimit(resource.RLIMIT_AS, (limits.bytes, limits.bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        dask.config.set(pool=ThreadPoolExecutor(2))  # the parent's threads were not forked
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        before = peak_kib()
        outcome = open_and_read(path)
        outcome.peak_mib = (peak_kib() - before) >> 10
        os.write(theirs, pickle.dumps(outcome))
        os._exit(0)
    os.close(theirs)
    try:
        ready, _, _ = select.select([ours], [], [], limits.seconds)
        if not ready:
            os.kill(child, signal.SIGKILL)
        with os.fdopen(ours, "rb") as pipe:
            told = pipe.read()
    finally:
        _, status = os.waitpid(child, 0)
    if not ready:
        return Outcome("hang", f"more than {limits.seconds:g} s")
    return pickle.loads(told) if told else Outcome("crash", f"status {status}")


def judge(found: Outcome, whole: Outcome, was: Layout, data: bytes) -> Outcome:
    """Call it a wrong shape where nobody says why the shape is another than the whole file's."""
    if found.what != "opened" or found.warned or found.shapes == whole.shapes:
        return found
    now = lay_out(data)
    values = [sum(int(np.prod(shape)) for shape, _ in each.shapes) for each in (found, whole)]
    if now.broken and not was.broken:
        return Outcome("wrong shape", f"{found.shapes} after a broken chain of pages")
    if now.pages == was.pages and values[0] < values[1]:
        return Outcome("wrong shape", f"{found.shapes} instead of {whole.shapes}")
    sides = {page[:2] for page in now.pages}
    for shape, _ in found.shapes:
        pairs = {shape[-2:], shape[-3:-1]}
        if not pairs & sides:
            return Outcome("wrong shape", f"{shape}, no page has that size")
    return found


def chosen_files(folder: Path, count: int, rng: random.Random) -> list[Path]:
    """Choose files, the folders in turns, so that many makers are among them."""
    folders: dict[Path, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in ENDINGS and 0 < path.stat().st_size <= LARGEST_FILE:
            folders.setdefault(path.parent, []).append(path)
    for files in folders.values():
        rng.shuffle(files)
    turns: list[Path] = []
    while any(folders.values()):
        turns += [files.pop() for files in folders.values() if files]
    return turns[: 3 * count]


def readable(files: list[Path], count: int, limits: Limits) -> dict[Path, Outcome]:
    """Open the undamaged files; keep those that open, in a child first, then here.

    Here it loads the decoders once, so that no child has to.
    """
    kept: dict[Path, Outcome] = {}
    for path in files:
        outcome = in_child(path, limits)
        if outcome.what == "opened" and len(kept) < count:
            kept[path] = open_and_read(path)
    return kept


def beside_its_set(source: Path, folder: Path) -> Path:
    """Return a copy of a file among copies of the files beside it, which may belong to it."""
    home = folder / str(abs(hash(source.parent)))
    if not home.exists():
        home.mkdir()
        for path in source.parent.iterdir():
            if path.is_file():
                shutil.copy(path, home)
    return home / source.name


def run(options: argparse.Namespace) -> int:
    """Mutate and open; return the number of failures."""
    rng = random.Random(options.seed)  # repeatable
    limits = Limits(options.seconds, int(options.gib * 2**30))
    files = readable(chosen_files(options.folder, options.files, rng), options.files, limits)
    names = list(files)
    counts: Counter[str] = Counter()
    slowest, largest, began = 0.0, 0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.mutations):
            source = names[number % len(names)]
            whole = source.read_bytes()
            kind, data = mutate(whole, random.Random(f"{options.seed}/{number}"))
            place = beside_its_set(source, Path(folder))
            place.write_bytes(data)
            start = time.monotonic()
            outcome = judge(in_child(place, limits), files[source], lay_out(whole), data)
            slowest = max(slowest, time.monotonic() - start)
            largest = max(largest, outcome.peak_mib)
            place.write_bytes(whole)  # as a member of its set it must be whole again
            counts[outcome.what] += 1
            if outcome.what not in ("opened", "refused"):
                print(f"{number} {kind} {source.name}: {outcome.what}: {outcome.said}", flush=True)
                if options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    (options.keep / f"{number}-{source.name}").write_bytes(data)
    failures = options.mutations - counts["opened"] - counts["refused"]
    told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    print(
        f"seed {options.seed}: {options.mutations} mutations of {len(names)} files in "
        f"{time.monotonic() - began:.0f} s: {told}; slowest {slowest:.1f} s, "
        f"largest growth {largest} MiB; {failures} failures"
    )
    return failures


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mutations", type=int, default=5000)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--gib", type=float, default=2)
    parser.add_argument("--keep", type=Path, help="folder for the mutations that failed")
    return 1 if run(parser.parse_args()) else 0


if __name__ == "__main__":
    sys.exit(main())
