"""Tiles show nowhere: what they give is what the whole slice gives, for every kind of network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_slicewise.geometry import tile_grid
from napari_slicewise.inference.device import LocalDevices
from napari_slicewise.inference.loading import LoadedModel, load_model_file
from napari_slicewise.inference.plan import border_lost, padded_shape
from napari_slicewise.inference.request import Request
from napari_slicewise.inference.runner import Runner
from napari_slicewise.inference.stream import CancelToken
from napari_slicewise.io.source import ArraySource
from napari_slicewise.models.architectures import padded_spec
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.unet import UNet
from napari_slicewise.models.unet_2015 import UNet2015
from napari_slicewise.models.unet_compact import UNetCompact
from napari_slicewise.models.unet_padded import UNetPadded
from napari_slicewise.models.zoo import resolve_model

SCALE = {"normalization": "divide_by_255"}  # 8-bit images: no measuring, so crops are comparable


class Torch(LocalDevices):
    """The processor through torch, whatever else is installed."""

    def engine(self, device, precision):  # noqa: ARG002 - the policy's signature
        return "torch"


def tutorial():
    return UNet(1, 1, 4), "outputs", ModelSpec("tutorial", first_filters=4, **SCALE)


def valid(kind, levels):
    widths = tuple(range(4, 4 + levels))
    network = UNet2015(1, 2, widths) if kind == "2015" else UNetCompact((1, *widths), 2)
    window = 2 ** (levels - 1)
    spec = ModelSpec(
        kind,
        out_channels=2,
        output="classes",
        padding="valid",
        stride=window,
        remainder=-4 % window,
        margin=6 * window - 4,
        **SCALE,
    )
    return network, "classifier" if kind == "2015" else "head", spec


def foreign(upsampling, depth):
    widths = (4,) * (4 * depth + 2) + ((4,) * depth if upsampling == "transposed" else ())
    spec = padded_spec(ModelSpec("foreign", upsampling=upsampling, **SCALE), depth)
    return UNetPadded(1, 1, widths, upsampling), "head", spec


KINDS = {
    "tutorial": tutorial,
    "2015, five levels": lambda: valid("2015", 5),
    "2015, three levels": lambda: valid("2015", 3),
    "sixty lines, five levels": lambda: valid("compact", 5),
    "sixty lines, four levels": lambda: valid("compact", 4),
    "foreign, bilinear, four poolings": lambda: foreign("bilinear", 4),
    "foreign, bilinear, two poolings": lambda: foreign("bilinear", 2),
    "foreign, nearest, three poolings": lambda: foreign("nearest", 3),
    "foreign, transposed, one pooling": lambda: foreign("transposed", 1),
}


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    return random_model(KINDS[request.param])


def random_model(make):
    """A network of random weights whose logits spread far from the border, not only at it."""
    torch.manual_seed(7)
    network, head, spec = make()
    side = padded_shape((2 * spec.margin + 64,) * 2, spec)[0]
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    with torch.no_grad():
        for _ in range(8):
            network(torch.rand(2, 1, side, side))
        network.eval()
        logits = network(torch.rand(1, 1, side, side))
        inside = spec.margin - border_lost(spec)
        spread = logits[0, 0, inside : inside + 64, inside : inside + 64].std()
        network.get_submodule(head).weight /= spread
    return LoadedModel(spec, "0" * 64, Path("random"), network)


def predicted(model, image, precision="float32", **options):
    source = ArraySource(image)
    request = Request("random", ((),), output="probability", precision=precision, **options)
    (result,) = Runner(request, source, model, Torch(), CancelToken()).results()
    return result.values


def bare(model, image):
    """The network alone on the whole image, mirrored by hand at its borders."""
    spec, (height, width) = model.spec, image.shape
    lost = border_lost(spec)
    rows, columns = (
        -(-(side + 2 * lost - spec.remainder) // spec.stride) * spec.stride + spec.remainder
        for side in image.shape
    )
    border = ((lost, rows - height - lost), (lost, columns - width - lost))
    padded = np.pad(image.astype(np.float32) / 255, border, mode="reflect")
    with torch.inference_mode():
        logits = model.network(torch.from_numpy(padded)[None, None])[0]
    heads = logits.softmax(dim=0)[1] if spec.output == "classes" else logits[0].sigmoid()
    return heads.numpy()[:height, :width]


def noise(seed, *shape):
    """Spots over a slope: no two places look alike."""
    rng = np.random.default_rng(seed)
    return (rng.random(shape) * 155 + np.linspace(0, 100, shape[1])).astype(np.uint8)


def within_reason(**given_):
    """Few examples, each of them a whole network over a whole image."""
    slow = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]

    def decorate(test):
        limits = settings(max_examples=12, deadline=None, suppress_health_check=slow)
        return limits(given(**given_)(test))

    return decorate


@within_reason(
    seed=st.integers(0, 99),
    height=st.integers(1, 420),
    width=st.integers(1, 420),
    steps=st.integers(3, 12),
    batch=st.integers(1, 4),
)
def test_tiles_of_any_size_give_what_the_whole_image_gives(
    model, seed, height, width, steps, batch
):
    image = noise(seed, height, width)
    whole = bare(model, image)
    tile = 2 * model.spec.margin + steps * model.spec.stride
    np.testing.assert_allclose(
        predicted(model, image, tile=max(tile, 32), batch=batch), whole, rtol=0, atol=1e-4
    )


@within_reason(
    seed=st.integers(0, 99), rows=st.integers(0, 6), columns=st.integers(0, 6), more=st.integers(0)
)
def test_a_crop_on_the_pooling_grid_gives_the_same_inside_its_margin(
    model, seed, rows, columns, more
):
    spec = model.spec
    offset = rows * spec.stride, columns * spec.stride
    # What the image's own border decides reaches as far into it as the margin, the mirrored
    # border of an unpadded network and the receptive field beyond it included.
    margin = spec.margin + (spec.stride if spec.padding == "valid" else 0)
    side = 2 * margin + spec.stride * 3 + more % 40
    image = noise(seed, side + offset[0] + 9, side + offset[1] + 5)
    crop = image[offset[0] : offset[0] + side, offset[1] : offset[1] + side]
    inside = np.s_[margin : side - margin, margin : side - margin]
    whole = bare(model, image)[offset[0] :, offset[1] :][inside]
    assert whole.std() > 1e-3  # else everything would be equal to everything
    np.testing.assert_allclose(predicted(model, crop)[inside], whole, rtol=0, atol=1e-4)


def test_no_pixel_decides_about_one_beyond_the_margin(model):
    """The margin against the network itself: a pixel that is no number spoils all it reaches."""
    spec = model.spec
    lost = border_lost(spec)
    reach = spec.margin + (spec.stride if spec.padding == "valid" else 0)
    side = padded_shape((2 * reach + 3 * spec.stride,) * 2, spec)[0]
    for phase in range(spec.stride):
        centre = side // 2 // spec.stride * spec.stride + phase
        image = torch.rand(1, 1, side, side)
        image[..., centre, centre] = torch.nan
        with torch.inference_mode():
            spoiled = model.network(image)[0, 0].isnan().any(dim=0).nonzero()[:, 0] + lost
        assert centre - int(spoiled[0]) <= reach
        assert int(spoiled[-1]) - centre <= reach


def test_a_network_with_aligned_corners_gets_the_whole_slice_at_once():
    """Its interpolation depends on where the input ends, so that tiles cannot agree with it."""
    model = random_model(lambda: foreign("bilinear_aligned", 1))
    image = noise(0, 40, 2300)  # more than the largest tile
    np.testing.assert_allclose(predicted(model, image), bare(model, image), rtol=0, atol=1e-4)


@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    steps=st.integers(1, 20),
    margin=st.integers(0, 40),
    stride=st.sampled_from([1, 2, 4, 8, 16]),
)
def test_the_kept_parts_cover_each_pixel_once_and_lie_inside_the_margins(
    height, width, steps, margin, stride
):
    shape = height * stride, width * stride
    side = -(-2 * margin // stride) * stride + steps * stride
    tile = min(side, shape[0]), min(side, shape[1])
    covered = np.zeros(shape, int)
    for part in tile_grid(shape, tile, margin, stride):
        covered[part.keep.slices] += 1
        read, keep = part.read, part.keep
        assert (read.y0 % stride, read.x0 % stride) == (0, 0)
        assert keep.y0 - read.y0 >= margin or read.y0 == 0
        assert keep.x0 - read.x0 >= margin or read.x0 == 0
        assert read.y1 - keep.y1 >= margin or read.y1 == shape[0]
        assert read.x1 - keep.x1 >= margin or read.x1 == shape[1]
    assert (covered == 1).all()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_no_seam_is_seen_where_the_tiles_of_the_bundled_model_meet(repository, precision):
    """Jumps between neighbouring pixels: across the borders, elsewhere, and without tiles."""
    model = load_model_file(resolve_model("nuclei"))
    plane = tifffile.imread(repository / "sample_data" / "nuclei3d.tif")[7]
    image = np.pad(plane, [(0, max(0, 512 - side)) for side in plane.shape], mode="reflect")
    tile = 2 * model.spec.margin + 5 * model.spec.stride
    probability = predicted(model, image, precision, tile=tile)
    untiled = predicted(model, image, precision, tile=max(image.shape))
    grid = tile_grid(
        padded_shape(image.shape, model.spec), (tile, tile), model.spec.margin, model.spec.stride
    )
    assert len(grid) >= 9
    for axis, seams in (
        (0, sorted({t.keep.y0 for t in grid} - {0})),
        (1, sorted({t.keep.x0 for t in grid} - {0})),
    ):
        borders = np.array([seam for seam in seams if seam < image.shape[axis]]) - 1
        jumps = np.abs(np.diff(probability, axis=axis))
        across, elsewhere = np.take(jumps, borders, axis), np.delete(jumps, borders, axis)
        assert across.max() <= 1.2 * elsewhere.max()
        natural = np.take(np.abs(np.diff(untiled, axis=axis)), borders, axis)
        assert across.mean() <= 1.2 * natural.mean()
