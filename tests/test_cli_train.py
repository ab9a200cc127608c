"""``slicewise train``: real files in, a model out; killed and going on."""

import csv
import subprocess
import sys

import numpy as np
import pytest
import tifffile
import torch
from support.labelled_discs import discs

from napari_slicewise import cli
from napari_slicewise.models.checkpoint import read_checkpoint

SMALL = ("--filters", "4", "--patch", "64", "--batch", "2", "--threads", "1")
TELLING = """
from napari_slicewise import cli, cli_train
from napari_slicewise.training.learner import Learner
cli_train._SAVE_S = 0.0
save = Learner.save_state
def save_and_tell(self, path):
    save(self, path)
    print("saved", flush=True)
Learner.save_state = save_and_tell
raise SystemExit(cli.main())
"""


@pytest.fixture(autouse=True)
def _threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def folders(tmp_path):
    for name, seed in (("a", 0), ("b", 1), ("c", 2), ("d", 3)):
        image, labels = discs(seed=seed)
        for folder, array in (("images", image), ("labels", labels.astype(np.uint16))):
            (tmp_path / folder).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / folder / f"{name}.tif", array)
    return tmp_path / "images", tmp_path / "labels"


def train(*arguments):
    return cli.main(["train", *map(str, arguments), *SMALL])


def test_model_and_curves_are_written_and_what_is_held_out_is_scored(folders, tmp_path, capsys):
    out = tmp_path / "mine.safetensors"
    assert train(*folders, "-o", out, "--steps", 12, "--head", "distance") == 0
    said = capsys.readouterr().out
    assert "3 slices to learn from, 1 held out" in said
    assert "AP at IoU 0.5, held out" in said
    spec = read_checkpoint(out).spec
    assert (spec.name, spec.output, spec.first_filters) == ("mine", "foreground_distance", 4)
    with (tmp_path / "mine.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == [str(n) for n in range(1, 13)]
    assert rows[-1]["validation"]
    assert float(rows[0]["loss"]) > 0
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "images", "labels", "mine.csv", "mine.safetensors",
    ]  # fmt: skip


def test_killed_training_goes_on_from_its_last_checkpoint_to_the_same_weights(folders, tmp_path):
    options = ["--steps", "14", "--head", "distance", "--hold-out", "b", "--seed", "5"]
    whole = tmp_path / "whole.safetensors"
    assert train(*folders, "-o", whole, *options) == 0
    out = tmp_path / "killed.safetensors"
    command = [sys.executable, "-c", TELLING, "train", *folders, "-o", out, *options, *SMALL]
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    saved = 0
    for line in process.stdout:
        saved += line.startswith("saved")
        if saved == 5:
            break
    process.kill()
    process.wait()
    process.stdout.close()
    assert process.returncode == -9
    assert not out.exists()
    assert out.with_suffix(".training").exists()
    assert train(*folders, "-o", out, *options, "--resume") == 0
    one, other = read_checkpoint(whole).state, read_checkpoint(out).state
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert not out.with_suffix(".training").exists()
    with out.with_suffix(".csv").open(newline="") as file:
        steps = [int(row["step"]) for row in csv.DictReader(file)]
    assert steps[-1] == 14
    assert len(steps) <= 14 + 5  # those that were done twice are there twice, at most


def test_interrupted_training_is_not_thrown_away_by_chance(folders, tmp_path, capsys):
    out = tmp_path / "m.safetensors"
    out.with_suffix(".training").write_bytes(b"not finished")
    assert train(*folders, "-o", out, "--steps", 2) == 1
    assert "--resume" in capsys.readouterr().err
    assert train(*folders, "-o", out, "--steps", 2, "--resume") == 1
    assert "no saved training" in capsys.readouterr().err
    assert out.with_suffix(".training").read_bytes() == b"not finished"


def test_strokes_are_learned_from_where_a_value_means_unknown(tmp_path, capsys):
    image, labels = discs()
    strokes = np.zeros(labels.shape, np.uint8)
    strokes[::9] = 1 + (labels[::9] > 0)  # 0 unknown, 1 background, 2 object
    tifffile.imwrite(tmp_path / "i.tif", image)
    tifffile.imwrite(tmp_path / "l.tif", strokes)
    out = tmp_path / "m.safetensors"
    meaning = ("--unknown", 0, "--background", 1)
    assert train(tmp_path / "i.tif", tmp_path / "l.tif", "-o", out, "--steps", 3, *meaning) == 0
    assert read_checkpoint(out).spec.output == "foreground"
    assert "No slice is held out" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "m.pt"], "does not end in .safetensors"),
        (["-o", "images/a.tif"], "does not end in"),
        (["-o", "none/m.safetensors"], "no folder"),
        (["-o", "m.safetensors", "--from", "nowhere"], "neither a bundled model nor a file"),
        (["-o", "m.safetensors", "--hold-out", "z"], "no slice 'z'"),
        (["-o", "m.safetensors", "--head", "classes"], "objects, not classes"),
        (["-o", "m.safetensors", "--channel", "3"], "no channel 3"),
        (["-o", "m.safetensors", "--minutes", "0"], "above 0 minutes"),
        (["-o", "m.safetensors", "--seed", "-1"], "0 or more"),
        (["-o", "m.safetensors", "--log", "m.safetensors"], "cannot be the log"),
        (["-o", "m.safetensors", "--log", "m.training"], "cannot be the log"),
    ],
)
def test_impossible_trainings_are_refused_in_words(
    folders, tmp_path, capsys, monkeypatch, options, words
):
    monkeypatch.chdir(tmp_path)
    assert train(*folders, *options, "--steps", 1) == 1
    assert words in capsys.readouterr().err
    assert not list(tmp_path.glob("m.*"))


def test_training_stops_at_ctrl_c_and_keeps_its_steps(folders, tmp_path, capsys, monkeypatch):
    from napari_slicewise.training.learner import Learner

    steps = Learner.steps

    def interrupted(self):
        for report in steps(self):
            if report.step == 4:
                raise KeyboardInterrupt
            yield report

    monkeypatch.setattr(Learner, "steps", interrupted)
    out = tmp_path / "m.safetensors"
    assert train(*folders, "-o", out, "--steps", 9) == 130
    assert "3 steps are kept; --resume goes on after them" in capsys.readouterr().err
    monkeypatch.undo()
    assert train(*folders, "-o", out, "--steps", 9, "--resume") == 0
    assert "Going on after step" in capsys.readouterr().out
