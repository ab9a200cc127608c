"""``slicewise evaluate``: the scores of a model on real files."""

import json

import numpy as np
import pytest
import tifffile
from support.labelled_discs import annotated, discs, quick_config, quick_request

from napari_slicewise import cli
from napari_slicewise.evaluation.summary import score_image, summarize
from napari_slicewise.training.learner import Learner


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    annotations = [annotated("a"), annotated("b", seed=1)]
    made = Learner(quick_request(head="distance"), annotations, config=quick_config(steps=50))
    list(made.steps())
    torch.set_num_threads(threads)
    path = tmp_path_factory.mktemp("model") / "discs.safetensors"
    made.save(path)
    return path


@pytest.fixture
def folders(tmp_path):
    for name, seed in (("one", 7), ("two", 8)):
        image, labels = discs(seed=seed)
        for folder, array in (("images", image), ("truth", labels.astype(np.uint16))):
            (tmp_path / folder).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / folder / f"{name}.tif", array)
    return tmp_path / "images", tmp_path / "truth"


def evaluate(model, *arguments):
    return cli.main(["evaluate", str(model), *map(str, arguments), "--device", "cpu"])


def test_scores_are_those_of_the_labels_that_are_saved(model, folders, tmp_path, capsys):
    saved = tmp_path / "saved"
    assert evaluate(model, *folders, "--json", "--save", saved) == 0
    printed = json.loads(capsys.readouterr().out)
    images = [
        score_image(
            name,
            tifffile.imread(saved / f"{name}.tif"),
            tifffile.imread(folders[1] / f"{name}.tif"),
        )
        for name in ("one", "two")
    ]
    assert printed == {"images": 2, **json.loads(json.dumps(summarize(images)))}
    assert printed["foreground IoU"] > 0.7
    assert printed["AP at IoU 0.5"] > 0.4


def test_scores_are_printed_and_a_report_is_written(model, folders, tmp_path, capsys):
    report = tmp_path / "report"
    assert evaluate(model, *folders, "--report", report) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 images"
    names = [line.rsplit("  ", 1)[0].strip() for line in lines[1:]]
    for name in ("foreground IoU", "Dice", "pixel error", "AP at IoU 0.5", "AP at IoU 0.9", "PQ"):
        assert name in names
    assert "adapted Rand error" in names
    assert (report / "report.md").exists()
    assert len(list(report.glob("*.png"))) == 2
    assert evaluate(model, *folders, "--report", report) == 1
    assert "is there already" in capsys.readouterr().err


def test_membranes_are_scored_on_the_probability(model, tmp_path, capsys):
    image, labels = discs(seed=7)
    tifffile.imwrite(tmp_path / "i.tif", image)
    tifffile.imwrite(tmp_path / "t.tif", ((labels > 0) * 255).astype(np.uint8))
    assert evaluate(model, tmp_path / "i.tif", tmp_path / "t.tif", "--membranes", "--json") == 0
    scores = json.loads(capsys.readouterr().out)
    assert "AP at IoU 0.5" not in scores
    assert scores["membranes: pixel error"] < 0.2
    assert 0.0 < scores["membranes: threshold"] < 1.0


def test_stacks_are_matched_slice_by_slice_where_that_is_asked_for(model, tmp_path, capsys):
    stack = [discs(seed=seed) for seed in (7, 8, 9, 10)]
    tifffile.imwrite(
        tmp_path / "i.tif", np.stack([i for i, _ in stack]), imagej=True, metadata={"axes": "ZYX"}
    )
    truth = np.stack([t for _, t in stack]).astype(np.uint16)
    tifffile.imwrite(tmp_path / "t.tif", truth, imagej=True, metadata={"axes": "ZYX"})
    assert evaluate(model, tmp_path / "i.tif", tmp_path / "t.tif", "--per-slice", "--json") == 0
    scores = json.loads(capsys.readouterr().out)
    objects = sum(len(np.unique(t)) - 1 for t in truth)
    assert scores["objects found"] + scores["objects missed"] == objects


def test_what_does_not_match_is_named(model, folders, capsys):
    (folders[1] / "two.tif").unlink()
    assert evaluate(model, *folders) == 1
    assert "two.tif" in capsys.readouterr().err


def test_labels_that_are_no_whole_numbers_are_refused(model, folders, tmp_path, capsys):
    images, _ = folders
    image = next(iter(sorted(images.iterdir())))
    labels = tmp_path / "probability.tif"
    tifffile.imwrite(labels, tifffile.imread(image).astype(np.float32))
    assert evaluate(model, image, labels) == 1
    assert "whole numbers, not float32" in capsys.readouterr().err
