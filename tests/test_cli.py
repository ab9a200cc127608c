"""The command line: files in, label files out, inputs untouched, nothing half-written."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from support.random_models import write_random_model

from napari_slicewise import load_model, read_image, segment
from napari_slicewise.cli import main


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_random_model(tmp_path_factory.mktemp("models") / "random.safetensors"))


def stack(*shape):
    rng = np.random.default_rng(1)
    return (rng.normal(size=shape).cumsum(-1) * 100 + 2000).astype(np.uint16)


def write_stack(path, array, axes="ZYX"):
    tifffile.imwrite(
        path,
        array,
        imagej=True,
        resolution=(4.0, 4.0),
        metadata={"axes": axes, "spacing": 1.5, "unit": "um"},
    )
    return path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_labels_have_the_shape_and_pixel_size_of_the_image(tmp_path, model, capsys):
    image = write_stack(tmp_path / "in.tif", stack(5, 40, 50))
    before = digest(image)
    out = tmp_path / "out.tif"
    assert main(["segment", str(image), "-o", str(out), "--model", model]) == 0
    assert "5 slices" in capsys.readouterr().out
    assert digest(image) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.tif", "out.tif"]
    with read_image(image) as source, read_image(out) as labels:
        assert [(a.name, a.size, a.step, a.unit) for a in labels.info.axes] == [
            (a.name, a.size, a.step, a.unit) for a in source.info.axes
        ]
        expected = segment(source, model)
        np.testing.assert_array_equal(np.asarray(labels.data), expected)


@pytest.mark.parametrize(
    ("output", "kind"), [("labels", "u"), ("classes", "u"), ("probability", "f")]
)
def test_each_output_is_what_the_python_call_gives(tmp_path, model, output, kind):
    image = write_stack(tmp_path / "in.tif", stack(2, 40, 50))
    out = tmp_path / "out.ome.tif"
    arguments = ["segment", str(image), "-o", str(out), "--model", model, "--output", output]
    assert main([*arguments, "--threshold", "0.4", "--quiet"]) == 0
    written = tifffile.imread(out)
    assert written.dtype.kind == kind
    expected = segment(stack(2, 40, 50), load_model(model), output=output, threshold=0.4)
    np.testing.assert_allclose(written, expected, atol=1e-6)


def test_a_range_leaves_the_other_slices_blank(tmp_path, model):
    image = write_stack(tmp_path / "in.tif", stack(6, 40, 50))
    out = tmp_path / "out.tif"
    arguments = ["segment", str(image), "-o", str(out), "--model", model, "--output", "probability"]
    assert main([*arguments, "--slices", "2:4"]) == 0
    written = tifffile.imread(out)
    assert [bool(slice_.any()) for slice_ in written] == [False, False, True, True, False, False]


def test_a_folder_is_segmented_and_a_bad_file_does_not_stop_it(tmp_path, model, capsys):
    (tmp_path / "in").mkdir()
    write_stack(tmp_path / "in" / "a.tif", stack(1, 40, 50)[0], "YX")
    (tmp_path / "in" / "b.tif").write_text("this is no TIFF")
    write_stack(tmp_path / "in" / "c.tif", stack(2, 40, 50))
    out = tmp_path / "out"
    assert main(["segment", str(tmp_path / "in"), "-o", str(out), "--model", model]) == 1
    said = capsys.readouterr()
    assert "2 of 3 images" in said.out
    assert len(said.err.strip().splitlines()) == 1
    assert "b.tif" in said.err
    assert sorted(p.name for p in out.glob("[!.]*")) == ["a.tif", "c.tif", "report.csv"]


def test_an_input_is_never_overwritten(tmp_path, model, capsys):
    image = write_stack(tmp_path / "in.tif", stack(2, 40, 50))
    before = digest(image)
    for out in (image, tmp_path / ".." / tmp_path.name / "in.tif", tmp_path):
        assert main(["segment", str(image), "-o", str(out), "--model", model]) == 1
        assert "in.tif" in capsys.readouterr().err
    assert digest(image) == before
    assert [p.name for p in tmp_path.iterdir()] == ["in.tif"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["missing.tif"], "missing.tif"),
        (["in.tif", "--model", "no-such-model"], "no-such-model"),
        (["in.tif", "--device", "cuda:9"], "no device 'cuda:9'"),
        (["in.tif", "--channel", "3"], "no channel 3"),
        (["in.tif", "--slices", "7:9"], "chooses none of the 2 slices"),
        (["in.tif", "--threshold", "2"], "0..1"),
    ],
)
def test_bad_requests_give_one_line_and_leave_nothing(tmp_path, model, capsys, arguments, text):
    write_stack(tmp_path / "in.tif", stack(2, 40, 50))
    out = tmp_path / "out.tif"
    chosen = [] if "--model" in arguments else ["--model", model]
    path, *options = arguments
    assert main(["segment", str(tmp_path / path), "-o", str(out), *chosen, *options]) == 1
    said = capsys.readouterr().err.strip()
    assert text in said
    assert len(said.splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["in.tif"]


def test_usage_errors_exit_with_two(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["segment", "in.tif", "-o", "out.tif", "--slices", "one:two"])
    assert ended.value.code == 2
    assert "no range" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing_half_written(tmp_path, model, kind):
    image = write_stack(tmp_path / "in.tif", stack(300, 256, 256))
    command = ["segment", str(image), "-o", str(tmp_path / "out.tif"), "--model", model]
    code = """
from napari_slicewise import cli
from napari_slicewise.io.tiff_writer import LabelsWriter
write = LabelsWriter.write
def write_and_tell(self, index, values, *more):
    write(self, index, values, *more)
    print("slice", index, flush=True)
LabelsWriter.write = write_and_tell
raise SystemExit(cli.main())
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline().startswith("slice")
        process.send_signal(kind)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in said
    assert [p.name for p in tmp_path.iterdir()] == ["in.tif"]


def test_models_and_info_speak_to_people_and_programs(tmp_path, model, capsys):
    assert main(["models"]) == 0
    assert "nuclei" in capsys.readouterr().out
    assert main(["models", "--json"]) == 0
    assert "nuclei" in [m["name"] for m in json.loads(capsys.readouterr().out)]
    image = write_stack(tmp_path / "in.tif", stack(2, 40, 50))
    assert main(["info", str(image)]) == 0
    said = capsys.readouterr().out
    assert "0.25" in said
    assert "1.5" in said
    assert main(["info", str(image), "--json"]) == 0
    json.loads(capsys.readouterr().out)
    assert main(["info", model]) == 0
    assert "4 first filters" in capsys.readouterr().out
    assert main(["info", str(tmp_path / "gone.tif")]) == 1
