"""What the command line must never do: destroy a file, hang on a set, or speak in tracebacks."""

from __future__ import annotations

import hashlib
import os
import sys

import numpy as np
import pytest
import tifffile
from support.random_models import write_random_model

from napari_slicewise.cli import main


@pytest.fixture
def model(tmp_path):
    (tmp_path / "model").mkdir()
    return write_random_model(tmp_path / "model" / "random.safetensors")


def write_plane(path, value=0):
    path.parent.mkdir(exist_ok=True)
    tifffile.imwrite(path, (np.arange(40 * 50).reshape(40, 50) + value).astype(np.uint16))
    return path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def segment(model, *arguments):
    return main(["segment", *map(str, arguments), "--model", str(model), "--quiet"])


@pytest.mark.skipif(sys.platform == "win32", reason="symlinks need rights on Windows")
def test_no_input_is_replaced_by_the_result_of_another_input(tmp_path, model, capsys):
    first = write_plane(tmp_path / "a" / "1.tif")
    second = write_plane(tmp_path / "b" / "1.tif", 7)
    link = tmp_path / "link.tif"
    link.symlink_to(second)
    before = digest(second)
    assert segment(model, first, link, "-o", tmp_path / "b") == 1
    assert "is the input" in capsys.readouterr().err
    assert digest(second) == before


def test_no_member_of_a_set_is_replaced_and_the_set_is_one_image(tmp_path, model, capsys):
    folder = tmp_path / "set"
    folder.mkdir()
    uuids = [f"urn:uuid:0000000{n}-0000-4000-8000-000000000000" for n in range(3)]
    data = "".join(
        f'<TiffData FirstZ="{n}" PlaneCount="1"><UUID FileName="z{n}.ome.tif">{uuid}</UUID>'
        "</TiffData>"
        for n, uuid in enumerate(uuids)
    )
    for n, uuid in enumerate(uuids):
        xml = (
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{uuid}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" '
            'Type="uint16" SizeX="50" SizeY="40" SizeZ="3" SizeC="1" SizeT="1">'
            f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{data}</Pixels></Image></OME>'
        )
        plane = (np.arange(2000).reshape(40, 50) + n).astype(np.uint16)
        tifffile.imwrite(folder / f"z{n}.ome.tif", plane, description=xml, metadata=None)
    before = [digest(path) for path in sorted(folder.iterdir())]
    assert segment(model, folder / "z0.ome.tif", "-o", folder / "z2.ome.tif") == 1
    assert "is the input" in capsys.readouterr().err
    assert [digest(path) for path in sorted(folder.iterdir())] == before
    assert segment(model, folder, "-o", tmp_path / "out") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "report.csv",
        "z0.ome.tif",
    ]
    assert tifffile.imread(tmp_path / "out" / "z0.ome.tif").shape == (3, 40, 50)


def test_the_model_is_not_replaced(tmp_path, model, capsys):
    image = write_plane(tmp_path / "in.tif")
    before = digest(model)
    assert segment(model, image, "-o", model) == 1
    assert capsys.readouterr().err
    assert digest(model) == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX pipes")
def test_a_pipe_is_not_replaced(tmp_path, model, capsys):
    image = write_plane(tmp_path / "in.tif")
    os.mkfifo(tmp_path / "pipe.tif")
    assert segment(model, image, "-o", tmp_path / "pipe.tif") == 1
    assert "pipe" in capsys.readouterr().err
    assert (tmp_path / "pipe.tif").is_fifo()


@pytest.mark.parametrize("out", ["out.png", "out", "in.tif/out.tif", "x" * 300 + ".tif"])
def test_impossible_outputs_are_one_line_before_any_work(tmp_path, model, capsys, out):
    image = write_plane(tmp_path / "in.tif")
    assert segment(model, image, "-o", tmp_path / out) == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith("slicewise: ")
    assert len(said.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.tif", "model"]


def test_a_complex_image_is_refused(tmp_path, model, capsys):
    tifffile.imwrite(tmp_path / "in.tif", np.ones((20, 20), np.complex64))
    code = segment(model, tmp_path / "in.tif", "-o", tmp_path / "out.tif")
    assert (code, capsys.readouterr().err.count("\n")) == (1, 1)


def test_info_describes_torch_checkpoints_too(tmp_path, capsys):
    import torch

    from napari_slicewise.models.unet import UNet

    torch.save(UNet(1, 1, 4).state_dict(), tmp_path / "tutorial.pt")
    assert main(["info", str(tmp_path / "tutorial.pt")]) == 0
    assert "4 first filters" in capsys.readouterr().out
