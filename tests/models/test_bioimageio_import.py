"""Packages of the model zoo: what is known runs as they say, what is not is named."""

import re
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from models.foreign_networks import BrainUNet, CourseUNet, PlainUNet, PyTorchUNet, randomise
from support.packages import describe_0_4, pixels, write_package, z_scored, zipped

from napari_slicewise.errors import ModelError
from napari_slicewise.models.bioimageio_import import read_package
from napari_slicewise.models.checkpoint import load_network
from napari_slicewise.models.zoo import resolve_model


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """A package must be read without one: every attempt fails the test."""

    def refuse(*_arguments, **_named):
        raise AssertionError("something wants to reach the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def course():
    return randomise(CourseUNet(1, 1, (4, 8)))


def output(checkpoint, values):
    with torch.inference_mode():
        return load_network(checkpoint)(torch.from_numpy(values)).numpy()


@pytest.mark.parametrize("kind", ["zip", "folder", "description"])
def test_package_of_format_0_4_gives_the_networks_output(tmp_path, kind):
    network = course()
    folder = write_package(tmp_path / "theirs", network)
    path = {"zip": zipped(folder), "folder": folder, "description": folder / "rdf.yaml"}[kind]
    checkpoint = read_package(resolve_model(str(path)))
    spec = checkpoint.spec
    assert (spec.normalization, spec.output, spec.activation) == ("z_score", "foreground", "auto")
    assert (spec.name, spec.title, spec.licence) == ("theirs", "someone s nuclei", "MIT")
    assert "A. Person" in spec.source
    values = z_scored(pixels())
    with torch.inference_mode():
        expected = network(torch.from_numpy(values)).numpy()
    np.testing.assert_allclose(output(checkpoint, values), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "shape",
    [
        {"reference_tensor": "raw", "scale": [1.0, 1.0, 1.0, 1.0], "offset": [0, 0, 0, 0]},
        {"reference_tensor": "raw", "scale": [1.0, 0.0, 1.0, 1.0], "offset": [0.0, 0.5, 0.0, 0.0]},
    ],
    ids=["as the input", "new channels"],
)
def test_output_may_be_described_by_the_inputs_sides_and_a_halo(tmp_path, shape):
    description = describe_0_4()
    description["outputs"][0].update(shape=shape, halo=[0, 0, 8, 8])
    checkpoint = read_package(write_package(tmp_path / "m", course(), description))
    assert (checkpoint.spec.out_channels, checkpoint.spec.description) == (1, "Finds something.")


@pytest.mark.parametrize("skip_first", [True, False])
def test_test_image_settles_what_tensors_leave_open(tmp_path, skip_first):
    network = randomise(CourseUNet(1, 1, (4, 8), skip_first=skip_first, names=("rise", "fall")))
    checkpoint = read_package(write_package(tmp_path / "m", network))
    values = z_scored(pixels())
    with torch.inference_mode():
        expected = network(torch.from_numpy(values)).numpy()
    np.testing.assert_allclose(output(checkpoint, values), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_test_image_settles_the_kind_of_interpolation(tmp_path, mode):
    network = randomise(PlainUNet(1, 1, (4, 6, 10), mode))
    assert read_package(write_package(tmp_path / "m", network)).spec.upsampling == mode


def test_sigmoid_within_the_network_is_seen_in_its_test_output(tmp_path):
    description = describe_0_4()
    description["outputs"][0]["postprocessing"] = []
    network = randomise(BrainUNet(1, 1, 4))
    with torch.inference_mode():
        expected = network(torch.from_numpy(z_scored(pixels()))).numpy()
    folder = write_package(tmp_path / "m", network, description, expected=expected)
    assert read_package(folder).spec.activation == "auto"


def test_softmax_within_the_network_is_seen_in_its_test_output(tmp_path):
    description = describe_0_4(outputs=3)
    description["outputs"][0]["postprocessing"] = []
    network = randomise(PyTorchUNet(1, 3, 4, bilinear=False))
    with torch.inference_mode():
        expected = network(torch.from_numpy(z_scored(pixels()))).softmax(1).numpy()
    spec = read_package(write_package(tmp_path / "m", network, description, expected=expected)).spec
    assert (spec.output, spec.activation, spec.background) == ("classes", "softmax", 0)


def test_two_sigmoids_of_a_boundary_model_are_foreground_and_boundary(tmp_path):
    description = describe_0_4("Nuclei with boundary", outputs=2)
    network = randomise(PyTorchUNet(1, 2, 4, bilinear=False))
    spec = read_package(write_package(tmp_path / "m", network, description)).spec
    assert spec.output == "foreground_boundary"


def test_threshold_of_the_package_is_kept(tmp_path):
    description = describe_0_4()
    description["outputs"][0]["postprocessing"].append(
        {"name": "binarize", "kwargs": {"threshold": 0.7}}
    )
    network = course()
    with torch.inference_mode():
        likely = network(torch.from_numpy(z_scored(pixels()))).sigmoid().numpy()
    folder = write_package(
        tmp_path / "m", network, description, expected=(likely > 0.7).astype(np.float32)
    )
    assert read_package(folder).spec.threshold == 0.7


@pytest.mark.parametrize(
    ("step", "fields"),
    [
        (
            {"name": "scale_range", "kwargs": {"mode": "per_sample", "axes": "yx",
             "min_percentile": 2, "max_percentile": 98}},
            {"normalization": "percentile", "percentiles": (2.0, 98.0), "clip": (-3.4e38, 3.4e38)},
        ),
        (
            {"name": "scale_linear", "kwargs": {"gain": 1 / 255, "offset": 0.0}},
            {"normalization": "divide_by_255", "clip": None},
        ),
        (
            {"name": "scale_linear", "kwargs": {"gain": 0.5, "offset": -1.0}},
            {"normalization": "linear", "gain": (0.5,), "offset": (-1.0,)},
        ),
        (
            {"name": "zero_mean_unit_variance", "kwargs": {"mode": "fixed", "axes": "yx",
             "mean": 100.0, "std": 50.0}},
            {"normalization": "linear", "gain": (1 / (50 + 1e-6),), "offset": (-2 / (1 + 2e-8),)},
        ),
    ],
    ids=["percentiles", "eighth", "linear", "fixed"],
)  # fmt: skip
def test_preprocessing_becomes_this_projects(tmp_path, step, fields):
    description = describe_0_4()
    description["inputs"][0]["preprocessing"] = [step]
    folder = write_package(tmp_path / "m", course(), description)
    (folder / "test_output.npy").unlink()  # of another preprocessing
    spec = read_package(folder).spec
    for name, value in fields.items():
        numbers = isinstance(value, tuple)
        assert getattr(spec, name) == (pytest.approx(value) if numbers else value), name
    assert "Not checked" in spec.description


def changed(change):
    """A description after a change."""
    description = describe_0_4()
    change(description)
    return description


REFUSED = {
    "volume": (
        lambda d: d["inputs"][0].update(axes="bczyx", shape=[1, 1, 8, 64, 64]),
        "axis 'z'.*volumes",
    ),
    "time": (lambda d: d["inputs"][0].update(axes="btcyx", shape=[1, 1, 1, 64, 64]), "axis 'time'"),
    "two inputs": (
        lambda d: (
            d["inputs"].append({**d["inputs"][0], "name": "more"}),
            d["test_inputs"].append("test_input.npy"),
        ),
        "2 inputs.*'raw', 'more'",
    ),
    "two outputs": (
        lambda d: (
            d["outputs"].append({**d["outputs"][0], "name": "more"}),
            d["test_outputs"].append("test_output.npy"),
        ),
        "2 outputs",
    ),
    "other order": (lambda d: d["inputs"][0].update(axes="byxc", shape=[1, 64, 64, 1]), "y, x"),
    "elsewhere": (
        lambda d: d["weights"]["pytorch_state_dict"].update(source="https://example.com/w.pt"),
        "nothing is downloaded",
    ),
    "only keras": (
        lambda d: d.update(weights={"keras_hdf5": {"source": "w.h5", "tensorflow_version": "1.0"}}),
        "keras_hdf5 only",
    ),
    "dataset": (lambda d: d.update(type="dataset"), "no model but a 'dataset'"),
    "newer": (lambda d: d.update(format_version="0.9.0"), "format 0.9.0"),
    "no version": (lambda d: d.pop("format_version"), "format None"),
    "broken rules": (lambda d: d.update(inputs=[]), "inputs"),
    "unknown step": (
        lambda d: d["inputs"][0].update(preprocessing=[{"name": "sigmoid"}]),
        "preprocessing",
    ),
    "more channels": (
        lambda d: d["inputs"][0].update(shape={"min": [1, 3, 32, 32], "step": [0, 0, 16, 16]}),
        "take 1 channels.*says 3",
    ),
    "other hash": (
        lambda d: d["weights"]["pytorch_state_dict"].update(sha256="1" * 64),
        "not the one described",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_by_its_name(tmp_path, case):
    change, words = REFUSED[case]
    path = zipped(write_package(tmp_path / "m", course(), changed(change)))
    with pytest.raises(ModelError, match=re.compile(words, re.DOTALL)) as caught:
        read_package(path)
    assert caught.value.hint
    assert str(path) in caught.value.message


def test_input_that_is_another_models_output_is_not_looked_up(tmp_path):
    folder = write_package(tmp_path / "m", course())
    text = (folder / "rdf.yaml").read_text("utf-8")
    assert "- name: raw" in text
    (folder / "rdf.yaml").write_text(text.replace("- name: raw", "- name: raw\n  output_of: shark"))
    with pytest.raises(ModelError, match="the output of the model 'shark'"):
        read_package(folder)


def test_network_that_does_not_give_the_test_output_is_refused(tmp_path):
    network = course()
    expected = np.random.default_rng(0).random((1, 1, 64, 64)).astype(np.float32)
    folder = write_package(tmp_path / "m", network, expected=expected)
    with pytest.raises(ModelError, match=r"its own test image|own test image"):
        read_package(folder)


def test_code_of_the_package_is_never_run(tmp_path):
    folder = write_package(tmp_path / "m", course())
    canary = tmp_path / "canary"
    (folder / "network.py").write_text(f"open({str(canary)!r}, 'w').close()\n", "utf-8")
    read_package(folder)
    assert not canary.exists()


def test_weights_that_run_code_are_refused_by_the_packages_name(tmp_path):
    import os
    import pickle

    class Gadget:
        def __reduce__(self):
            return os.system, (f"touch {canary}",)

    canary = tmp_path / "canary"
    description = describe_0_4()
    description["weights"]["pytorch_state_dict"]["sha256"] = None
    folder = write_package(tmp_path / "m", course(), description)
    (folder / "weights.pt").write_bytes(pickle.dumps(Gadget(), 2))
    text = (folder / "rdf.yaml").read_text("utf-8")
    (folder / "rdf.yaml").write_text(text.replace("    sha256: null\n", ""), "utf-8")
    with pytest.raises(ModelError, match="could run any code") as caught:
        read_package(folder)
    assert "weights.pt" in caught.value.message
    assert str(tmp_path / "m") in caught.value.message
    assert not canary.exists()


def test_nothing_is_left_in_the_temporary_folder(tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    read_package(write_package(tmp_path / "m", course()))
    assert list(scratch.iterdir()) == []
    assert Path(tmp_path / "m").is_dir()
