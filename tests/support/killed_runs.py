"""Real runs of the command line in processes of their own, to be killed at a chosen moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from scipy.ndimage import gaussian_filter
from support.random_models import write_random_model

from napari_slicewise.io.kept_draft import draft_place
from napari_slicewise.io.run_record import RunRecord

TELLING = """
from napari_slicewise import cli
from napari_slicewise.io.kept_draft import KeptDraft
note = KeptDraft.note
def note_and_tell(self, entry):
    note(self, entry)
    if "index" in entry or "local" in entry:
        print("finished", flush=True)
KeptDraft.note = note_and_tell
if __name__ == "__main__":
    raise SystemExit(cli.main())
"""
NO_MATTER = ("date", "seconds_a_slice")


def write_stack(path: Path, *shape: int, axes: str = "ZYX") -> Path:
    """Write blobs that reach through a few slices."""
    noise = np.random.default_rng(1).normal(size=shape)
    blobs = gaussian_filter(noise, (0, 1.5, 4, 4)[-len(shape) :])
    scaled = (blobs - blobs.min()) / (blobs.max() - blobs.min()) * 4000
    tifffile.imwrite(path, scaled.astype(np.uint16), imagej=True, metadata={"axes": axes})
    return path


def write_model(path: Path) -> Path:
    """Write a random network with a threshold at which it finds objects in such a stack."""
    return write_random_model(path, threshold=0.4316)


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start ``slicewise segment``; it says each finished slice on its standard output."""
    return subprocess.Popen(
        [sys.executable, "-c", TELLING, "segment", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_slices(process: subprocess.Popen[str], count: int) -> None:
    """Wait until so many slices are finished, or the process has ended."""
    assert process.stdout is not None
    for line in process.stdout:
        count -= line.startswith("finished")
        if not count:
            return


def finished_in(out: Path) -> set[tuple[int, ...]]:
    """Return the slices that the draft of an interrupted run says it has finished."""
    entries = RunRecord(draft_place(out) / "record.jsonl").read()
    return {tuple(entry["index"]) for entry in entries if "index" in entry}


def chunk_times(store: Path) -> dict[str, int]:
    """Return when each chunk was written, in ns, by its name within the store."""
    files = (path for path in store.rglob("*") if path.is_file() and "c" in path.parts)
    chunks = (path for path in files if path.suffix != ".partial")  # left by a kill
    return {str(path.relative_to(store)): path.stat().st_mtime_ns for path in chunks}


def assert_same_result(one: Path, other: Path) -> None:
    """Hold arrays, metadata and the list of files of two stores against each other."""
    files = [
        sorted(str(p.relative_to(store)) for p in store.rglob("*") if p.is_file())
        for store in (one, other)
    ]
    assert files[0] == files[1]
    groups = [zarr.open_group(str(store), mode="r") for store in (one, other)]
    for name in groups[0].array_keys():
        np.testing.assert_array_equal(groups[0][name][...], groups[1][name][...])
    assert without_dates(groups[0].attrs) == without_dates(groups[1].attrs)


def without_dates(attributes: Any) -> dict[str, Any]:
    """Return metadata without what differs from run to run."""
    found = dict(attributes)
    notes = dict(found["napari-slicewise"])
    provenance = notes["provenance"]
    notes["provenance"] = {k: v for k, v in provenance.items() if k not in NO_MATTER}
    return {**found, "napari-slicewise": notes}
