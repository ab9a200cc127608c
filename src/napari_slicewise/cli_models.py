"""``slicewise models``, ``info`` of a model, and ``export``: what there is, and how it goes on."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import ImageError, ModelError, OutputError
from napari_slicewise.io.sample_files import sample_folder
from napari_slicewise.models.bioimageio_archive import is_package
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.zoo import bundled_models, weights_path

if TYPE_CHECKING:
    from napari_slicewise.inference.loading import LoadedModel

__all__ = ["add_export", "add_models", "describes_model", "run_model_info"]

_SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".onnx", ".torchscript")
_SAMPLE = "nuclei3d.tif", 14  # and the slice of it
_WIDEST = 60  # characters of a column

_SCALINGS = {
    "divide_by_255": "8-bit values to 0..1; other types by their percentiles 0.1 and 99.9",
    "z_score": "mean 0 and standard deviation 1",
    "none": "as they are",
}


def add_models(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``slicewise models``.

    Parameters
    ----------
    parser
        The command's own parser.
    """
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=_run_models)


def add_export(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``slicewise export``.

    Parameters
    ----------
    parser
        The command's own parser.
    """
    add = parser.add_argument
    add("model", metavar="MODEL", help="a bundled model's name, a file of weights, or a package")
    add("-o", "--out", required=True, type=Path, metavar="PACKAGE.zip", help="what to write")
    add("--sample", type=Path, metavar="IMAGE", help="for the test image and the cover picture")
    add("--author", action="append", default=[], metavar="NAME", help="may be given repeatedly")
    add(
        "--halo",
        action="store_true",
        help="declare the margin as halo, for programs that cut tiles; near the image's border "
        "they then give another result than slicewise",
    )
    add("--overwrite", action="store_true", help="replace a file that is there")
    parser.set_defaults(run=_run_export)


def describes_model(path: Path) -> bool:
    """Whether ``slicewise info PATH`` is about a model: a name, weights, or a package.

    Parameters
    ----------
    path
        As typed.
    """
    if not path.exists():
        names = {spec.name for spec in bundled_models()}
        return str(path) in names or path.suffix.lower() in _SUFFIXES
    return path.suffix.lower() in _SUFFIXES or is_package(path)


def run_model_info(path: Path, *, as_json: bool) -> int:
    """Print a model's whole card.

    Parameters
    ----------
    path
        As typed.
    as_json
        For programs.

    Returns
    -------
    int
        0; failures are raised.

    Raises
    ------
    ModelError
        When it is no model, with the reason.
    """
    from napari_slicewise.api import load_model  # loads torch

    model = load_model(path)
    if as_json:
        facts = {"file": str(model.path), "bytes": _size(model.path), "sha256": model.sha256}
        print(json.dumps({**json.loads(model.spec.to_json()), **facts}, indent=2))
    else:
        print("\n".join(_card(model)))
    return 0


def _run_models(options: argparse.Namespace) -> int:
    specs = bundled_models()
    if options.json:
        entries = []
        for spec in specs:
            path = weights_path(spec.name)
            facts = {"file": str(path), "bytes": _size(path)}
            entries.append({**json.loads(spec.to_json()), **facts})
        print(json.dumps(entries, indent=2))
        return 0
    head = ("name", "what for", "channels", "pixel size", "licence", "MB", "scores")
    rows = [head, *map(_row, specs)]
    print("\n".join(_table(rows)))
    return 0


def _row(spec: ModelSpec) -> tuple[str, ...]:
    """Return what the table says of a bundled model."""
    return (
        spec.name,
        spec.description or spec.title,
        str(spec.in_channels),
        f"{spec.pixel_um:g} um" if spec.pixel_um else "not known",
        spec.licence or "not stated",
        f"{_size(weights_path(spec.name)) / 1e6:.1f}",
        ", ".join(f"{what} {score:.2f}" for what, score in spec.scores.items()) or "none",
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align columns; what is wider than a column goes on in the lines below."""
    from textwrap import wrap

    cells = [[wrap(text, _WIDEST) or [""] for text in row] for row in rows]
    widths = [max(len(line) for row in cells for line in row[n]) for n in range(len(rows[0]))]
    lines = []
    for row in cells:
        for number in range(max(len(cell) for cell in row)):
            parts = (cell[number] if number < len(cell) else "" for cell in row)
            padded = (part.ljust(width) for part, width in zip(parts, widths, strict=True))
            lines.append("  ".join(padded).rstrip())
    return lines


def _card(model: LoadedModel) -> list[str]:
    """Put all that is known of a model in lines."""
    spec = model.spec
    plural = "s" if spec.in_channels != 1 else ""
    rows = [
        (
            "network",
            f"{spec.architecture}, {spec.first_filters} first filters, "
            f"{spec.in_channels} channel{plural} in, output {spec.output}",
        ),
        ("pixels", _scaling(spec)),
        ("classes", ", ".join(spec.class_names)),
        ("threshold", f"{spec.threshold:g}"),
        ("pixel size", f"{spec.pixel_um:g} um" if spec.pixel_um else "not known"),
        ("licence", spec.licence or "not stated"),
        ("source", spec.source),
        *(("score", f"{value:.3f}  {what}") for what, value in spec.scores.items()),
        ("file", f"{model.path}, {_size(model.path) / 1e6:.1f} MB"),
        ("sha256", model.sha256),
    ]
    lines = [f"{spec.name}: {spec.title}" if spec.title else spec.name]
    lines += [f"  {spec.description}"] if spec.description else []
    return lines + [f"  {what:<11}{value}" for what, value in rows if value]


def _scaling(spec: ModelSpec) -> str:
    """Say what is done with pixels before the network sees them."""
    said = _SCALINGS.get(spec.normalization, spec.normalization)
    if spec.normalization == "percentile":
        low, high = spec.percentiles
        said = f"percentiles {low:g} and {high:g} to 0 and 1"
    elif spec.normalization == "linear":
        pairs = zip(spec.gain, spec.offset, strict=True)
        said = "; ".join(f"times {gain:g}, plus {offset:g}" for gain, offset in pairs)
    return f"{said}, clipped to {spec.clip[0]:g}..{spec.clip[1]:g}" if spec.clip else said


def _size(path: Path) -> int:
    """Return the bytes of a model's file; of a package in a folder, of all that lies there."""
    if path.suffix.lower() in (".yaml", ".yml"):
        return sum(file.stat().st_size for file in path.parent.iterdir() if file.is_file())
    return path.stat().st_size


def _run_export(options: argparse.Namespace) -> int:
    from napari_slicewise.api import load_model  # loads torch
    from napari_slicewise.models.bioimageio_export import (
        PackageOptions,
        export_package,
        sample_shape,
    )

    if options.out.suffix.lower() != ".zip" and not options.out.is_dir():
        raise OutputError(
            f"{options.out.name} does not end in .zip.", f"Call it {options.out.stem}.zip."
        )
    model = load_model(options.model)
    card = _readme_of(model.path)
    authors = options.author or (["The napari-slicewise developers"] if card else [])
    image = _sample(options.sample, model.spec, sample_shape(model.spec))
    export_package(
        options.out,
        model.network,
        model.spec,
        image,
        PackageOptions(authors, card, options.halo),
        inputs=[model.path, *([options.sample] if options.sample else [])],
        overwrite=options.overwrite,
    )
    print(f"{options.out}: {model.spec.name}, {options.out.stat().st_size / 1e6:.1f} MB")
    return 0


def _readme_of(path: Path) -> str:
    """Return the card of a bundled model, as Markdown; empty for others."""
    bundled = Path(str(files("napari_slicewise.models.weights")))
    card = path.with_suffix(".md")
    return card.read_text("utf-8") if path.parent == bundled and card.is_file() else ""


def _sample(path: Path | None, spec: ModelSpec, shape: tuple[int, int, int]) -> NDArray[Any]:
    """Read a piece of an image, ``(c, y, x)``, as the model's pixels are."""
    from napari_slicewise.api import read_image

    place, number = path or sample_folder() / _SAMPLE[0], _SAMPLE[1]
    with read_image(place) as opened:
        source = opened.source(None)
        indices = list(source.indices())
        array = source.read_slice(indices[number if path is None else len(indices) // 2])
    channels, height, width = shape
    if array.shape[0] == 1 or path is None:
        array = np.repeat(array[:1], channels, axis=0)
    if array.shape[0] != channels:
        raise ModelError(
            f"The model takes {channels} channels, {place.name} has {array.shape[0]}.",
            "Give another image with --sample.",
        )
    if array.shape[1] < height or array.shape[2] < width:
        have = (-(-height // array.shape[1]), -(-width // array.shape[2]))
        if path is not None:
            raise ImageError(
                f"{place.name} has {array.shape[1]} x {array.shape[2]} pixels; "
                f"{height} x {width} are needed.",
                "Give a larger image with --sample.",
            )
        array = np.tile(array, (1, *have))
    array = array[:, :height, :width]
    return _eight_bit(array) if spec.normalization == "divide_by_255" else array


def _eight_bit(array: NDArray[Any]) -> NDArray[Any]:
    """Bring pixels to 8 bits, as inference does for models that take those."""
    if array.dtype == np.uint8:
        return array
    low, high = np.percentile(array, (0.1, 99.9))
    scaled = (array.astype(np.float64) - low) / max(float(high - low), 1e-12)
    return np.asarray(np.rint(scaled.clip(0.0, 1.0) * 255.0), np.uint8)
