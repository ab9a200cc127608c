"""Labels in memory when they fit, on disk when not, and gone afterwards."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_slicewise.io.label_store import create_labels, memory_budget


def test_small_labels_are_numpy() -> None:
    labels = create_labels((3, 4, 5), np.uint16)
    assert isinstance(labels, np.ndarray)
    assert labels.dtype == np.uint16
    assert not labels.any()


def test_large_labels_are_on_disk_a_slice_a_chunk_and_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    labels = create_labels((6, 40, 50), np.uint32, budget=1000)
    assert labels.chunks == (1, 40, 50)
    labels[2, 3:5, 4:6] = 7
    assert labels[2].sum() == 28
    assert len(list(tmp_path.iterdir())) == 1
    del labels
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_the_budget_is_bounded() -> None:
    assert 0 < memory_budget() <= 2 << 30


def test_the_budget_is_an_eighth_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_slicewise.io.label_store.available_memory", lambda: 8000)
    assert memory_budget() == 1000
    assert isinstance(create_labels((10, 10, 10), np.uint8), np.ndarray)
    assert not isinstance(create_labels((11, 10, 10), np.uint8), np.ndarray)


def test_labels_of_killed_programs_are_removed_and_those_of_living_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = f"""
import os, tempfile
tempfile.tempdir = {str(tmp_path)!r}
from napari_slicewise.io.label_store import create_labels
labels = create_labels((6, 40, 50), "uint32", budget=1000)
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    (stale,) = tmp_path.iterdir()
    strange = tmp_path / "slicewise-labels-without-a-lock"
    strange.mkdir()
    first = create_labels((6, 40, 50), budget=1000)
    assert not stale.exists()
    first[1] = 3
    second = create_labels((6, 40, 50), budget=1000)
    assert int(first[1].max()) == 3
    assert len(list(tmp_path.iterdir())) == 3
    del first, second
    gc.collect()
    assert list(tmp_path.iterdir()) == [strange]
