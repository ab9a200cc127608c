"""Networks of libraries through a whole run: odd sizes, tiles, the engine that would be chosen."""

import warnings

import numpy as np
import pytest
import torch
from models.foreign_networks import randomise
from support.opaque_files import padded_unet, probability, write_program

from napari_slicewise.errors import ConsentNeededError
from napari_slicewise.inference.loading import ModelCache, load_model_file
from napari_slicewise.models import consent

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of packages that MONAI could use
    nets = pytest.importorskip("monai.networks.nets", reason="the extra monai is not installed")


def unet(**settings):
    given = {"channels": (8, 8, 16), "strides": (2, 2), "norm": "BATCH"}
    return nets.UNet(2, 1, 1, **(given | settings))


def basic(**settings):
    return nets.BasicUNet(2, 1, 1, features=(4, 4, 8, 8, 8, 4), **settings)


LOCAL = {
    "UNet": lambda: unet(),
    "UNet of residual units": lambda: unet(num_res_units=2),
    "UNet of large kernels": lambda: unet(kernel_size=5),
    "BasicUNet": lambda: basic(norm="batch"),
    "BasicUNet, shuffled": lambda: basic(norm="batch", upsample="pixelshuffle"),
}
WHOLE = {
    "UNet of instance norm": lambda: unet(norm="INSTANCE"),
    "BasicUNet as MONAI makes it": lambda: basic(),
    "BasicUNet, interpolated": lambda: basic(norm="batch", upsample="nontrainable"),
}


@pytest.fixture
def image():
    return np.random.default_rng(4).integers(0, 256, (263, 331), np.uint8)


def centred(network):
    """Random weights whose answers lie on both sides of one half, and vary."""
    randomise(network)
    with torch.inference_mode():
        out = network(torch.rand(1, 1, 128, 128))
    last = [module for module in network.modules() if hasattr(module, "bias")][-1]
    with torch.no_grad():
        if last.bias is not None:
            last.bias -= out.mean()
        last.weight /= out.std()
        last.bias /= out.std()
    return network


def loaded(tmp_path, network):
    path = tmp_path / "theirs.pt"
    torch.save(network.state_dict(), path)
    return load_model_file(path)


def alone(network, image, stride):
    """What the source gives for the mirrored image in one pass."""
    rows, columns = (-(-side // stride) * stride for side in image.shape)
    border = ((0, rows - image.shape[0]), (0, columns - image.shape[1]))
    padded = np.pad(image.astype(np.float32) / 255.0, border, mode="reflect")
    with torch.inference_mode():
        out = network(torch.from_numpy(padded)[None, None]).sigmoid()[0, 0]
    return out[: image.shape[0], : image.shape[1]].numpy()


@pytest.mark.parametrize("name", [*LOCAL, *WHOLE])
def test_a_run_over_an_odd_image_gives_what_the_source_gives(tmp_path, image, name):
    network = centred((LOCAL | WHOLE)[name]())
    model = loaded(tmp_path, network)
    expected = alone(network, image, model.spec.stride)
    assert expected.std() > 0.01
    np.testing.assert_allclose(probability(model, image), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", LOCAL)
def test_tiles_give_what_the_whole_slice_gives(tmp_path, image, name):
    network = centred(LOCAL[name]())
    model = loaded(tmp_path, network)
    spec = model.spec
    tile = max(40, 2 * spec.margin + 2 * spec.stride)
    assert tile < max(image.shape)  # so that there are several
    tiled = probability(model, image, tile=tile)
    np.testing.assert_allclose(
        tiled, alone(network, image, spec.stride), rtol=0, atol=1e-4, err_msg=str(spec.margin)
    )


@pytest.mark.parametrize("name", WHOLE)
def test_what_depends_on_the_whole_slice_would_differ_in_tiles(tmp_path, image, name):
    """So it is not cut; where a user asks for tiles, the result is another one."""
    network = centred(WHOLE[name]())
    model = loaded(tmp_path, network)
    assert model.spec.sees_all
    tile = max(40, 2 * model.spec.margin + 2 * model.spec.stride)
    if tile < min(image.shape):
        tiled = probability(model, image, tile=tile)
        assert np.abs(tiled - alone(network, image, model.spec.stride)).max() > 1e-3


def test_the_cache_of_models_runs_no_program_without_consent(tmp_path, monkeypatch):
    monkeypatch.setattr(consent, "trusted_file", lambda: tmp_path / "trusted.txt")
    monkeypatch.setattr(torch.jit, "load", lambda *_a, **_k: pytest.fail("the program was loaded"))
    path = write_program(padded_unet(), tmp_path / "m.pt")
    with pytest.raises(ConsentNeededError):
        ModelCache().get(str(path))
