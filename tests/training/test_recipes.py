"""The recipes of the bundled models run on small data, go on where they were, and write a model."""

import sys

import numpy as np
import pytest
import tifffile
from support.labelled_discs import discs

from napari_slicewise.models.checkpoint import read_checkpoint
from napari_slicewise.training.rehearsal import rehearse_from


@pytest.fixture
def recipes(repository, monkeypatch):
    monkeypatch.syspath_prepend(str(repository / "scripts"))
    yield
    for name in ("train_nuclei", "train_cells_phase", "make_rehearsal", "training_recipe"):
        sys.modules.pop(name, None)


@pytest.fixture
def data(tmp_path, recipes):
    """Eight images of two types, of which one at least is held out."""
    from train_nuclei import hashed_out

    names = [f"fluo_{n}" for n in range(500)]
    held = [name for name in names if hashed_out(name)][:1]
    kept = [name for name in names if not hashed_out(name)][:6]
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for seed, name in enumerate([*held, *kept, "histo_1"]):
        image, labels = discs(side=208, count=20, seed=seed)
        tifffile.imwrite(tmp_path / "images" / f"{name}.tif", image.clip(0, 255).astype(np.uint8))
        tifffile.imwrite(tmp_path / "labels" / f"{name}.tif", labels.astype(np.uint16))
    return tmp_path


def run(module, *options):
    sys.argv = [module, *map(str, options)]
    __import__(module).main()


def test_nuclei_recipe_writes_its_model_and_goes_on_where_it_was(data, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [])
    out, kept = data / "nuclei.safetensors", data / "run"
    options = (data, "-o", out, "--run", kept, "--threads", 1, "--filters", 4)
    run("train_nuclei", *options, "--minutes", 0.01)
    said = capsys.readouterr().out
    assert "6 images to learn from, 1 held out" in said
    spec = read_checkpoint(out).spec
    assert (spec.name, spec.first_filters, spec.licence) == ("nuclei", 4, "CC0-1.0")
    assert spec.threshold in (0.4, 0.45, 0.5, 0.55, 0.6)
    run("train_nuclei", *options, "--minutes", 0.1)
    assert "Going on after step" in capsys.readouterr().out
    run("train_nuclei", *options[:3], "--run", data / "wide", "--threads", 1, "--minutes", 0.01,
        "--widen", out)  # fmt: skip
    assert read_checkpoint(out).spec.first_filters == 8


def test_cells_recipe_writes_its_model(data, monkeypatch):
    monkeypatch.setattr(sys, "argv", [])
    out = data / "cells.safetensors"
    run("train_cells_phase", data, "-o", out, "--run", data / "run", "--threads", 1,
        "--filters", 4, "--patch", 64, "--batch", 2, "--minutes", 0.01)  # fmt: skip
    spec = read_checkpoint(out).spec
    assert (spec.name, spec.output, spec.licence) == ("cells-phase", "foreground_distance", "MIT")


def test_windows_of_the_training_images_are_kept_beside_a_model(data, monkeypatch):
    monkeypatch.setattr(sys, "argv", [])
    run("make_rehearsal", data, "--model", data / "m.safetensors", "--count", 3, "--side", 96)
    slices = rehearse_from(data / "m.safetensors")
    assert [one.labels.shape for one in slices] == [(96, 96)] * 3
    assert all(one.labels.max() > 0 for one in slices)
