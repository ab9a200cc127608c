"""Other projects' checkpoints give, as our networks, what they gave at home."""

import re

import pytest
import torch
from models.foreign_networks import BrainUNet, CourseUNet, PlainUNet, PyTorchUNet, randomise
from safetensors.torch import save_file
from torch import nn

from napari_slicewise.errors import ModelError
from napari_slicewise.models.checkpoint import load_network, read_checkpoint, write_checkpoint

FAMILIES = {
    "transposed": (lambda: PyTorchUNet(2, 3, 4, bilinear=False), "unet", "classes"),
    "bilinear": (lambda: PyTorchUNet(1, 1, 4, bilinear=True), "unet_padded", "foreground"),
    "brain": (lambda: BrainUNet(3, 1, 4), "unet", "foreground"),
    "course": (lambda: CourseUNet(1, 1, (4, 8, 16, 32)), "unet", "foreground"),
    "shallow": (lambda: CourseUNet(1, 2, (4, 8)), "unet_padded", "classes"),
    "plain": (lambda: PlainUNet(1, 1, (4, 6, 10)), "unet_padded", "foreground"),
}
SIDES = {"unet": 16, "unet_padded": 4}


def answer(network, image):
    with torch.inference_mode():
        return network(image)


def agree(network, checkpoint, sides=(64, 64)):
    """Both give the same; the source's own sigmoid is applied to ours where it has one."""
    image = torch.rand(2, checkpoint.spec.in_channels, *sides)
    expected = answer(network, image)
    ours = answer(load_network(checkpoint), image)
    assert expected.std() > 1e-3
    torch.testing.assert_close(
        ours.sigmoid() if isinstance(network, BrainUNet) else ours, expected, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize("family", FAMILIES)
def test_output_is_the_sources(tmp_path, family, suffix):
    make, architecture, output = FAMILIES[family]
    network = randomise(make())
    path = tmp_path / f"theirs.{suffix}"
    state = network.state_dict()
    torch.save(state, path) if suffix == "pt" else save_file(state, path)
    checkpoint = read_checkpoint(path)
    assert (checkpoint.spec.architecture, checkpoint.spec.output) == (architecture, output)
    assert (checkpoint.spec.name, checkpoint.spec.padding) == ("theirs", "same")
    agree(network, checkpoint)
    agree(network, checkpoint, (48, 80))


@pytest.mark.parametrize("family", FAMILIES)
def test_saved_as_our_own_file_it_is_the_same_model(tmp_path, family):
    network = randomise(FAMILIES[family][0]())
    theirs, ours = tmp_path / "theirs.pt", tmp_path / "ours.safetensors"
    torch.save(network.state_dict(), theirs)
    first = read_checkpoint(theirs)
    write_checkpoint(ours, first.state, first.spec)
    second = read_checkpoint(ours)
    assert second.spec == first.spec
    agree(network, second)


def test_facts_are_read_and_assumptions_said(tmp_path):
    path = tmp_path / "m.pt"
    torch.save(PyTorchUNet(3, 1, 4, bilinear=True).state_dict(), path)
    spec = read_checkpoint(path).spec
    assert (spec.in_channels, spec.first_filters, spec.stride, spec.margin) == (3, 4, 16, 128)
    assert (spec.upsampling, spec.batch_norm) == ("bilinear_aligned", True)
    assert spec.widths[10:] == (32, 16, 16, 8, 8, 4, 4, 4)
    assert "milesial" in spec.description
    torch.save(BrainUNet(3, 1, 2).state_dict(), path)
    assert read_checkpoint(path).spec.normalization == "z_score"
    assert "mean 0 and standard deviation 1" in read_checkpoint(path).spec.description
    torch.save(PlainUNet(1, 4, (4, 6, 10)).state_dict(), path)
    spec = read_checkpoint(path).spec
    assert (spec.batch_norm, spec.upsampling, spec.stride, spec.margin) == (
        False,
        "bilinear",
        4,
        32,
    )
    for open_point in ("names are not known", "padded", "the upsampled channels first", "softmax"):
        assert open_point in spec.description


def test_names_before_2019_are_the_same_family(tmp_path):
    network = randomise(PyTorchUNet(1, 2, 4, bilinear=True))
    old = {"inc.double_conv": "inc.conv.conv", "double_conv": "conv", "maxpool_conv": "mpconv"}
    state = {
        re.sub("|".join(old), lambda m: old[m[0]], k): v for k, v in network.state_dict().items()
    }
    assert "down1.mpconv.1.conv.0.weight" in state
    path = tmp_path / "old.pth"
    torch.save(state, path)
    checkpoint = read_checkpoint(path)
    assert "before 2019" in checkpoint.spec.description
    agree(network, checkpoint)


def test_order_of_an_unknown_network_can_be_chosen(tmp_path):
    network = randomise(CourseUNet(1, 1, (4, 8), names=("rising", "falling")))
    path = tmp_path / "m.pt"
    torch.save(network.state_dict(), path)
    agree(network, read_checkpoint(path, {"skip_order": "skip_first"}))
    with pytest.raises(AssertionError):
        agree(network, read_checkpoint(path))


def test_interpolation_of_an_unknown_network_can_be_chosen(tmp_path):
    network = randomise(PlainUNet(1, 1, (4, 6, 10), mode="nearest"))
    path, own = tmp_path / "m.pt", tmp_path / "own.safetensors"
    torch.save(network.state_dict(), path)
    chosen = read_checkpoint(path, {"interpolation": "nearest"})
    agree(network, chosen)
    write_checkpoint(own, chosen.state, chosen.spec)
    agree(network, read_checkpoint(own))


def test_odd_sides_are_mirrored_by_us_and_padded_with_zeros_by_pytorch_unet(tmp_path):
    """Away from the border that differs, both agree; docs/models.md tells the users."""
    network = randomise(PyTorchUNet(1, 1, 4, bilinear=False))
    path = tmp_path / "m.pt"
    torch.save(network.state_dict(), path)
    ours = load_network(read_checkpoint(path))
    image = torch.rand(1, 1, 64, 252)
    padded = nn.functional.pad(image, [0, 4, 0, 0], mode="reflect")
    theirs, mended = answer(network, image), answer(ours, padded)[..., :252]
    torch.testing.assert_close(mended[..., :128], theirs[..., :128], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(mended, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("wrapper", ["ema", "ema_state_dict", "model_ema", "state_dict"])
@pytest.mark.parametrize("prefix", ["model.", "net.", "unet.", "module.", ""])
def test_wrappers_of_trainers_are_taken_off(tmp_path, wrapper, prefix):
    network = randomise(CourseUNet(1, 1, (4, 8)))
    state = {prefix + key: value for key, value in network.state_dict().items()}
    optimiser = {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.1}]}
    beside = {"epoch": 3, "optimizer_states": [optimiser], "pytorch-lightning_version": "2.4"}
    path = tmp_path / "last.ckpt"
    torch.save(beside | {wrapper: state}, path)
    agree(network, read_checkpoint(path))


def changed(family, change):
    state = FAMILIES[family][0]().state_dict()
    change(state)
    return state


def zeros(key, *shape):
    return lambda state: state.update({key: torch.zeros(shape)})


@pytest.mark.parametrize(
    ("family", "change", "words"),
    [
        ("transposed", lambda s: s.pop("up2.up.weight"), "'up2.up.weight' is missing"),
        ("transposed", lambda s: s.pop("outc.conv.weight"), "'outc.conv.weight' is missing"),
        (
            "transposed",
            lambda s: [s.pop("outc.conv.weight"), s.pop("outc.conv.bias")],
            "0 convolutions of 1x1",
        ),
        ("brain", lambda s: s.pop("decoder2.dec2norm1.running_var"), "dec2norm1.running_var"),
        ("brain", lambda s: s.pop("decoder2.dec2conv1.weight"), "17 convolutions of 3x3"),
        ("brain", zeros("decoder2.dec2conv1.weight", 8, 15, 3, 3), "dec2conv1.*reads 15.*make 16"),
        ("brain", zeros("upconv3.weight", 16, 4, 2, 2), "'upconv3.bias' has the shape"),
        ("brain", zeros("attention.weight", 1, 4, 1, 1), "2 convolutions of 1x1"),
        ("brain", zeros("gamma.alpha", 4), "'gamma.alpha' belongs to no layer"),
        ("brain", zeros("act.weight", 1), "'act.weight' of shape .1,. is a normal.*PReLU"),
        ("brain", zeros("conv.weight", 1, 4, 5, 5), r"'conv.weight' has the shape \(1, 4, 5, 5\)"),
        ("course", zeros("ups.1.conv.1.weight", 3), "batch norm 'ups.1.conv.1.weight'"),
        ("plain", zeros("back.0.1.weight", 4, 4, 4), "a convolution along a line"),
    ],
)
def test_first_tensor_that_does_not_fit_is_named(tmp_path, family, change, words):
    path = tmp_path / "theirs.pt"
    torch.save(changed(family, change), path)
    with pytest.raises(ModelError, match=words) as caught:
        read_checkpoint(path)
    assert re.search(r"holds the weights of another network \(\d+ tensors", caught.value.message)


def test_batch_norm_after_the_relu_is_refused(tmp_path):
    state = {}
    for key, value in CourseUNet(1, 1, (4, 8)).state_dict().items():
        parts = key.split(".")
        if parts[-2:-1] in (["1"], ["4"]) and "conv" in parts:
            parts[-2] = str(int(parts[-2]) + 1)
        state[".".join(parts)] = value
    path = tmp_path / "late.pt"
    torch.save(state, path)
    with pytest.raises(ModelError, match="does not follow"):
        read_checkpoint(path)


@pytest.mark.parametrize("names", [("encBlocks", "dec_blocks"), ("encoder_blocks", "dec_blocks")])
def test_other_spellings_of_the_sixty_lines_stay_unpadded(tmp_path, names):
    from napari_slicewise.models.unet_compact import UNetCompact

    state = UNetCompact((3, 4, 8), 1).state_dict()
    path = tmp_path / "course.pt"
    torch.save({k.replace("enc_blocks", names[0]): v for k, v in state.items()}, path)
    spec = read_checkpoint(path).spec
    assert (spec.architecture, spec.padding) == ("unet_compact", "valid")
