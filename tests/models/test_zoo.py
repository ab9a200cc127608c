"""The bundled models are there, complete, and described without torch."""

import subprocess
import sys

import pytest
from safetensors.torch import save_file

from napari_slicewise.errors import ModelError
from napari_slicewise.models.checkpoint import load_network, read_checkpoint, write_checkpoint
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.unet import UNet
from napari_slicewise.models.zoo import bundled_models, read_spec, resolve_model, weights_path


def test_every_bundled_model_loads_is_small_and_has_a_card():
    specs = bundled_models()
    assert "nuclei" in {spec.name for spec in specs}
    for spec in specs:
        path = weights_path(spec.name)
        checkpoint = read_checkpoint(path)
        load_network(checkpoint)
        assert checkpoint.spec == spec
        assert spec.title
        assert spec.licence
        assert path.stat().st_size < 12_000_000
        assert path.with_suffix(".md").is_file()


def test_bundled_models_are_listed_without_torch():
    code = (
        "import sys; from napari_slicewise.models.zoo import bundled_models;"
        "assert bundled_models(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_name_comes_before_a_file_of_the_same_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nuclei").write_bytes(b"not this one")
    assert resolve_model("nuclei") == weights_path("nuclei")


def test_path_is_taken_where_no_model_has_the_name(tmp_path):
    path = tmp_path / "mine.pt"
    path.write_bytes(b"x")
    assert resolve_model(str(path)) == path


@pytest.mark.parametrize("name", ["nuklei", "", "../weights/nuclei"])
def test_unknown_name_is_refused_with_the_names_that_exist(name):
    with pytest.raises(ModelError) as caught:
        resolve_model(name)
    assert "nuclei" in caught.value.hint


def test_unknown_weights_are_refused():
    with pytest.raises(ModelError, match="no bundled model 'other'"):
        weights_path("other")


def test_specification_is_read_from_the_header_alone(tmp_path):
    path = tmp_path / "m.safetensors"
    spec = ModelSpec("m", first_filters=1, scores={"AP50": 0.5})
    write_checkpoint(path, UNet(1, 1, 1).state_dict(), spec)
    path.write_bytes(path.read_bytes()[:-1000])
    assert read_spec(path) == spec


def test_file_without_specification_has_none(tmp_path):
    path = tmp_path / "m.safetensors"
    save_file(UNet(1, 1, 1).state_dict(), path)
    assert read_spec(path) is None


@pytest.mark.parametrize("data", [b"", b"text, no tensors", b"\xff" * 64, b"[]".rjust(10, b"\0")])
def test_broken_headers_are_refused(tmp_path, data):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(data)
    with pytest.raises(ModelError):
        read_spec(path)
    with pytest.raises(ModelError):
        read_spec(tmp_path / "missing.safetensors")
