"""TorchScript: nothing of it runs without consent for exactly this file; then it runs as it is."""

import numpy as np
import pytest
import torch
from support.opaque_files import padded_unet, probability, write_program
from torch import nn

from napari_slicewise.cli import main
from napari_slicewise.errors import ConsentNeededError, ModelError
from napari_slicewise.inference.loading import load_model_file
from napari_slicewise.models import consent

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")


@pytest.fixture(autouse=True)
def own_list(tmp_path, monkeypatch):
    place = tmp_path / "config" / "trusted_programs.txt"
    monkeypatch.setattr(consent, "trusted_file", lambda: place)
    return place


@pytest.fixture
def image():
    return np.random.default_rng(2).integers(0, 256, (70, 101), np.uint8)


def consented(path):
    with pytest.raises(ConsentNeededError) as caught:
        load_model_file(path)
    consent.trust(caught.value.sha256, path.name)
    return load_model_file(path)


def test_without_consent_nothing_is_loaded(tmp_path, monkeypatch):
    path = write_program(padded_unet(), tmp_path / "m.pt")

    def never(*_args, **_kwargs):
        raise AssertionError("the program was loaded")

    monkeypatch.setattr(torch.jit, "load", never)
    with pytest.raises(ConsentNeededError, match="is a TorchScript program") as caught:
        load_model_file(path)
    assert caught.value.path == str(path)
    assert "state_dict()" in caught.value.hint


def test_with_consent_output_is_the_networks(tmp_path, image):
    network = padded_unet(outputs=2)
    model = consented(write_program(network, tmp_path / "m.pt"))
    spec = model.spec
    assert (spec.architecture, spec.in_channels, spec.out_channels) == ("torchscript", 1, 2)
    assert spec.stride == 4
    padded = np.pad(image.astype(np.float32) / 255.0, ((0, 2), (0, 3)), mode="reflect")
    with torch.inference_mode():
        wanted = network(torch.from_numpy(padded)[None, None]).softmax(1)[0, 1, :70, :101].numpy()
    np.testing.assert_allclose(probability(model, image), wanted, atol=1e-4)
    np.testing.assert_allclose(probability(model, image, tile=64), wanted, atol=1e-4)


def test_consent_ends_with_the_first_byte_that_changes(tmp_path):
    path = write_program(padded_unet(seed=1), tmp_path / "m.pt")
    consented(path)
    write_program(padded_unet(seed=2), path)
    with pytest.raises(ConsentNeededError):
        load_model_file(path)


def test_several_channels_are_read_from_the_first_kernel(tmp_path):
    model = consented(write_program(padded_unet(3, 1), tmp_path / "m.pt", channels=3))
    assert model.spec.in_channels == 3


class _Pair(nn.Module):
    def forward(self, image):
        return image, image + 1


def test_a_program_of_two_outputs_is_refused(tmp_path):
    path = write_program(_Pair(), tmp_path / "m.pt")
    with pytest.raises(ModelError, match="gives a tuple, and no single tensor"):
        consented(path)


def test_a_broken_program_is_refused_after_consent_too(tmp_path):
    path = write_program(padded_unet(), tmp_path / "m.pt")
    content = bytearray(path.read_bytes())
    middle = content.index(b"code/")
    content[middle + 40 : middle + 400] = bytes(360)
    path.write_bytes(bytes(content))
    consent.trust(consent_hash(path))
    with pytest.raises(ModelError, match=r"broken|incomplete|no output"):
        load_model_file(path)


def consent_hash(path):
    from napari_slicewise.models.file_guard import file_sha256

    return file_sha256(path)


def test_the_command_line_asks_and_takes_consent(tmp_path, image, capsys):
    import tifffile

    path = write_program(padded_unet(), tmp_path / "m.pt")
    tifffile.imwrite(tmp_path / "image.tif", image)
    command = ["segment", str(tmp_path / "image.tif"), "-o", str(tmp_path / "out.tif"), "--quiet"]
    command += ["--model", str(path)]
    assert main(command) == 1
    said = capsys.readouterr().err
    digest = consent_hash(path)
    assert "TorchScript program" in said
    assert f"--trust-code {digest}" in said
    assert main([*command, "--trust-code", "0" * 64]) == 1
    assert not (tmp_path / "out.tif").exists()
    assert main([*command, "--trust-code", digest]) == 0
    assert tifffile.imread(tmp_path / "out.tif").shape == image.shape
