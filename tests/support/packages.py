"""bioimage.io packages written by hand, as the model zoo has them: folders with an rdf.yaml."""

from __future__ import annotations

import hashlib
import zipfile
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import nn

SIDE = 64


_GENERAL = {
    "format_version": "0.4.9",
    "type": "model",
    "description": "Finds something.",
    "authors": [{"name": "A. Person"}],
    "license": "MIT",
    "documentation": "README.md",
    "covers": ["cover.png"],
    "cite": [{"text": "A paper", "doi": "10.1234/abc"}],
    "timestamp": "2024-01-01T00:00:00",
    "tags": ["unet"],
}
_WEIGHTS = {
    "source": "weights.pt",
    "architecture": "network.py:Network",
    "architecture_sha256": "0" * 64,
    "kwargs": {},
}
_Z_SCORE = {
    "name": "zero_mean_unit_variance",
    "kwargs": {"mode": "per_sample", "axes": "yx"},
}


def describe_0_4(name: str = "someone's nuclei", outputs: int = 1) -> dict[str, Any]:
    """A description in format 0.4: mean and deviation in, a sigmoid behind."""
    given = {
        "name": "raw",
        "axes": "bcyx",
        "data_type": "float32",
        "shape": {"min": [1, 1, 32, 32], "step": [0, 0, 16, 16]},
        "preprocessing": [_Z_SCORE],
    }
    made = {
        "name": "mask",
        "axes": "bcyx",
        "data_type": "float32",
        "shape": [1, outputs, SIDE, SIDE],
        "postprocessing": [{"name": "sigmoid"}],
    }
    described = {
        **_GENERAL,
        "name": name.replace("'", " "),
        "inputs": [given],
        "outputs": [made],
        "test_inputs": ["test_input.npy"],
        "test_outputs": ["test_output.npy"],
        "weights": {"pytorch_state_dict": _WEIGHTS},
    }
    return deepcopy(described)


def pixels() -> np.ndarray:
    """A test image ``(1, 1, y, x)`` in 16 bits."""
    rng = np.random.default_rng(3)
    return (rng.random((1, 1, SIDE, SIDE)) * 4000 + 100).astype(np.float32)


def z_scored(values: np.ndarray) -> np.ndarray:
    """Mean 0 and deviation 1, as the description of this module says it."""
    mean = values.mean(axis=(2, 3), keepdims=True)
    deviation = values.std(axis=(2, 3), keepdims=True)
    return (values - mean) / (deviation + 1e-6)


def write_package(
    folder: Path,
    network: nn.Module,
    description: dict[str, Any] | None = None,
    *,
    given: np.ndarray | None = None,
    expected: np.ndarray | None = None,
) -> Path:
    """Write a folder with a network's weights, a description and test tensors.

    Without ``expected`` the network itself says what it gives, behind mean and deviation
    and before a sigmoid.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = deepcopy(description or describe_0_4())
    given = pixels() if given is None else given
    if expected is None:
        with torch.inference_mode():
            expected = network(torch.from_numpy(z_scored(given))).sigmoid().numpy()
    np.save(folder / "test_input.npy", given)
    np.save(folder / "test_output.npy", expected)
    torch.save(network.state_dict(), folder / "weights.pt")
    (folder / "network.py").write_text("raise RuntimeError('this must never run')\n", "utf-8")
    (folder / "README.md").write_text("# Validation\n", "utf-8")
    entry = content["weights"].get("pytorch_state_dict")
    if entry is not None and "sha256" not in entry:
        entry["sha256"] = hashlib.sha256((folder / "weights.pt").read_bytes()).hexdigest()
    (folder / "rdf.yaml").write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
    return folder


def zipped(folder: Path) -> Path:
    """Return the folder as a zip beside it."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return path
