"""What the command line refuses in one sentence, and what it must not trip over."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
import tifffile
import torch
from support.killed_runs import write_model, write_stack

from napari_slicewise.cli import main
from napari_slicewise.models import consent


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_model(tmp_path_factory.mktemp("models") / "random.safetensors"))


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return write_stack(tmp_path_factory.mktemp("images") / "in.tif", 3, 64, 64)


def run(image, out, model, *options):
    arguments = ["segment", image, "-o", out, "--model", model, "--quiet", *options]
    return main(list(map(str, arguments)))


def test_what_is_impossible_for_any_image_is_said_once(tmp_path, image, model, capsys):
    again = tmp_path / "again.tif"
    again.write_bytes(image.read_bytes())
    arguments = ["segment", image, again, "-o", tmp_path / "out", "--model", model]
    assert main([*map(str, arguments), "--smallest", "many"]) == 1
    assert capsys.readouterr().err.count("is no size") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_a_pixel_size_that_none_can_have_stops_no_run(tmp_path, model, size):
    path = tmp_path / "in.ome.tif"
    metadata = {"axes": "ZYX", "PhysicalSizeX": size, "PhysicalSizeY": size, "PhysicalSizeZ": 1.0}
    tifffile.imwrite(path, np.zeros((3, 32, 32), np.uint8), ome=True, metadata=metadata)
    assert run(path, tmp_path / "out.tif", model) == 0
    assert run(path, tmp_path / "out.tif", model, "--directions", "zyx") == 0


@pytest.mark.parametrize("name", ["out.tif", "out.objects.csv"])
def test_the_report_replaces_no_result(tmp_path, image, model, capsys, name):
    report = tmp_path / name
    assert run(image, tmp_path / "out.tif", model, "--objects", "--report", report) == 1
    assert "the report must not replace it" in capsys.readouterr().err
    assert not report.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are of Unix")
@pytest.mark.parametrize("name", ["in.tif", "in.zip"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, name):
    pipe = tmp_path / name
    os.mkfifo(pipe)
    for arguments in (["info", pipe], ["segment", pipe, "-o", tmp_path / "out.tif"]):
        command = [sys.executable, "-m", "napari_slicewise.cli", *map(str, arguments)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 1
        assert f"{name} is a device or a pipe" in ended.stderr
        assert "Traceback" not in ended.stderr


class Refusing(torch.nn.Module):
    """A network that takes no image at all."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        assert image.shape[0] > 1000, "never enough"
        return image


def test_a_program_that_raises_is_refused_with_its_own_words(tmp_path, monkeypatch, image, capsys):
    monkeypatch.setattr(consent, "trusted_file", lambda: tmp_path / "trusted.txt")
    path = tmp_path / "refusing.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated, its files are there
        torch.jit.script(Refusing()).save(str(path))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert run(image, tmp_path / "out.tif", str(path), "--trust-code", sha256) == 1
    assert "never enough" in capsys.readouterr().err


def test_a_folder_without_a_name_is_named_as_it_was_given(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["info", "."]) == 1
    assert capsys.readouterr().err.startswith("slicewise: . is a folder without images")
