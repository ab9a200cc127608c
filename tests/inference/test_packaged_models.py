"""Packages whose weights are graphs or programs: as the state_dicts, and only with consent."""

import json
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import pytest
import torch
from models.foreign_networks import CourseUNet, randomise
from support.opaque_files import padded_unet, probability, write_onnx, write_program
from support.packages import describe_0_4, pixels, write_package, z_scored, zipped

from napari_slicewise import segment
from napari_slicewise.api import load_model
from napari_slicewise.errors import ConsentNeededError, ModelError
from napari_slicewise.models import consent
from napari_slicewise.models.bioimageio_export import export_package, sample_shape
from napari_slicewise.models.checkpoint import write_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")


@pytest.fixture(autouse=True)
def _own_list(tmp_path, monkeypatch):
    monkeypatch.setattr(consent, "trusted_file", lambda: tmp_path / "trusted_programs.txt")


def described(*kinds):
    """A description with weights of these kinds."""
    content = describe_0_4()
    state = content["weights"].pop("pytorch_state_dict")
    entries = {
        "pytorch_state_dict": state,
        "onnx": {"source": "weights.onnx", "opset_version": 17},
        "torchscript": {"source": "program.pt"},
    }
    content["weights"] = {kind: entries[kind] for kind in kinds}
    return content


def package(folder, network, *kinds):
    write_package(folder, network, described(*kinds))
    if "onnx" in kinds:
        write_onnx(network, folder / "weights.onnx")
    if "torchscript" in kinds:
        write_program(network, folder / "program.pt")
    return zipped(folder)


def gives(model, network):
    values = torch.from_numpy(z_scored(pixels()))
    with torch.inference_mode():
        np.testing.assert_allclose(model.network(values), network(values), atol=1e-4)


def test_graph_is_run_with_what_the_package_says(tmp_path):
    network = padded_unet()
    model = load_model(package(tmp_path / "m", network, "onnx"))
    spec = model.spec
    assert (spec.architecture, spec.normalization, spec.activation) == ("onnx", "z_score", "auto")
    assert (spec.title, spec.name) == ("someone s nuclei", "m")
    gives(model, network)


def test_program_is_run_after_consent_to_its_hash(tmp_path):
    network = padded_unet()
    path = package(tmp_path / "m", network, "torchscript")
    with pytest.raises(ConsentNeededError, match=r"program\.pt is a TorchScript program") as caught:
        load_model(path)
    assert caught.value.path == str(path)
    consent.trust(caught.value.sha256)
    model = load_model(path)
    assert model.spec.architecture == "torchscript"
    gives(model, network)


def test_state_dict_comes_first_and_the_graph_where_its_network_is_not_known(tmp_path):
    known = randomise(CourseUNet(1, 1, (4, 8)))
    model = load_model(package(tmp_path / "known", known, "onnx", "pytorch_state_dict"))
    assert model.spec.architecture == "unet_padded"
    strange = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 5, padding=2), torch.nn.Conv2d(4, 1, 1))
    model = load_model(package(tmp_path / "strange", strange, "onnx", "pytorch_state_dict"))
    assert model.spec.architecture == "onnx"
    gives(model, strange)


def test_where_nothing_can_be_used_the_first_reason_is_given(tmp_path):
    strange = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 5, padding=2), torch.nn.Conv2d(4, 1, 1))
    path = package(tmp_path / "m", strange, "pytorch_state_dict")
    with pytest.raises(ModelError, match=r"weights\.pt holds the weights of another network"):
        load_model(path)


def test_network_of_a_library_is_packaged_as_a_program_that_comes_back(tmp_path, repository):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of packages that MONAI could use
        nets = pytest.importorskip("monai.networks.nets", reason="the extra monai is missing")
        torch.manual_seed(0)
        network = nets.UNet(2, 1, 1, (4, 8, 16), (2, 2), norm="BATCH")
    torch.save(randomise(network).state_dict(), tmp_path / "theirs.pt")
    model = load_model(tmp_path / "theirs.pt")
    folder = tmp_path / "m"
    folder.mkdir()
    path = folder / "package.zip"
    rng = np.random.default_rng(1)
    shape = sample_shape(model.spec)
    export_package(path, model.network, model.spec, rng.integers(0, 256, shape, np.uint8))
    with zipfile.ZipFile(path) as archive:
        assert "weights_torchscript.pt" in archive.namelist()
    script = repository / "tests" / "support" / "run_bioimageio_core.py"
    image = rng.integers(0, 256, (1, 93, 71), np.uint8)
    np.save(folder / "image.npy", image)
    run = subprocess.run([sys.executable, str(script), str(tmp_path)], capture_output=True)
    assert run.returncode == 0, run.stderr
    said = json.loads((folder / "core.json").read_text("utf-8"))
    assert said["status"] == "passed", said["errors"]
    ours = probability(model, image[0])
    np.testing.assert_allclose(np.load(folder / "core.npy")[0], ours, atol=1e-4)
    with pytest.raises(ConsentNeededError) as caught:
        load_model(path)
    consent.trust(caught.value.sha256)
    np.testing.assert_allclose(probability(load_model(path), image[0]), ours, atol=1e-4)


def test_graphs_are_not_exported(tmp_path):
    path = write_onnx(padded_unet(), tmp_path / "m.onnx")
    model = load_model(path)
    with pytest.raises(ModelError, match="ONNX graphs are not packaged"):
        export_package(
            tmp_path / "p.zip",
            model.network,
            model.spec,
            np.ones(sample_shape(model.spec), np.uint8),
        )
    assert not (tmp_path / "p.zip").exists()


def test_own_file_of_the_same_weights_gives_the_same(tmp_path):
    """Read from a package and written as our own file, it is the same model."""
    network = randomise(CourseUNet(1, 1, (4, 8)))
    model = load_model(package(tmp_path / "m", network, "pytorch_state_dict"))
    own = tmp_path / "own.safetensors"
    write_checkpoint(own, model.network.state_dict(), model.spec)
    image = pixels()[0, 0]
    once, again = (segment(image, str(m), device="cpu") for m in (tmp_path / "m.zip", own))
    np.testing.assert_array_equal(once, again)
