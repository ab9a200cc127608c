"""Numbers of a network become probabilities, the background first, by torch and by OpenVINO."""

import numpy as np
import pytest
import torch
from torch import nn

from napari_slicewise.inference.backends import activate
from napari_slicewise.models.spec import ModelSpec

LOGITS = torch.tensor([2.0, -1.0, 0.5])[None, :, None, None].expand(1, 3, 2, 2)
S = 1.0 / (1.0 + np.exp(-np.array([2.0, -1.0, 0.5])))
P = np.exp([2.0, -1.0, 0.5]) / np.exp([2.0, -1.0, 0.5]).sum()

CASES = [
    ("classes", "auto", 0, [P[0], P[1], P[2]]),
    ("classes", "softmax", 1, [P[1], P[0], P[2]]),
    ("classes", "sigmoid", None, [1 - S[0], S[0], S[1], S[2]]),
    ("classes", "sigmoid", 0, [1 - S[2], S[1], S[2]]),
    ("classes", "none", 0, [1.0, 0.0, 0.5]),
    ("classes", "none", 2, [0.5, 1.0, 0.0]),
    ("classes", "none", None, [0.0, 1.0, 0.0, 0.5]),
]


@pytest.mark.parametrize(("output", "activation", "background", "heads"), CASES)
def test_heads_are_what_the_channels_mean(output, activation, background, heads):
    ours = activate(LOGITS, output, activation, background)
    np.testing.assert_allclose(ours[0, :, 1, 1].numpy(), heads, atol=1e-6)


@pytest.mark.parametrize(
    ("output", "activation", "heads"),
    [
        ("foreground_boundary", "auto", [S[0], S[1]]),
        ("foreground_distance", "auto", [S[0], 0.0]),
        ("foreground_distance", "none", [1.0, 0.0]),
    ],
)
def test_heads_that_are_no_classes(output, activation, heads):
    ours = activate(LOGITS[:, :2], output, activation)
    np.testing.assert_allclose(ours[0, :, 0, 0].numpy(), heads, atol=1e-6)


@pytest.mark.parametrize(
    ("output", "activation", "background"),
    [case[:3] for case in CASES]
    + [("foreground_boundary", "auto", 0), ("foreground_distance", "auto", 0)]
    + [("foreground", "auto", 0), ("foreground", "none", 0)],
)
def test_graphs_get_the_same_heads(tmp_path, output, activation, background):
    pytest.importorskip("openvino")
    pytest.importorskip("onnx")
    from support.opaque_files import write_onnx

    from napari_slicewise.inference.onnx_network import read_onnx
    from napari_slicewise.inference.openvino_backend import new_core
    from napari_slicewise.inference.openvino_heads import activated_graph

    channels = {"classes": 3, "foreground": 1}.get(output, 2)
    torch.manual_seed(0)
    network = nn.Conv2d(1, channels, 3, padding=1)
    spec = ModelSpec(
        "m", out_channels=channels, output=output, activation=activation, background=background
    )
    core = new_core()
    graph = read_onnx(write_onnx(network, tmp_path / "m.onnx")).openvino_graph(core)
    compiled = core.compile_model(
        activated_graph(graph, spec), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    image = torch.rand(2, 1, 16, 24) * 4
    with torch.inference_mode():
        wanted = activate(network(image), output, activation, background).numpy()
    np.testing.assert_allclose(compiled(image.numpy())[0], wanted, atol=1e-5)
