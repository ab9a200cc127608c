"""Which models there are, and what they say of themselves. No torch here.

Weights are safetensors files whose header carries the model's specification.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from napari_slicewise.errors import ModelError
from napari_slicewise.models.bioimageio_archive import find_description, is_package
from napari_slicewise.models.spec import ModelSpec

__all__ = [
    "SPEC_KEY",
    "bundled_models",
    "read_spec",
    "resolve_model",
    "thumbnail",
    "weights_path",
]

SPEC_KEY = "napari_slicewise"
"""Key of the specification in a safetensors file's metadata."""

_WEIGHTS = Path(__file__).parent / "weights"
_LARGEST_HEADER = 16 * 1024 * 1024  # bytes; a network of 136 tensors needs 14,000


def bundled_models() -> tuple[ModelSpec, ...]:
    """Return the specifications of the models that come with the package, by name.

    Raises
    ------
    ModelError
        When a file of the installation is broken.
    """
    specs = []
    for path in sorted(_WEIGHTS.glob("*.safetensors")):
        spec = read_spec(path)
        if spec is None:
            raise ModelError(
                f"{path} does not say what model it is.", "Install napari-slicewise again."
            )
        specs.append(spec)
    return tuple(specs)


def weights_path(name: str) -> Path:
    """Return where the weights of a bundled model lie.

    Raises
    ------
    ModelError
        When there is no such model.
    """
    for path in _WEIGHTS.glob("*.safetensors"):
        if path.stem == name:
            return path
    raise ModelError(f"There is no bundled model {name!r}.", _known_names())


def resolve_model(name_or_path: str) -> Path:
    """Return the file of a bundled model, or else the file itself.

    Of a bioimage.io package in a folder, the file is its description.

    Raises
    ------
    ModelError
        When it is neither the name of a bundled model, nor a file, nor a package.
    """
    for path in _WEIGHTS.glob("*.safetensors"):
        if path.stem == name_or_path:
            return path
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        described = find_description(entry.name for entry in path.iterdir())
        if described is not None:
            return path / described
        raise ModelError(
            f"{name_or_path!r} is a folder.", f"Choose a file with weights. {_known_names()}"
        )
    if not path.is_file() and (path.suffix or len(path.parts) > 1):
        raise ModelError(f"There is no file {path}.", f"Was it moved? {_known_names()}")
    if not path.is_file():
        raise ModelError(f"{name_or_path!r} is neither a bundled model nor a file.", _known_names())
    return path


def thumbnail(path: Path) -> bytes | None:
    """Return a small picture of what a model finds, for the model picker.

    Parameters
    ----------
    path
        As :func:`resolve_model` gives it: weights, or a bioimage.io package.

    Returns
    -------
    bytes or None
        PNG of at most 96 x 96 pixels; None where there is none. A bundled model has the
        one beside its weights, a package the first of its covers.
    """
    if path.parent == _WEIGHTS:
        picture = path.with_suffix(".png")
        return picture.read_bytes() if picture.is_file() else None
    if not path.is_file() or not is_package(path):
        return None
    from napari_slicewise.models.bioimageio_cover import cover_thumbnail  # loads Pillow

    return cover_thumbnail(path)


def read_spec(path: Path) -> ModelSpec | None:
    """Read the specification from a safetensors file's header, without its weights.

    The header is 8 bytes, its length as a little-endian number, and then JSON, whose
    ``__metadata__`` maps strings to strings (safetensors format, version 0.4).

    Returns
    -------
    ModelSpec or None
        None where the header carries none: weights from elsewhere.

    Raises
    ------
    ModelError
        When the file cannot be read or is no safetensors file.
    """
    metadata = _read_header(path).get("__metadata__")
    if not isinstance(metadata, dict) or SPEC_KEY not in metadata:
        return None
    return ModelSpec.from_json(str(metadata[SPEC_KEY]))


def _read_header(path: Path) -> dict[str, Any]:
    """Read the header's JSON; its length is bounded before anything is allocated."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= _LARGEST_HEADER:
                raise ModelError(f"{path} is no safetensors file.")
            text = file.read(length)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"{path} is no safetensors file, or is incomplete.", "Download or copy it again."
        ) from error
    if not isinstance(header, dict):
        raise ModelError(f"{path} is no safetensors file.")
    return header


def _known_names() -> str:
    """Name the bundled models, for a hint."""
    names = ", ".join(sorted(path.stem for path in _WEIGHTS.glob("*.safetensors")))
    return f"Bundled models: {names or 'none'}."
