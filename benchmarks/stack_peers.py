"""Other ways to run the same weights on the same stack, for stack.py."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from stack_contestants import Contestant, slice_by_slice

from napari_slicewise.inference.backends import Activated
from napari_slicewise.inference.loading import LoadedModel
from napari_slicewise.inference.quiet_imports import import_openvino

__all__ = ["PEERS"]

_WINDOW = 512


def monai(model: LoadedModel, _folder: Path) -> Contestant:
    """MONAI's sliding window, 512 x 512 with the overlap that it has by default."""
    from monai.inferers import sliding_window_inference

    def predict(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            logits = sliding_window_inference(
                torch.from_numpy(plane), (min(_WINDOW, plane.shape[-1]),) * 2, 1, model.network
            )
            return torch.sigmoid(logits)[0, 0].numpy()

    return slice_by_slice(predict)


def export_onnx(model: LoadedModel, folder: Path) -> Path:
    """Export the network with its activations, for any size and number of slices."""
    path = folder / f"{model.spec.name}.onnx"
    if not path.exists():
        axes = {0: "b", 2: "y", 3: "x"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # this exporter is deprecated, and warns of tracing
            torch.onnx.export(
                Activated(model.network, model.spec.output).eval(),
                (torch.zeros(1, model.spec.in_channels, 64, 64),),
                path,
                input_names=["image"],
                output_names=["activations"],
                dynamic_axes={"image": axes, "activations": axes},
                dynamo=False,
            )
    return path


def onnx_runtime(model: LoadedModel, folder: Path) -> Contestant:
    """ONNX Runtime on the exported network, with all its optimisations."""
    import onnx  # noqa: F401 - the exporter needs it
    import onnxruntime

    path = export_onnx(model, folder)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def predict(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        return session.run(None, {"image": plane})[0][0, 0]

    return slice_by_slice(predict)


def bare_openvino(model: LoadedModel, folder: Path) -> Contestant:
    """OpenVINO on the exported network, as it comes: it chooses bfloat16 by itself."""
    import onnx  # noqa: F401 - the exporter needs it

    compiled = import_openvino().Core().compile_model(export_onnx(model, folder), "CPU")

    def predict(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        return compiled(plane)[0][0, 0]

    return slice_by_slice(predict)


def bioimageio(model: LoadedModel, folder: Path) -> Contestant:
    """bioimageio.core on a package with the network in TorchScript."""
    from bioimageio.core import create_prediction_pipeline
    from bioimageio.core.digest_spec import create_sample_for_model

    description = _package(model, folder)
    pipeline = create_prediction_pipeline(description)
    pipeline.load()

    def predict(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        sample = create_sample_for_model(description, inputs={"image": plane})
        answer = pipeline.predict_sample_without_blocking(sample).as_arrays()
        return next(iter(answer.values()))[0, 0]

    return slice_by_slice(predict)


def _package(model: LoadedModel, folder: Path) -> object:
    """Write the network as a package of the bioimage.io format, 0.5, and load it."""
    import yaml
    from bioimageio.core import load_model_description

    place = folder / f"bioimageio-{model.spec.name}"
    place.mkdir(exist_ok=True)
    example = torch.zeros(1, 1, 64, 64)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # torch.jit.trace is deprecated
        traced = torch.jit.trace(Activated(model.network, model.spec.output).eval(), example)
        traced.save(str(place / "weights.pt"))
        np.save(place / "output.npy", traced(example).numpy())
    np.save(place / "input.npy", example.numpy())
    (place / "README.md").write_text("# Benchmark\n\n## Validation\nNone.\n")
    rdf = place / "rdf.yaml"
    rdf.write_text(yaml.safe_dump(_describe()), "utf-8")
    return load_model_description(rdf, perform_io_checks=False)


def _describe() -> dict[str, object]:
    """Return the package's rdf.yaml."""
    sized = [
        {"type": "space", "id": axis, "size": {"min": 64, "step": 16}, "scale": 1.0}
        for axis in "yx"
    ]
    same = [
        {"type": "space", "id": axis, "size": {"tensor_id": "image", "axis_id": axis}}
        for axis in "yx"
    ]

    def tensor(name: str, channels: list[str], space: list[dict[str, object]], file: str) -> object:
        axes = [{"type": "batch"}, {"type": "channel", "channel_names": channels}, *space]
        return {"id": name, "axes": axes, "test_tensor": {"source": file}}

    version = torch.__version__.split("+")[0]
    return {
        "type": "model",
        "format_version": "0.5.3",
        "name": "Benchmark",
        "description": "The network of the benchmark",
        "authors": [{"name": "Benchmark"}],
        "cite": [{"text": "none", "url": "https://bioimage.io"}],
        "license": "CC0-1.0",
        "documentation": "README.md",
        "inputs": [tensor("image", ["grey"], sized, "input.npy")],
        "outputs": [tensor("activations", ["foreground", "distance"], same, "output.npy")],
        "weights": {"torchscript": {"source": "weights.pt", "pytorch_version": version}},
    }


PEERS: dict[str, Callable[[LoadedModel, Path], Contestant]] = {
    "MONAI, sliding window": monai,
    "bioimageio.core": bioimageio,
    "ONNX Runtime": onnx_runtime,
    "OpenVINO, bare, from ONNX": bare_openvino,
}
