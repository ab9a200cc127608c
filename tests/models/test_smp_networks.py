"""segmentation_models_pytorch: its Unet is read from the tensors and gives what it gave there."""

import pytest
import torch
from models.foreign_networks import randomise
from safetensors.torch import save_file
from torch import nn

from napari_slicewise.errors import ModelError
from napari_slicewise.models.checkpoint import load_network, read_checkpoint, write_checkpoint


@pytest.fixture
def library():
    """The library; it needs the torchvision that was built for exactly this torch."""
    reason = "segmentation_models_pytorch, or the torchvision that fits torch, is not installed"
    try:
        import segmentation_models_pytorch
    except (ImportError, RuntimeError):
        pytest.skip(reason)
    return segmentation_models_pytorch


CASES = {
    "resnet18": {},
    "resnet34": {"in_channels": 1, "classes": 3},
    "resnet50": {"encoder_depth": 4, "decoder_channels": (32, 16, 8, 8)},
    "vgg11": {"encoder_depth": 3, "decoder_channels": (16, 8, 8)},
    "mobilenet_v2": {"decoder_attention_type": "scse"},
    "efficientnet-b0": {},
}


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize("encoder", CASES)
def test_output_is_the_sources(tmp_path, library, encoder, suffix):
    settings = {"encoder_weights": None, **CASES[encoder]}
    network = randomise(library.Unet(encoder_name=encoder, **settings))
    path = tmp_path / f"theirs.{suffix}"
    state = network.state_dict()
    torch.save(state, path) if suffix == "pt" else save_file(state, path)
    checkpoint = read_checkpoint(path)
    assert checkpoint.spec.options["encoder"] == encoder
    image = torch.rand(1, checkpoint.spec.in_channels, 96, 64)
    with torch.inference_mode():
        expected, ours = network(image), load_network(checkpoint)(image)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)
    own = tmp_path / "own.safetensors"
    write_checkpoint(own, checkpoint.state, checkpoint.spec)
    assert read_checkpoint(own).spec == checkpoint.spec


def unet_like():
    """Its names, without the library: what is looked for is not in what it is built by."""
    return {
        "encoder.conv1.weight": torch.zeros(64, 3, 7, 7),
        "encoder.layer1.0.conv1.weight": torch.zeros(64, 64, 3, 3),
        "decoder.blocks.0.conv1.0.weight": torch.zeros(16, 128, 3, 3),
        "segmentation_head.0.weight": torch.zeros(1, 16, 3, 3),
    }


def test_without_the_library_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_slicewise.models.smp_networks.find_spec", lambda _name: None)
    path = tmp_path / "m.pt"
    torch.save(unet_like(), path)
    with pytest.raises(ModelError, match="which is not installed here") as caught:
        read_checkpoint(path)
    assert "napari-slicewise[smp]" in caught.value.hint


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("segmentation_head.0.weight", None, "'segmentation_head.0.weight' is missing"),
        ("encoder.conv1.weight", nn.Conv3d(1, 2, 3).weight.data, "'encoder.conv1.weight' .* 3D"),
    ],
)
def test_the_first_tensor_that_does_not_fit_is_named(tmp_path, key, value, words):
    state = unet_like() | {key: value}
    path = tmp_path / "m.pt"
    torch.save({k: v for k, v in state.items() if v is not None}, path)
    with pytest.raises(ModelError, match=words):
        read_checkpoint(path)


def test_an_encoder_that_the_library_has_not_is_refused(tmp_path, library):
    path = tmp_path / "m.pt"
    torch.save(unet_like(), path)
    with pytest.raises(ModelError, match="no encoder of segmentation_models_pytorch"):
        read_checkpoint(path)
