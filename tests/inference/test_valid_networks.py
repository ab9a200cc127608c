"""Networks with unpadded convolutions: the overlap-tile strategy answers for the whole image."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_slicewise.inference.device import LocalDevices
from napari_slicewise.inference.loading import load_model_file
from napari_slicewise.inference.normalize import measure_range, normalize
from napari_slicewise.inference.request import Request
from napari_slicewise.inference.runner import Runner
from napari_slicewise.inference.stream import CancelToken
from napari_slicewise.io.source import ArraySource
from napari_slicewise.models.checkpoint import write_checkpoint
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.unet_2015 import UNet2015

WIDTHS = (4, 8, 16, 32, 64)
LOST = 92


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    network = UNet2015(1, 2, WIDTHS)
    path = tmp_path_factory.mktemp("models") / "valid.safetensors"
    spec = ModelSpec(
        "valid",
        architecture="unet_2015",
        out_channels=2,
        first_filters=WIDTHS[0],
        widths=WIDTHS,
        output="classes",
        padding="valid",
        remainder=12,
        margin=LOST,
    )
    write_checkpoint(path, network.state_dict(), spec)
    return load_model_file(path)


def probability(model, image, **options):
    source = ArraySource(image)
    request = Request("valid", ((),), output="probability", precision="float32", **options)
    runner = Runner(request, source, model, LocalDevices(), CancelToken())
    (result,) = runner.results()
    return result.values


@pytest.mark.parametrize("shape", [(1000, 777), (388, 388), (17, 31), (1, 1)])
def test_overlap_tiles_equal_one_pass_over_the_mirrored_image(model, shape):
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    height, width = shape
    rows, columns = (-(-(side + 2 * LOST - 12) // 16) * 16 + 12 for side in shape)
    border = ((LOST, rows - height - LOST), (LOST, columns - width - LOST))
    mirrored = np.pad(
        normalize(image[None], measure_range([image[None]], model.spec))[0], border, mode="reflect"
    )
    with torch.inference_mode():
        logits = model.network(torch.from_numpy(mirrored)[None, None])[0]
    expected = logits.softmax(dim=0)[1, :height, :width].numpy()
    np.testing.assert_allclose(probability(model, image), expected, atol=1e-5)
    np.testing.assert_allclose(probability(model, image, tile=300), expected, atol=1e-5)
