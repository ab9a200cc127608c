"""MONAI's networks are read from their tensors, built by MONAI, and give what they gave there."""

import sys
import warnings

import pytest
import torch
from models.foreign_networks import randomise
from safetensors.torch import save_file

from napari_slicewise.errors import ModelError
from napari_slicewise.models.checkpoint import load_network, read_checkpoint, write_checkpoint

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of packages that MONAI could use
    nets = pytest.importorskip("monai.networks.nets", reason="the extra monai is not installed")

LEAKY = ("LeakyReLU", {"negative_slope": 0.1})


def unet(**settings):
    given = {
        "spatial_dims": 2,
        "in_channels": 1,
        "out_channels": 2,
        "channels": (4, 8, 16),
        "strides": (2, 2),
        "norm": "BATCH",
    }
    return nets.UNet(**(given | settings))


def basic(**settings):
    given = {"spatial_dims": 2, "in_channels": 1, "features": (4, 4, 8, 8, 16, 6)}
    return nets.BasicUNet(**(given | settings))


# name: network, what must be answered for it, whether its tiles are whole slices
CASES = {
    "plain": (lambda: unet(), {}, False),
    "residual": (lambda: unet(num_res_units=2, out_channels=1), {}, False),
    "three levels of residuals": (
        lambda: unet(channels=(4, 8, 8, 16), strides=(2, 2, 2), num_res_units=3),
        {},
        False,
    ),
    "one stride is 1": (
        lambda: unet(channels=(4, 8, 16, 16), strides=(2, 1, 2), num_res_units=2),
        {},
        False,
    ),
    "kernels of 5 and 3": (lambda: unet(kernel_size=5, up_kernel_size=3), {}, False),
    "without bias": (lambda: unet(bias=False, in_channels=3), {}, False),
    "activation first": (lambda: unet(adn_ordering="ADN", num_res_units=1), {}, False),
    "ReLU": (lambda: unet(act="RELU"), {}, False),
    "leaky": (lambda: unet(act=LEAKY), {"act": "leaky_relu_0.1"}, False),
    "no norm": (lambda: unet(norm=None, act="RELU"), {"norm": "none"}, False),
    "instance": (lambda: unet(norm="INSTANCE"), {}, True),
    "affine instance": (lambda: unet(norm=("INSTANCE", {"affine": True})), {}, True),
    "groups": (lambda: unet(norm=("GROUP", {"num_groups": 4})), {"norm": "group_4"}, True),
    "basic": (lambda: basic(norm="batch"), {}, False),
    "basic as MONAI makes it": (lambda: basic(out_channels=1), {}, True),
    "basic with ReLU": (lambda: basic(norm="batch", act="relu"), {"act": "relu"}, False),
    "basic, interpolated": (lambda: basic(norm="batch", upsample="nontrainable"), {}, True),
    "basic, shuffled": (lambda: basic(norm="batch", upsample="pixelshuffle"), {}, False),
}


def saved(tmp_path, network, suffix="pt"):
    path = tmp_path / f"theirs.{suffix}"
    state = network.state_dict()
    torch.save(state, path) if suffix == "pt" else save_file(state, path)
    return path


def largest_difference(network, checkpoint, sides):
    image = torch.rand(2, checkpoint.spec.in_channels, *sides)
    with torch.inference_mode():
        expected, ours = network(image), load_network(checkpoint)(image)
    assert expected.std() > 1e-3
    return float((ours - expected).abs().max())


@pytest.mark.parametrize("name", CASES)
def test_output_is_the_sources(tmp_path, name):
    make, answers, whole = CASES[name]
    network = randomise(make())
    checkpoint = read_checkpoint(saved(tmp_path, network), answers)
    assert checkpoint.spec.sees_all == whole
    assert largest_difference(network, checkpoint, (64, 64)) < 1e-4
    assert largest_difference(network, checkpoint, (48, 80)) < 1e-4


@pytest.mark.parametrize("name", ["plain", "residual", "basic"])
def test_safetensors_sorted_by_name_and_trainers_prefixes_are_the_same(tmp_path, name):
    network = randomise(CASES[name][0]())
    assert largest_difference(network, read_checkpoint(saved(tmp_path, network, "safetensors")),
                              (64, 64)) < 1e-4  # fmt: skip
    wrapped = {"net." + key: value for key, value in network.state_dict().items()}
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": wrapped, "hyper_parameters": {"lr": 1.0}}, path)
    assert largest_difference(network, read_checkpoint(path), (64, 64)) < 1e-4


@pytest.mark.parametrize("name", ["residual", "leaky", "groups", "basic, interpolated"])
def test_saved_as_our_own_file_it_is_the_same_model(tmp_path, name):
    make, answers, _ = CASES[name]
    network = randomise(make())
    first = read_checkpoint(saved(tmp_path, network), answers)
    write_checkpoint(tmp_path / "own.safetensors", first.state, first.spec)
    second = read_checkpoint(tmp_path / "own.safetensors")
    assert second.spec == first.spec
    assert largest_difference(network, second, (64, 64)) < 1e-4


def test_what_was_read_and_what_was_guessed_is_said(tmp_path):
    spec = read_checkpoint(saved(tmp_path, unet(in_channels=2, norm="INSTANCE"))).spec
    assert (spec.in_channels, spec.out_channels, spec.widths, spec.stride) == (2, 2, (4, 8, 16), 4)
    assert (spec.output, spec.architecture) == ("classes", "monai_unet")
    for words in ("MONAI's UNet", "instance norm", "strides of 2", "not cut into tiles"):
        assert words in spec.description
    checkpoint = read_checkpoint(saved(tmp_path, basic()))
    asked = {question.key: question.guess for question in checkpoint.questions}
    assert asked["act"] == "leaky_relu_0.1"
    assert asked["norm"] == "instance_affine"


def test_only_groups_that_divide_every_width_are_offered(tmp_path):
    path = saved(tmp_path, unet(channels=(4, 8, 12), norm=("INSTANCE", {"affine": True})))
    (norm,) = (q for q in read_checkpoint(path).questions if q.key == "norm")
    assert norm.values == ("instance_affine", "group_1", "group_2", "group_4")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: unet(spatial_dims=3), r"'model.0.conv.weight' of shape .* is a 3D one"),
        (lambda: basic(spatial_dims=3), r"'conv_0.conv_0.conv.weight' .* is a 3D one"),
    ],
)
def test_networks_for_volumes_are_refused_with_their_first_tensor(tmp_path, make, words):
    with pytest.raises(ModelError, match=words):
        read_checkpoint(saved(tmp_path, make()))


def test_a_classifier_of_monai_is_refused(tmp_path):
    path = saved(tmp_path, nets.Classifier((1, 16, 16), 2, (4, 8), (2, 2)))
    with pytest.raises(ModelError, match=r"a classifier|another network"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("make", "lost", "words"),
    [
        (unet, "model.2.conv.weight", "'model.2.conv.weight' is missing"),
        (unet, "model.1.submodule.0.conv.bias", "0.conv.bias' is missing"),
        (basic, "final_conv.weight", "'final_conv.weight' is missing"),
        (basic, "down_2.convs.conv_1.conv.weight", "down_2.convs.conv_1.conv.weight' is missing"),
    ],
)
def test_a_missing_tensor_is_named(tmp_path, make, lost, words):
    state = make().state_dict()
    del state[lost]
    path = tmp_path / "less.pt"
    torch.save(state, path)
    with pytest.raises(ModelError, match=words):
        read_checkpoint(path)


def test_without_monai_the_error_says_what_to_install(tmp_path, monkeypatch):
    path = saved(tmp_path, unet())
    monkeypatch.setattr("napari_slicewise.models.monai_layers.find_spec", lambda _name: None)
    with pytest.raises(ModelError, match="MONAI, which is not installed") as caught:
        read_checkpoint(path)
    assert "napari-slicewise[monai]" in caught.value.hint
    assert str(path) in caught.value.message


def test_a_card_cannot_name_a_layer_that_is_not_known(tmp_path):
    first = read_checkpoint(saved(tmp_path, unet(act="RELU")))
    for key, word in (("act", "os.system"), ("norm", "LOCALRESPONSE")):
        options = first.spec.options | {key: word}
        spec = type(first.spec)(**{**vars(first.spec), "options": options})
        path = tmp_path / "card.safetensors"
        write_checkpoint(path, first.state, spec)
        with pytest.raises(ModelError):
            read_checkpoint(path)


def test_reading_imports_no_more_of_monai_than_its_networks(tmp_path):
    read_checkpoint(saved(tmp_path, unet()))
    assert "monai.networks.nets" in sys.modules
