"""The ``Unet`` of segmentation_models_pytorch, built by that library from what shapes tell.

An extra, ``pip install napari-slicewise[smp]``. Names and shapes are facts of that project
(P. Iakubovskii, MIT licence). The name of an encoder is in no tensor: those whose layers
are called alike are built, without memory, until one has the file's shapes.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from napari_slicewise.errors import ModelError
from napari_slicewise.models.monai_layers import check_plane
from napari_slicewise.models.questions import answer_spec, spec_questions
from napari_slicewise.models.reach import measure_reach
from napari_slicewise.models.recognised import Recognised, State
from napari_slicewise.models.spec import ModelSpec

__all__ = ["build_smp_unet", "recognise_smp_unet"]

_FIRST = "decoder.blocks.0.conv1.0.weight"
_HEAD = "segmentation_head.0.weight"
_HINT = "Install it: pip install napari-slicewise[smp]"
_MOST_ENCODERS = 60  # to be tried
# A key that only encoders of these beginnings have.
_LIKELY = (
    ("encoder.layer1.0.conv1.weight", ("resnet", "resnext")),
    ("encoder.layer1.0.se_module.fc1.weight", ("se_", "senet")),
    ("encoder._conv_stem.weight", ("efficientnet-",)),
    ("encoder.conv_stem.weight", ("timm-efficientnet", "efficientnet-", "timm-mobilenet")),
    ("encoder.features.conv0.weight", ("densenet",)),
    ("encoder.features.0.weight", ("vgg",)),
    ("encoder.features.0.0.weight", ("mobilenet_v2",)),
)

_STEMS = (
    "encoder.conv1.weight",
    "encoder._conv_stem.weight",
    "encoder.conv_stem.weight",
    "encoder.layer0.conv1.weight",
    "encoder.features.conv0.weight",
    "encoder.features.0.weight",
    "encoder.features.0.0.weight",
)


def recognise_smp_unet(state: Mapping[str, Tensor]) -> Recognised | None:
    """Read the library's ``Unet`` from keys and shapes.

    Raises
    ------
    ModelError
        When it is one, and a tensor does not fit, or the library is not installed.
    """
    if not (_FIRST in state or _HEAD in state) or not any(k.startswith("encoder.") for k in state):
        return None
    guess = _describe(state)
    with torch.device("meta"):
        network = build_smp_unet(guess).eval()
    counters = {k: torch.zeros(()) for k in network.state_dict() if "num_batches" in k}
    network.load_state_dict(counters | dict(state), assign=True)
    reach = measure_reach(network, guess.in_channels, guess.stride)
    margin = 8 * guess.stride if reach is None else reach
    guess = replace(guess, margin=margin, whole_slices=reach is None)

    def make(values: Mapping[str, str], answered: frozenset[str]) -> tuple[ModelSpec, State]:
        assumed = {
            "scaling": "pixels as 8-bit values divided by 255 (encoders trained on ImageNet want "
            "its mean and deviation)",
            "classes": "softmax over the classes",
        }
        open_points = [text for key, text in assumed.items() if key in set(values) - answered]
        sentences = [
            "Read as the Unet of segmentation_models_pytorch with the encoder "
            f"{guess.options['encoder']}."
        ]
        if open_points:
            sentences.append(f"Assumed, since tensors do not tell: {'; '.join(open_points)}.")
        if guess.whole_slices:
            sentences.append("Each pixel depends on the whole slice: it is not cut into tiles.")
        return replace(answer_spec(guess, values), description=" ".join(sentences)), dict(state)

    return Recognised(spec_questions(guess), make)


def build_smp_unet(spec: ModelSpec) -> nn.Module:
    """Build the network, with random weights.

    Raises
    ------
    ModelError
        When the library is not installed, or knows no such encoder.
    """
    library, words = _library(), spec.options
    if words.get("encoder") not in library.encoders.get_encoder_names():
        raise ModelError(f"segmentation_models_pytorch has no encoder {words.get('encoder')!r}.")
    return _build(library, spec, words["encoder"])


def _build(library: Any, spec: ModelSpec, encoder: str) -> nn.Module:
    words = spec.options
    settings: dict[str, Any] = {}
    if words["norm"] == "none":
        settings["decoder_use_norm"] = False
    if words["attention"] == "scse":
        settings["decoder_attention_type"] = "scse"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of old names of encoders
        network: nn.Module = library.Unet(
            encoder_name=encoder,
            encoder_depth=len(spec.widths),
            encoder_weights=None,
            decoder_channels=spec.widths,
            in_channels=spec.in_channels,
            classes=spec.out_channels,
            **settings,
        )
    return network


def _library() -> Any:
    if find_spec("segmentation_models_pytorch") is None:
        raise ModelError(
            "holds a network of segmentation_models_pytorch, which is not installed here.", _HINT
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import segmentation_models_pytorch  # type: ignore[import-not-found, unused-ignore]
    except (ImportError, RuntimeError) as error:  # torchvision of another torch: RuntimeError
        raise ModelError(
            "holds a network of segmentation_models_pytorch, which cannot be imported here: "
            f"{error}.",
            f"Its torchvision must fit torch {torch.__version__}. {_HINT}",
        ) from error
    return segmentation_models_pytorch


def _describe(state: Mapping[str, Tensor]) -> ModelSpec:
    """Read what the shapes tell, and find the encoder that has them."""
    widths: list[int] = []
    while (key := f"decoder.blocks.{len(widths)}.conv1.0.weight") in state:
        check_plane(key, state[key])
        widths.append(state[key].shape[0])
    for key in (_FIRST, _HEAD):
        if key not in state:
            raise ModelError(f"the tensor {key!r} is missing")
    head = state[_HEAD]
    first_key, first = _entry(state)
    for key, kernel in ((_HEAD, head), (first_key, first)):
        check_plane(key, kernel)
    scse = any(".attention1.attention." in key for key in state)
    spec = ModelSpec(
        "",
        architecture="smp_unet",
        in_channels=first.shape[1],
        out_channels=head.shape[0],
        first_filters=max(widths[-1], first.shape[0]),
        widths=tuple(widths),
        options={
            "encoder": "",
            "norm": "batch" if "decoder.blocks.0.conv1.1.running_mean" in state else "none",
            "attention": "scse" if scse else "none",
        },
        output="foreground" if head.shape[0] == 1 else "classes",
        normalization="divide_by_255",
        stride=2 ** len(widths),
    )
    return replace(spec, options=spec.options | {"encoder": _find_encoder(state, spec)})


def _entry(state: Mapping[str, Tensor]) -> tuple[str, Tensor]:
    """Return the encoder's first kernel: by its name, as files may be sorted; else the first."""
    kernels = {k: v for k, v in state.items() if k.startswith("encoder.") and v.ndim > 3}
    if not kernels:
        raise ModelError("the encoder has no convolution in the plane")
    key = next((key for key in _STEMS if key in kernels), next(iter(kernels)))
    return key, kernels[key]


def _find_encoder(state: Mapping[str, Tensor], spec: ModelSpec) -> str:
    """Return the encoder under whose name the library builds these keys and shapes."""
    library = _library()
    names = list(library.encoders.get_encoder_names())
    shapes = {k: tuple(v.shape) for k, v in state.items() if "num_batches" not in k}
    closest: tuple[int, str, str] = (0, "", next(iter(state)))
    for name in _candidates(state, names):
        try:
            with torch.device("meta"):
                wanted = _build(library, spec, name).state_dict()
        except (ValueError, KeyError, TypeError, NotImplementedError, RuntimeError):
            continue  # an encoder that does not go with this depth, or these channels
        built = {k: tuple(v.shape) for k, v in wanted.items() if "num_batches" not in k}
        if built == shapes:
            return name
        alike = sum(shapes.get(key) == shape for key, shape in built.items())
        if alike > closest[0]:
            keys = (*built, *shapes)
            misfit = next(key for key in keys if shapes.get(key) != built.get(key))
            closest = (alike, name, misfit)
    what = f"; the closest, {closest[1]!r}, differs first at {closest[2]!r}" if closest[1] else ""
    raise ModelError(f"no encoder of segmentation_models_pytorch has its shapes{what}")


def _candidates(state: Mapping[str, Tensor], names: list[str]) -> Iterator[str]:
    """Yield the encoders to try, those whose layers are called alike first."""
    starts = tuple(start for key, many in _LIKELY if key in state for start in many)
    likely = [name for name in names if starts and name.startswith(starts)]
    others = [name for name in names if name not in likely]
    yield from (likely or others)[:_MOST_ENCODERS]
