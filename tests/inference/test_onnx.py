"""ONNX files: described by their graph and by running them, equal to the network they are of."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from support.opaque_files import padded_unet, probability, write_onnx
from torch import nn

from napari_slicewise.errors import ModelError, RequestError
from napari_slicewise.inference import onnx_network
from napari_slicewise.inference.loading import load_model_file

pytest.importorskip("onnx", reason="torch writes ONNX by the package onnx")
ENGINES = {"OpenVINO": "openvino", "ONNX Runtime": "onnxruntime"}


@pytest.fixture(params=ENGINES)
def engine(request, monkeypatch):
    """Each of the two that run graphs, as if the other was not installed."""
    if find_spec(ENGINES[request.param]) is None:  # not imported: that would start its telemetry
        pytest.skip(f"{request.param} is not installed")
    if request.param == "ONNX Runtime":
        for module in ("onnx_network", "device"):
            path = f"napari_slicewise.inference.{module}.openvino_version"
            monkeypatch.setattr(path, lambda: None)
    return request.param


@pytest.fixture
def image():
    return np.random.default_rng(2).integers(0, 256, (150, 203), np.uint8)


def expected(network, image, stride=4):
    """The network on the mirrored image, as it comes: one pass, float32."""
    rows, columns = (-(-side // stride) * stride for side in image.shape)
    border = ((0, rows - image.shape[0]), (0, columns - image.shape[1]))
    padded = np.pad(image.astype(np.float32) / 255.0, border, mode="reflect")
    with torch.inference_mode():
        out = network(torch.from_numpy(padded)[None, None])[0]
    return out[:, : image.shape[0], : image.shape[1]].numpy()


def sigmoid(values):
    return 1.0 / (1.0 + np.exp(-values))


def test_output_is_the_networks(tmp_path, engine, image):
    network = padded_unet()
    model = load_model_file(write_onnx(network, tmp_path / "m.onnx"))
    spec = model.spec
    assert (spec.architecture, spec.in_channels, spec.out_channels) == ("onnx", 1, 1)
    assert (spec.stride, spec.output, spec.activation) == (4, "foreground", "auto")
    ours = probability(model, image)
    np.testing.assert_allclose(ours, sigmoid(expected(network, image)[0]), atol=1e-4)


def test_measured_margin_makes_tiles_that_show_nowhere(tmp_path, engine, image):
    network = padded_unet()
    model = load_model_file(write_onnx(network, tmp_path / "m.onnx"))
    assert 8 <= model.spec.margin <= 28  # half of the receptive field is 7 * 4 - 5
    tiled = probability(model, image, tile=80)
    np.testing.assert_allclose(tiled, probability(model, image), atol=1e-4)


def test_softmax_over_classes_and_the_choice_of_the_foreground(tmp_path, engine, image):
    network = padded_unet(outputs=2)
    path = write_onnx(network, tmp_path / "m.onnx")
    logits = expected(network, image)
    second = sigmoid(logits[1] - logits[0])
    for answers, wanted in (({}, second), ({"foreground": "0"}, 1.0 - second)):
        model = load_model_file(path, answers)
        np.testing.assert_allclose(probability(model, image), wanted, atol=1e-4)


def test_a_sigmoid_for_each_of_three_classes(tmp_path, engine, image):
    network = padded_unet(outputs=3)
    model = load_model_file(write_onnx(network, tmp_path / "m.onnx"), {"classes": "sigmoid"})
    wanted = sigmoid(expected(network, image)).max(axis=0)
    np.testing.assert_allclose(probability(model, image), wanted, atol=1e-4)


def test_a_sigmoid_in_the_graph_is_not_applied_twice(tmp_path, engine, image):
    network = padded_unet()
    path = write_onnx(nn.Sequential(network, nn.Sigmoid()), tmp_path / "m.onnx")
    model = load_model_file(path)
    assert model.spec.activation == "none"
    assert [question.key for question in model.questions] == ["scaling", "logit"]
    wanted = sigmoid(expected(network, image)[0])
    np.testing.assert_allclose(probability(model, image), wanted, atol=1e-4)


def test_a_graph_of_fixed_sides_covers_images_of_any_size(tmp_path, engine, image):
    network = padded_unet()
    model = load_model_file(write_onnx(network, tmp_path / "m.onnx", side=96, free=False))
    if engine == "ONNX Runtime":  # OpenVINO frees the sides
        assert model.spec.fixed_tile == (96, 96)
    wanted = sigmoid(expected(network, image)[0])
    ours = probability(model, image)
    margin = model.spec.margin
    # A fixed tile is padded further, so that the lower and right border see other mirrors.
    inside = np.s_[: -margin - 1, : -margin - 1]
    np.testing.assert_allclose(ours[inside], wanted[inside], atol=1e-4)


def test_an_image_smaller_than_the_fixed_sides_is_mirrored_up_to_them(tmp_path, engine):
    model = load_model_file(write_onnx(padded_unet(), tmp_path / "m.onnx", 96, free=False))
    image = np.random.default_rng(2).integers(0, 256, (40, 57), np.uint8)
    assert probability(model, image).shape == (40, 57)


class _OfTheWholeSlice(nn.Module):
    """Instance norm: each pixel depends on all."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.InstanceNorm2d(4), nn.ReLU(), nn.Conv2d(4, 1, 1)
        )

    def forward(self, x):
        return self.layers(x)


def test_dependence_on_the_whole_slice_is_found_and_no_tiles_are_cut(tmp_path, engine, image):
    torch.manual_seed(1)
    network = _OfTheWholeSlice().eval()
    model = load_model_file(write_onnx(network, tmp_path / "m.onnx"))
    assert model.spec.whole_slices
    wanted = sigmoid(expected(network, image, stride=1)[0])
    np.testing.assert_allclose(probability(model, image), wanted, atol=1e-4)


class _Several(nn.Module):
    def forward(self, image):
        return image * 2, image + 1


class _Pooled(nn.Module):
    def forward(self, image):
        return image.mean((2, 3))


class _Smaller(nn.Module):
    def forward(self, image):
        return nn.functional.max_pool2d(image, 2)


@pytest.mark.parametrize(
    ("network", "options", "words"),
    [
        (_Several(), {"output_names": ["out", "other"]}, "has 2 outputs .'out', 'other'"),
        (_Pooled(), {"free": False}, "one answer an image"),
        (_Smaller(), {}, "gives no output of the image's size"),
    ],
)
def test_other_graphs_are_refused_with_what_they_have(tmp_path, engine, network, options, words):
    path = write_onnx(network, tmp_path / "m.onnx", **options)
    with pytest.raises(ModelError, match=words) as caught:
        load_model_file(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_a_graph_for_volumes_is_refused(tmp_path, engine):
    network, image = nn.Conv3d(1, 1, 3, padding=1), torch.rand(1, 1, 8, 8, 8)
    path = write_onnx(network, tmp_path / "m.onnx", image=image, free=False)
    with pytest.raises(ModelError, match="a network for volumes"):
        load_model_file(path)


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_truncated_graphs_are_refused(tmp_path, engine, kept):
    path = write_onnx(padded_unet(), tmp_path / "m.onnx")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(ModelError, match="is no ONNX graph that can be run"):
        load_model_file(path)


def test_text_called_onnx_is_refused(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_text("hello, this is no graph")
    with pytest.raises(ModelError, match="is no checkpoint"):
        load_model_file(path)


def test_without_an_engine_the_error_says_what_to_install(tmp_path, monkeypatch):
    path = write_onnx(padded_unet(), tmp_path / "m.onnx")
    monkeypatch.setattr(onnx_network, "openvino_version", lambda: None)
    monkeypatch.setattr(onnx_network, "find_spec", lambda _name: None)
    with pytest.raises(ModelError, match="nothing is installed") as caught:
        load_model_file(path)
    assert "[onnx]" in caught.value.hint


def test_another_device_is_refused_before_the_run(tmp_path, image, monkeypatch):
    from napari_slicewise.inference.device import LocalDevices
    from napari_slicewise.inference.request import DeviceInfo

    model = load_model_file(write_onnx(padded_unet(), tmp_path / "m.onnx"))
    devices = (DeviceInfo("cuda:0", "a GPU"), DeviceInfo("cpu", "CPU"))
    monkeypatch.setattr(LocalDevices, "devices", lambda _self: devices)
    with pytest.raises(RequestError, match="ONNX files run on the processor"):
        probability(model, image, device="cuda:0")
    assert probability(model, image).shape == image.shape
