"""OpenVINO gives what torch gives, from a converted network that is kept and mended."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_slicewise.inference.backends import TorchBackend, UnfitError
from napari_slicewise.inference.device import LocalDevices
from napari_slicewise.inference.openvino_backend import OpenVinoBackend, openvino_version
from napari_slicewise.inference.request import Request
from napari_slicewise.inference.runner import Runner
from napari_slicewise.inference.stream import CancelToken
from napari_slicewise.io.source import ArraySource

pytestmark = pytest.mark.skipif(openvino_version() is None, reason="OpenVINO is not installed")


@pytest.fixture
def tiles():
    return np.random.default_rng(0).normal(size=(2, 1, 48, 80)).astype(np.float32)


def backend(model, cache, precision="float32"):
    return OpenVinoBackend(model.network, model.spec, model.sha256, precision, cache)


def test_it_gives_what_torch_gives_for_any_size(random_model, tiles, tmp_path):
    engine = backend(random_model, tmp_path)
    torch_engine = TorchBackend(random_model.network, random_model.spec, "cpu", "float32")
    first = engine.predict(tiles)
    np.testing.assert_allclose(first, torch_engine.predict(tiles), atol=1e-5)
    small = tiles[:1, :, :16, :32]
    np.testing.assert_allclose(engine.predict(small), torch_engine.predict(small), atol=1e-5)
    np.testing.assert_allclose(first, torch_engine.predict(tiles), atol=1e-5)  # not overwritten


def test_the_converted_network_is_kept_and_a_broken_one_is_made_again(
    random_model, tiles, tmp_path
):
    expected = backend(random_model, tmp_path).predict(tiles)
    (kept,) = (tmp_path / "openvino").glob("*.xml")
    when = kept.stat().st_mtime_ns
    np.testing.assert_array_equal(backend(random_model, tmp_path).predict(tiles), expected)
    assert kept.stat().st_mtime_ns == when
    kept.write_text("half-written")
    np.testing.assert_array_equal(backend(random_model, tmp_path).predict(tiles), expected)
    assert "half-written" not in kept.read_text()


def test_a_cache_that_cannot_be_written_costs_only_the_cache(random_model, tiles, tmp_path):
    (tmp_path / "openvino").write_text("a file where the folder should be")
    backend(random_model, tmp_path).predict(tiles)


def test_it_is_chosen_for_processors_and_for_formats_that_it_knows():
    policy = LocalDevices()
    assert policy.engine("cpu", "bfloat16") == "OpenVINO"
    assert policy.engine("cpu", "float16") == "torch"
    assert policy.engine("cuda:0", "bfloat16") == "torch"


def test_converting_reports_nothing_to_the_network(random_model_path, tmp_path):
    code = f"""
import socket, sys, threading
def refuse(*_): raise AssertionError("a network connection was tried")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
from pathlib import Path
from napari_slicewise.inference.loading import load_model_file
from napari_slicewise.inference.openvino_backend import OpenVinoBackend
m = load_model_file(Path({str(random_model_path)!r}))
OpenVinoBackend(m.network, m.spec, m.sha256, "float32", Path({str(tmp_path)!r}))
assert "openvino_telemetry" not in sys.modules  # it sends from a thread, where nobody hears refuse
assert threading.active_count() == 1, threading.enumerate()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


class ShapeBaked(torch.nn.Module):
    """A network whose arithmetic depends on its input's shape in a way tracing cannot follow."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 1, 1, bias=False)
        torch.nn.init.constant_(self.conv.weight, 0.01)

    def forward(self, x):
        return self.conv(x) * float(int(x.shape[-1]))


def test_a_network_that_tracing_gets_wrong_runs_on_torch_and_says_so(random_model, tmp_path):
    baked = replace(random_model, network=ShapeBaked().eval(), sha256="baked", _backends={})
    with pytest.raises(UnfitError):
        OpenVinoBackend(baked.network, baked.spec, baked.sha256, "float32", tmp_path)
    source = ArraySource(np.random.default_rng(0).normal(size=(2, 32, 48)))
    request = Request("baked", tuple(source.indices()), output="probability", precision="float32")
    runner = Runner(request, source, baked, LocalDevices(), CancelToken())
    assert len(list(runner.results())) == 2
    report = runner.report()
    assert report.details["engine"] == "torch"
    assert "OpenVINO cannot" in report.fallbacks[0]
