"""OpenVINO and NNCF print nothing and report nothing to their maker."""

from __future__ import annotations

import subprocess
import sys

import pytest

from napari_slicewise.inference.quantization import can_quantize

pytestmark = pytest.mark.skipif(not can_quantize(), reason="OpenVINO or NNCF is not installed")


def test_quantising_is_silent_and_reports_nothing_to_the_network(tmp_path):
    code = f"""
import logging, socket
def refuse(*_): raise AssertionError("a network connection was tried")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
import threading
from pathlib import Path
import numpy as np
from napari_slicewise.inference import quantization
from napari_slicewise.inference.calibration import ImageTiles
from napari_slicewise.inference.loading import load_model_file
from napari_slicewise.inference.stream import CancelToken
from napari_slicewise.models.zoo import resolve_model
folder = Path({str(tmp_path)!r})
quantization.cache_folder = lambda: folder
m = load_model_file(resolve_model("nuclei"))
tiles = ImageTiles()
tiles.fill([np.random.default_rng(n).random((1, 64, 64), np.float32) for n in range(6)])
quantization.quantize_and_check(
    m.network, m.spec, m.sha256, tiles, CancelToken(), quantization.Int8Store(folder)
)
assert threading.active_count() == 1, threading.enumerate()
assert logging.getLoggerClass() is logging.Logger
import sys
assert "openvino_telemetry" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", code],
        check=False,
        timeout=200,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr == ""
