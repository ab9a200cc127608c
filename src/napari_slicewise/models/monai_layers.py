"""What lies between MONAI's convolutions, as far as tensors tell: activation and norm."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from torch import Tensor

from napari_slicewise.errors import ModelError
from napari_slicewise.models.questions import Question

__all__ = [
    "ACTIVATIONS",
    "NORMS",
    "check_plane",
    "guess_act",
    "guess_norm",
    "import_networks",
    "layer_questions",
    "of_whole_slices",
]

_AFFINE = {"affine": True}
ACTIVATIONS: Mapping[str, Any] = {
    "prelu": "PRELU",
    "relu": "RELU",
    "leaky_relu_0.01": ("LEAKYRELU", {"negative_slope": 0.01}),
    "leaky_relu_0.1": ("LEAKYRELU", {"negative_slope": 0.1}),
}
"""By our names: what MONAI is told."""

NORMS: Mapping[str, Any] = {
    "batch": "BATCH",
    "instance": "INSTANCE",
    "instance_affine": ("INSTANCE", _AFFINE),
    "none": None,
    **{f"group_{n}": ("GROUP", {"num_groups": n}) for n in (1, 2, 4, 8, 16, 32)},
}
"""By our names: what MONAI is told."""

_ACT_LABELS = {
    "prelu": "PReLU",
    "relu": "ReLU",
    "leaky_relu_0.01": "Leaky ReLU of slope 0.01",
    "leaky_relu_0.1": "Leaky ReLU of slope 0.1",
}


def import_networks() -> Any:
    """Return ``monai.networks.nets``.

    Raises
    ------
    ModelError
        When MONAI is not installed, or cannot be imported; with what to do.
    """
    hint = "Install it: pip install napari-slicewise[monai]"
    if find_spec("monai") is None:
        raise ModelError("holds a network of MONAI, which is not installed here.", hint)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of packages that MONAI could use
            from monai.networks import nets
    except ImportError as error:
        raise ModelError(
            f"holds a network of MONAI, which cannot be imported: {error}.", hint
        ) from error
    return nets


def check_plane(key: str, kernel: Tensor) -> None:
    """Refuse a kernel that is none of a convolution in the plane.

    Raises
    ------
    ModelError
        With the tensor.
    """
    if kernel.ndim == 5:
        raise ModelError(
            f"the tensor {key!r} of shape {tuple(kernel.shape)} is a convolution in space: "
            "the network is a 3D one"
        )
    if kernel.ndim != 4 or 0 in kernel.shape:
        raise ModelError(f"the tensor {key!r} of shape {tuple(kernel.shape)} is no kernel")


def guess_act(state: Mapping[str, Tensor], default: str) -> str:
    """Return the activation: a PReLU has weights, for others the library's default is taken."""
    return "prelu" if any(key.endswith("adn.A.weight") for key in state) else default


def guess_norm(state: Mapping[str, Tensor]) -> str:
    """Return the norm: batch norm has statistics, and else instance norm is the default."""
    if any(key.endswith("adn.N.running_mean") for key in state):
        return "batch"
    return "instance_affine" if any(key.endswith("adn.N.weight") for key in state) else "instance"


def layer_questions(act: str, norm: str, widths: tuple[int, ...]) -> tuple[Question, ...]:
    """Ask for what has no weights that would tell."""
    questions = []
    if act != "prelu":
        others = tuple((name, label) for name, label in _ACT_LABELS.items() if name != "prelu")
        text = "Which function follows each convolution?"
        questions.append(Question("act", text, others, act))
    choices = [("instance", "Instance norm"), ("none", "None")]
    if norm == "instance_affine":
        groups = [n for n in (1, 2, 4, 8, 16, 32) if not any(width % n for width in widths)]
        choices = [("instance_affine", "Instance norm")]
        choices += [(f"group_{n}", f"Group norm of {n}") for n in groups]
    if norm != "batch":
        text = "Which norm follows each convolution?"
        questions.append(Question("norm", text, tuple(choices), norm))
    return tuple(questions)


def of_whole_slices(norm: str) -> bool:
    """Whether a norm takes its statistics from the whole slice."""
    return norm not in ("batch", "none")
