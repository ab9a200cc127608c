"""The networks of unpadded convolutions are the published ones: sizes, keys, numbers."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from napari_slicewise.errors import ModelError
from napari_slicewise.models.checkpoint import load_network, read_checkpoint, write_checkpoint
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.unet_2015 import UNet2015
from napari_slicewise.models.unet_compact import UNetCompact

SMALL = (2, 3, 4, 5, 6)


def small(kind, **options):
    torch.manual_seed(3)
    if kind == "2015":
        return UNet2015(1, 2, SMALL).eval()
    return UNetCompact((1, *SMALL), 2, **options).eval()


def pair(kind, state, block, x):
    """Two unpadded convolutions, each with ReLU; in the sixty lines the last may have none."""
    first, second = f"{block}.conv1", f"{block}.conv2"
    x = torch.clamp_min(functional.conv2d(x, state[f"{first}.weight"], state[f"{first}.bias"]), 0)
    x = functional.conv2d(x, state[f"{second}.weight"], state[f"{second}.bias"])
    return x if kind == "compact_linear" else torch.clamp_min(x, 0)


def from_the_paper(kind, state, x):
    """Section 2 and figure 1 of the paper, computed from a state_dict alone."""
    names = {
        "2015": ("contracting.{}", "upconvs.{}", "expanding.{}", "classifier"),
        "compact": ("encoder.enc_blocks.{}", "decoder.upconvs.{}", "decoder.dec_blocks.{}", "head"),
    }
    down, up, side, head = names[kind.split("_")[0]]
    kept = []
    for level in range(5):
        x = pair(kind, state, down.format(level), x)
        if level < 4:
            kept.append(x)
            x = functional.max_pool2d(x, 2)
    for level in range(4):
        name = up.format(level)
        x = functional.conv_transpose2d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride=2)
        skip = kept.pop()
        edge = (skip.shape[-1] - x.shape[-1]) // 2
        skip = skip[..., edge:-edge, edge:-edge]
        joined = [skip, x] if kind == "2015" else [x, skip]
        x = pair(kind, state, side.format(level), torch.cat(joined, 1))
    return functional.conv2d(x, state[f"{head}.weight"], state[f"{head}.bias"])


@pytest.mark.parametrize("kind", ["2015", "compact", "compact_linear"])
def test_output_is_that_of_an_independent_computation(kind):
    network = small(kind.split("_")[0], **({"last_relu": True} if kind == "compact" else {}))
    image = torch.rand(2, 1, 204, 204)
    with torch.inference_mode():
        expected = from_the_paper(kind, network.state_dict(), image)
        assert expected.shape == (2, 2, 20, 20)
        assert expected.std() > 1e-4
        torch.testing.assert_close(network(image), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "channels", "count"),
    [(UNet2015, 1, 31_030_658), (UNetCompact, 3, 31_031_745)],
)
def test_full_network_has_its_published_size_and_makes_388_of_572(make, channels, count):
    with torch.device("meta"):
        network = make()
        assert sum(p.numel() for p in network.parameters()) == count
        assert len(network.state_dict()) == 46  # 23 convolutions, as the paper counts them
        assert network(torch.zeros(1, channels, 572, 572)).shape[-2:] == (388, 388)


def length(side):
    """How long a side becomes, counted level by level."""
    for _ in range(4):
        side = (side - 4) // 2
    side -= 4
    for _ in range(4):
        side = 2 * side - 4
    return side


@pytest.mark.parametrize("kind", ["2015", "compact"])
@pytest.mark.parametrize("sides", [(188, 188), (189, 203), (205, 188), (220, 251)])
def test_odd_sizes_lose_the_rows_that_pooling_drops(kind, sides):
    with torch.inference_mode():
        logits = small(kind)(torch.zeros(1, 1, *sides))
    assert logits.shape[-2:] == tuple(length(side) for side in sides)
    assert logits.shape[-1] <= sides[1] - 184


def test_keys_are_those_of_the_sixty_lines():
    shapes = {k: tuple(v.shape) for k, v in UNetCompact((3, 4, 8), 5).state_dict().items()}
    assert shapes == {
        "encoder.enc_blocks.0.conv1.weight": (4, 3, 3, 3),
        "encoder.enc_blocks.0.conv1.bias": (4,),
        "encoder.enc_blocks.0.conv2.weight": (4, 4, 3, 3),
        "encoder.enc_blocks.0.conv2.bias": (4,),
        "encoder.enc_blocks.1.conv1.weight": (8, 4, 3, 3),
        "encoder.enc_blocks.1.conv1.bias": (8,),
        "encoder.enc_blocks.1.conv2.weight": (8, 8, 3, 3),
        "encoder.enc_blocks.1.conv2.bias": (8,),
        "decoder.upconvs.0.weight": (8, 4, 2, 2),
        "decoder.upconvs.0.bias": (4,),
        "decoder.dec_blocks.0.conv1.weight": (4, 8, 3, 3),
        "decoder.dec_blocks.0.conv1.bias": (4,),
        "decoder.dec_blocks.0.conv2.weight": (4, 4, 3, 3),
        "decoder.dec_blocks.0.conv2.bias": (4,),
        "head.weight": (5, 4, 1, 1),
        "head.bias": (5,),
    }


def test_keys_of_the_network_of_2015_follow_the_figure():
    shapes = {k: tuple(v.shape) for k, v in UNet2015(1, 2, (4, 8)).state_dict().items()}
    assert list(shapes)[:2] == ["contracting.0.conv1.weight", "contracting.0.conv1.bias"]
    assert shapes["contracting.1.conv1.weight"] == (8, 4, 3, 3)
    assert shapes["upconvs.0.weight"] == (8, 4, 2, 2)
    assert shapes["expanding.0.conv1.weight"] == (4, 8, 3, 3)
    assert shapes["classifier.weight"] == (2, 4, 1, 1)


@pytest.mark.parametrize("kind", ["2015", "compact"])
def test_gradient_reaches_every_weight(kind):
    network = small(kind).train()
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, 0.01)  # so that no ReLU is shut
    network(torch.rand(1, 1, 188, 188)).square().mean().backward()
    assert all(float(p.grad.abs().sum()) > 0 for p in network.parameters())


def test_dropout_acts_in_training_only():
    network = UNet2015(1, 2, (4, 8, 16))
    image = torch.rand(1, 1, 60, 60)
    assert not torch.equal(network.train()(image), network(image))
    assert torch.equal(network.eval()(image), network(image))


def test_retained_dimensions_are_those_of_the_image():
    stretched, plain = small("compact", retain_dim=True), small("compact")
    image = torch.rand(1, 1, 188, 204)
    with torch.inference_mode():
        assert stretched(image).shape == (1, 2, 188, 204)
        torch.testing.assert_close(
            stretched(image), functional.interpolate(plain(image), (188, 204))
        )


@pytest.mark.parametrize("kind", ["2015", "compact"])
@pytest.mark.parametrize(("levels", "stride", "rest", "margin"), [(5, 16, 12, 92), (3, 4, 0, 20)])
def test_checkpoint_tells_channels_widths_depth_and_geometry(
    tmp_path, kind, levels, stride, rest, margin
):
    widths = SMALL[:levels]
    network = UNet2015(3, 1, widths) if kind == "2015" else UNetCompact((3, *widths), 1)
    path = tmp_path / "weights.pt"
    torch.save(network.state_dict(), path)
    spec = read_checkpoint(path).spec
    assert (spec.architecture, spec.widths) == (f"unet_{kind}", widths)
    assert (spec.in_channels, spec.out_channels, spec.output) == (3, 1, "foreground")
    assert (spec.padding, spec.stride, spec.remainder) == ("valid", stride, rest)
    assert spec.margin == margin
    side = next(n for n in range(2 * margin + 1, 999) if n % stride == rest)
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, side, side)).shape[-1] == side - 2 * margin


def test_form_with_the_last_relu_is_kept_in_our_own_file(tmp_path):
    network = small("compact", last_relu=True)
    first, second = tmp_path / "weights.pt", tmp_path / "own.safetensors"
    torch.save(network.state_dict(), first)
    checkpoint = read_checkpoint(first)
    assert "without ReLU" in checkpoint.spec.description
    write_checkpoint(second, checkpoint.state, replace(checkpoint.spec, last_relu=True))
    image = torch.rand(1, 1, 188, 188)
    with torch.inference_mode():
        assert torch.equal(load_network(read_checkpoint(second))(image), network(image))
        assert not torch.equal(load_network(checkpoint)(image), network(image))


def test_specification_without_the_new_fields_is_that_of_a_padded_network():
    spec = ModelSpec.from_json('{"name": "old", "stride": 16, "margin": 112}')
    assert (spec.padding, spec.remainder, spec.widths) == ("same", 0, ())
    assert ModelSpec.from_json(replace(spec, widths=(2, 4)).to_json()).widths == (2, 4)


@pytest.mark.parametrize(
    "claim", [{"margin": 60}, {"padding": "same"}, {"remainder": 3}, {"widths": (2, 3)}]
)
def test_header_cannot_claim_another_geometry(tmp_path, claim):
    path = tmp_path / "own.safetensors"
    torch.save(small("2015").state_dict(), path.with_suffix(".pt"))
    checkpoint = read_checkpoint(path.with_suffix(".pt"))
    write_checkpoint(path, checkpoint.state, replace(checkpoint.spec, **claim))
    with pytest.raises(ModelError, match="its weights are"):
        read_checkpoint(path)


@pytest.mark.parametrize("claim", ['"padding": "some"', '"upsampling": "cubic"', '"widths": [0]'])
def test_words_and_widths_that_mean_nothing_are_refused(claim):
    with pytest.raises(ModelError):
        ModelSpec.from_json(f'{{"name": "m", {claim}}}')
