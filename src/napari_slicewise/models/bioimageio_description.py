"""A model in the words of the bioimage.io format 0.5: tensors, processing, and who made it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_slicewise.models.bioimageio_processing import UNCLIPPED
from napari_slicewise.models.spec import ModelSpec

if TYPE_CHECKING:
    from bioimageio.spec.model.v0_5 import CiteEntry, InputTensorDescr, OutputTensorDescr

__all__ = [
    "CARD_KEY",
    "INPUT",
    "OUTPUT",
    "Geometry",
    "citations",
    "describe_file",
    "describe_input",
    "describe_output",
    "general_facts",
    "outer_activation",
    "write_readme",
]

CARD_KEY = "napari_slicewise"
"""Under this key of ``config`` lies the whole specification, as in our own files."""

INPUT, OUTPUT = "image", "prediction"
"""Ids of the two tensors."""

PERCENTILE_CLIP = (-1.0, 4.0)
"""What inference clips to after percentiles, where the model does not say otherwise."""

_UNET = (
    "Ronneberger, Fischer and Brox: U-Net: Convolutional Networks for Biomedical Image "
    "Segmentation. MICCAI 2015.",
    "10.1007/978-3-319-24574-4_28",
)
_DOI = re.compile(r"\b10\.\d{4,9}/(?:\([\w.-]+\)|[\w.:/-])*\w")
_TAGS = {  # words of a description, and the tag of bioimage.io that they mean
    "fluorescen": "fluorescence-light-microscopy",
    "electron micro": "electron-microscopy",
    "nucle": "nuclei",
    "membrane": "cell-membrane",
    "mitochondri": "mitochondria",
    "cell": "cells",
}


@dataclass(frozen=True)
class Geometry:
    """Which sizes a package declares; the packaged network takes any.

    Parameters
    ----------
    least, step
        Sides are ``least + n * step``, in pixels.
    halo
        Pixels at each side of a tile that other programs are to cut off; 0 declares none.
    """

    least: int
    step: int
    halo: int = 0

    @classmethod
    def of(cls, spec: ModelSpec, *, halo: bool) -> Geometry:
        """Return the sizes of a model's images; with a halo, something must be left beside it."""
        least = 2 * spec.margin + 32 if halo else 32
        return cls(-(-least // spec.stride) * spec.stride, spec.stride, spec.margin if halo else 0)


def describe_input(spec: ModelSpec, geometry: Geometry, test: Path) -> InputTensorDescr:
    """Describe what the network takes, and how the image's pixels are scaled for it.

    Parameters
    ----------
    spec
        The model.
    geometry
        The sizes to declare.
    test
        The file with the test image.
    """
    from bioimageio.spec.model import v0_5

    eight_bit = spec.normalization == "divide_by_255"
    size = v0_5.ParameterizedSize(min=geometry.least, step=geometry.step)
    names = [f"channel {n}" for n in range(spec.in_channels)] if spec.in_channels > 1 else ["grey"]
    space = _space(spec)
    return v0_5.InputTensorDescr(
        id=v0_5.TensorId(INPUT),
        description="Pixels as the microscope gave them.",
        axes=[
            v0_5.BatchAxis(),
            v0_5.ChannelAxis(channel_names=names),
            v0_5.SpaceInputAxis(id=v0_5.AxisId("y"), size=size, **space),
            v0_5.SpaceInputAxis(id=v0_5.AxisId("x"), size=size, **space),
        ],
        data=v0_5.IntervalOrRatioDataDescr(type="uint8" if eight_bit else "float32"),
        preprocessing=_preprocessing(spec),
        test_tensor=describe_file(test),
    )


def describe_output(spec: ModelSpec, geometry: Geometry, test: Path) -> OutputTensorDescr:
    """Describe what the network gives, channel by channel, each in 0..1.

    Parameters
    ----------
    spec
        The model.
    geometry
        The sizes to declare.
    test
        The file with what the test image becomes.
    """
    from bioimageio.spec.model import v0_5

    def axis(name: str) -> Any:
        size = v0_5.SizeReference(
            tensor_id=v0_5.TensorId(INPUT), axis_id=v0_5.AxisId(name), offset=0
        )
        if geometry.halo:
            return v0_5.SpaceOutputAxisWithHalo(
                id=v0_5.AxisId(name), size=size, halo=geometry.halo, **_space(spec)
            )
        return v0_5.SpaceOutputAxis(id=v0_5.AxisId(name), size=size, **_space(spec))

    steps: dict[str, list[Any]] = {
        "sigmoid": [v0_5.SigmoidDescr()],
        "softmax": [v0_5.SoftmaxDescr(kwargs=v0_5.SoftmaxKwargs(axis=v0_5.AxisId("channel")))],
        "none": [],
    }
    return v0_5.OutputTensorDescr(
        id=v0_5.TensorId(OUTPUT),
        description="Probabilities, and for a distance its share of the object's depth.",
        axes=[
            v0_5.BatchAxis(),
            v0_5.ChannelAxis(channel_names=_output_names(spec)),
            axis("y"),
            axis("x"),
        ],
        data=v0_5.IntervalOrRatioDataDescr(type="float32", range=(0.0, 1.0)),
        postprocessing=steps[outer_activation(spec)],
        test_tensor=describe_file(test),
    )


def outer_activation(spec: ModelSpec) -> str:
    """Return what is left to do behind the packaged network: sigmoid, softmax or none."""
    if spec.output == "foreground_distance":
        return "none"  # each channel has its own, so the packaged network does both
    if spec.activation != "auto":
        return spec.activation
    return "softmax" if spec.output == "classes" else "sigmoid"


def general_facts(spec: ModelSpec) -> dict[str, Any]:
    """Return name, description, tags and the card, as fields of a ``ModelDescr``."""
    name = re.sub(r"[^A-Za-z0-9_+\- ()]", " ", spec.title or spec.name)[:64].strip()
    words = f"{spec.title} {spec.name} {spec.description}".lower()
    task = "semantic" if spec.output == "classes" else "instance"
    tags = ["unet", "2d", "pytorch", f"{task}-segmentation"]
    tags += [tag for word, tag in _TAGS.items() if word in words]
    return {
        "name": name if len(name) >= 5 else f"{name} model".strip(),
        "description": (spec.description or spec.title or spec.name)[:1000],
        "tags": list(dict.fromkeys(tags)),
        "config": {CARD_KEY: json.loads(spec.to_json())},
    }


def citations(spec: ModelSpec, card: str) -> list[CiteEntry]:
    """Return what to cite: the U-Net, and every paper with a DOI that the model names.

    Parameters
    ----------
    spec
        The model.
    card
        What else is written about it.
    """
    from bioimageio.spec.generic.v0_3 import CiteEntry

    found = {_UNET[1]: _UNET[0]}
    for text in (spec.source, spec.description, card):
        for doi in _DOI.findall(text):
            found.setdefault(doi, f"Named by the model's card: {doi}")
    return [CiteEntry(text=text, doi=doi) for doi, text in found.items()]  # type: ignore[arg-type]


def write_readme(spec: ModelSpec, card: str) -> str:
    """Return the package's README: the model's card, and how it was packaged."""
    scores = [f"- {what}: {score:.4g}" for what, score in spec.scores.items()]
    lines = [
        card.strip() or f"# {spec.title or spec.name}\n\n{spec.description}".strip(),
        "",
        "## Validation",
        *(scores or ["No scores are known."]),
        "",
        "## Whole images and tiles",
        "The packaged network takes images of any size: it mirrors them up to fitting sides and",
        f"cuts the result back. Whoever cuts tiles should let them begin at multiples of "
        f"{spec.stride} pixels and overlap by {2 * spec.margin} pixels ({spec.margin} at each "
        "side are not to be trusted).",
        "",
        f"Licence of the weights: {spec.licence or 'not stated'}. {spec.source}".strip(),
        "Packaged by napari-slicewise.",
    ]
    return "\n".join(lines) + "\n"


def _preprocessing(spec: ModelSpec) -> list[Any]:
    """Return the steps that scale the pixels; each channel of each image by itself."""
    from bioimageio.spec.model import v0_5

    real = v0_5.EnsureDtypeDescr(kwargs=v0_5.EnsureDtypeKwargs(dtype="float32"))
    axes = (v0_5.AxisId("y"), v0_5.AxisId("x"))
    steps: list[Any] = []
    clip = spec.clip
    if spec.normalization == "percentile":
        low, high = spec.percentiles
        kwargs = v0_5.ScaleRangeKwargs(axes=axes, min_percentile=low, max_percentile=high)
        steps = [v0_5.ScaleRangeDescr(kwargs=kwargs)]
        clip = clip or PERCENTILE_CLIP
    elif spec.normalization == "z_score":
        steps = [v0_5.ZeroMeanUnitVarianceDescr(kwargs=v0_5.ZeroMeanUnitVarianceKwargs(axes=axes))]
    elif spec.normalization == "divide_by_255":
        steps = [v0_5.ScaleLinearDescr(kwargs=v0_5.ScaleLinearKwargs(gain=1 / 255))]
    elif spec.normalization == "linear" and (set(spec.gain), set(spec.offset)) != ({1.0}, {0.0}):
        along = v0_5.ScaleLinearAlongAxisKwargs(
            axis=v0_5.AxisId("channel"), gain=list(spec.gain), offset=list(spec.offset)
        )
        steps = [v0_5.ScaleLinearDescr(kwargs=along)]
    if clip is not None and clip != UNCLIPPED:
        steps.append(v0_5.ClipDescr(kwargs=v0_5.ClipKwargs(min=clip[0], max=clip[1])))
    return [real, *steps, real]


def _output_names(spec: ModelSpec) -> list[str]:
    """Name the network's channels, in its own order."""
    if spec.output == "foreground_distance":
        return ["foreground", "distance"]
    if spec.output == "foreground_boundary":
        return ["foreground", "boundary"]
    if spec.output == "foreground":
        return ["foreground"]
    given: Sequence[str] = spec.class_names
    if len(given) == spec.out_channels and all(given):
        return list(given)
    names = [f"class {number}" for number in range(spec.out_channels)]
    if spec.background is not None:
        names[spec.background] = "background"
    return names


def _space(spec: ModelSpec) -> dict[str, Any]:
    """Return pixel size and unit, where they are known."""
    return {"scale": spec.pixel_um, "unit": "micrometer"} if spec.pixel_um else {}


def describe_file(path: Path) -> Any:
    """Describe a file to be packaged, with its hash.

    Parameters
    ----------
    path
        The file.
    """
    from bioimageio.spec.common import FileDescr
    from bioimageio.spec.utils import get_sha256

    return FileDescr(source=path, sha256=get_sha256(path))
