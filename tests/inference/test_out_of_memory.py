"""Whatever engine runs out of memory: the same labels, by smaller steps that are listed."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from napari_slicewise.inference import quantization
from napari_slicewise.inference.device import LocalDevices, is_out_of_memory
from napari_slicewise.inference.loading import load_model_file
from napari_slicewise.inference.openvino_backend import openvino_version
from napari_slicewise.inference.quantization import can_quantize
from napari_slicewise.inference.request import Request
from napari_slicewise.inference.runner import Runner
from napari_slicewise.inference.stream import CancelToken
from napari_slicewise.io.source import ArraySource
from napari_slicewise.models.zoo import resolve_model

ENGINES = [
    ("torch", "float32"),
    ("torch", "bfloat16"),
    ("OpenVINO", "float32"),
    ("OpenVINO", "bfloat16"),
    ("OpenVINO", "int8"),
]


class FullDevice(LocalDevices):
    """A processor with one engine and room for so many input pixels."""

    def __init__(self, engine, pixels):
        self._engine, self._pixels = engine, pixels

    def engine(self, device, precision):  # noqa: ARG002 - the policy's signature
        return self._engine

    def before_batch(self, device, pixels):  # noqa: ARG002 - the policy's signature
        if pixels > self._pixels:
            raise torch.OutOfMemoryError(f"no room for {pixels} pixels")


def discs(slices=3, side=448):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    image = np.full((slices, side, side), 100.0)
    for z in range(slices):
        for cy, cx in rng.uniform(10, side - 10, (90, 2)):
            image[z][np.hypot(y - cy, x - cx) < rng.uniform(6, 10)] = rng.uniform(500, 900)
    return (image + rng.normal(0, 10, image.shape)).clip(0).astype(np.uint16)


def run(model, policy, precision):
    source = ArraySource(discs())
    request = Request("m", tuple(source.indices()), precision=precision, batch=2, tile=448)
    runner = Runner(request, source, model, policy, CancelToken())
    labels = np.stack([result.values for result in runner.results()])
    return labels, runner.report()


@pytest.mark.parametrize(("engine", "precision"), ENGINES)
def test_a_full_device_gives_the_same_labels(engine, precision, monkeypatch, tmp_path):
    if engine == "OpenVINO" and openvino_version() is None:
        pytest.skip("OpenVINO is not installed")
    if precision == "int8" and not can_quantize():
        pytest.skip("NNCF is not installed")
    monkeypatch.setattr(quantization, "cache_folder", lambda: tmp_path)
    model = load_model_file(resolve_model("nuclei"))
    whole, free = run(model, FullDevice(engine, 10**9), precision)
    small, full = run(model, FullDevice(engine, 400 * 400), precision)
    assert free.fallbacks == ()
    assert free.details["precision"] == full.details["precision"] == precision
    assert len(full.fallbacks) >= 2
    assert all(text.startswith("Not enough memory") for text in full.fallbacks)
    assert full.outcome == "completed"
    # A tile's border is in another place; only float32 hides that entirely.
    assert np.mean((whole > 0) != (small > 0)) < (1e-5 if precision == "float32" else 1e-3)
    assert abs(int(whole.max()) - int(small.max())) <= (0 if precision == "float32" else 2)


@pytest.mark.parametrize(
    "text",
    [
        "Exception from src/plugins/intel_cpu/src/node.cpp:794:\n"
        "[CPU] Concat node Check 'ptr' failed\nFailed to allocate 134217728 bytes of memory",
        "std::bad_alloc",
        "bad allocation",
    ],
)
def test_allocations_that_fail_in_openvino_are_recognised(text):
    assert is_out_of_memory(RuntimeError(text))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory as Linux does")
@pytest.mark.skipif(openvino_version() is None, reason="OpenVINO is not installed")
def test_openvino_goes_on_with_smaller_tiles_after_memory_really_ended(tmp_path):
    code = f"""
import resource
from pathlib import Path
import numpy as np
from napari_slicewise.inference.device import is_out_of_memory
from napari_slicewise.inference.loading import load_model_file
from napari_slicewise.inference.openvino_backend import OpenVinoBackend
from napari_slicewise.models.zoo import resolve_model
m = load_model_file(resolve_model("nuclei"))
backend = OpenVinoBackend(m.network, m.spec, m.sha256, "float32", Path({str(tmp_path)!r}))
small = np.zeros((1, 1, 64, 64), np.float32)
expected = backend.predict(small)
in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (in_use + (600 << 20),) * 2)
try:
    backend.predict(np.zeros((1, 1, 2048, 2048), np.float32))
except (RuntimeError, MemoryError) as error:
    assert is_out_of_memory(error), error
else:
    raise AssertionError("there was enough memory")
np.testing.assert_array_equal(backend.predict(small), expected)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
