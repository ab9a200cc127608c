"""napari is killed while somebody paints: nothing but the stroke under way is lost."""

from __future__ import annotations

import importlib.util
import sys

import pytest


@pytest.fixture
def benchmark(repository, monkeypatch):
    path = repository / "benchmarks" / "kill_editing.py"
    spec = importlib.util.spec_from_file_location("kill_editing", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "kill_editing", module)  # for its dataclass
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(sys.platform != "linux", reason="starts napari on a virtual screen")
def test_a_killed_napari_loses_at_most_the_action_under_way(benchmark, tmp_path):
    outcome = benchmark.kill_once(tmp_path, seed=3, longest_s=3.0)
    assert outcome.good, outcome
