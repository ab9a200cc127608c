"""What the panel says of a model: in one line, and on a whole card. No Qt here."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from napari_slicewise.editing.wording import counted
from napari_slicewise.errors import ModelError
from napari_slicewise.inference.channels import channel_recipe
from napari_slicewise.io.source import ArraySource
from napari_slicewise.models.spec import ModelSpec

__all__ = ["ModelCard", "bytes_of", "card_of", "describe_fit"]

_LONGEST = 2000  # characters of one entry: descriptions come from files of unknown origin
_MOST_FILES = 1000  # of a folder that is a model
_RECIPE_WORDS = {  # by recipe, and whether the image is in colour
    ("as is", True): "colour as it is",
    ("grey", True): "colour becomes grey",
    ("repeat", False): "the channel is fed three times",
}
_OUTPUT_WORDS = {
    "foreground": "foreground",
    "foreground_distance": "foreground, and the distance to an object's edge",
    "foreground_boundary": "foreground, and the boundary between objects",
}
_INTENSITY_WORDS = {
    "divide_by_255": "8-bit values divided by 255",
    "z_score": "mean 0 and standard deviation 1",
    "none": "intensities as they are",
}


@dataclass(frozen=True)
class ModelCard:
    """A model in words; plain text, without line breaks and without markup.

    Parameters
    ----------
    title
        Its name for the picker.
    purpose
        What it is for; empty where nobody says.
    facts
        Channels, pixel size, licence and size, as far as known, in one line.
    rows
        The whole card: ``(what, value)``.
    """

    title: str
    purpose: str
    facts: str
    rows: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """The whole card as lines of text."""
        return "\n".join([self.title, *(f"{name}: {value}" for name, value in self.rows)])


def card_of(spec: ModelSpec, path: Path | None = None) -> ModelCard:
    """Put a model's specification in words.

    Parameters
    ----------
    spec
        What the model is.
    path
        Its file or folder; None where that is not known.
    """
    size = None if path is None else bytes_of(path)
    pixel = f"{spec.pixel_um:g} µm/px" if spec.pixel_um else ""
    megabytes = "" if size is None else _megabytes(size)
    facts = [counted(spec.in_channels, "channel"), pixel, _plain(spec.licence), megabytes]
    rows = [
        ("What for", _plain(spec.description)),
        ("Takes", _describe_input(spec)),
        ("Finds", _describe_output(spec)),
        ("Pixel size", f"made at {spec.pixel_um:g} µm" if spec.pixel_um else "not known"),
        ("Licence", _plain(spec.licence) or "not stated"),
        ("Source", _plain(spec.source)),
        ("Scores", ", ".join(f"{_plain(what)} {score:.3g}" for what, score in spec.scores.items())),
        ("Network", f"{spec.architecture}, {spec.first_filters} filters in the first level"),
        ("File", "" if path is None else f"{path} ({megabytes})" if megabytes else str(path)),
    ]
    return ModelCard(
        _plain(spec.title or spec.name),
        _plain(spec.description),
        " · ".join(fact for fact in facts if fact),
        tuple((name, value) for name, value in rows if value),
    )


def describe_fit(spec: ModelSpec, source: ArraySource | None) -> str:
    """Say what is done with an image for a model; empty where nothing needs to be said."""
    parts = []
    if source is not None:
        with suppress(ModelError):  # that they do not fit is said where the image is chosen
            recipe = channel_recipe(spec, source.channels, rgb=source.rgb)
            parts.append(_RECIPE_WORDS.get((recipe, source.rgb), ""))
    if spec.output == "classes":
        parts.append(f"finds {_classes(spec)}")
    return " · ".join(part for part in parts if part)


def bytes_of(path: Path) -> int | None:
    """Return the size of a file, or of the files of a folder; None where it cannot be read."""
    try:
        if not path.is_dir():
            return path.stat().st_size
        files = (file for _, file in zip(range(_MOST_FILES), path.rglob("*"), strict=False))
        return sum(file.stat().st_size for file in files if file.is_file())
    except OSError:
        return None


def _describe_input(spec: ModelSpec) -> str:
    scaling = _INTENSITY_WORDS.get(spec.normalization, spec.normalization)
    if spec.normalization == "percentile":
        low, high = spec.percentiles
        scaling = f"intensities from percentile {low:g} to {high:g}"
    return f"{counted(spec.in_channels, 'channel')}, {scaling.replace('_', ' ')}"


def _describe_output(spec: ModelSpec) -> str:
    if spec.output == "classes":
        return _classes(spec)
    return _OUTPUT_WORDS.get(spec.output, str(spec.output).replace("_", " "))


def _classes(spec: ModelSpec) -> str:
    names = ", ".join(_plain(name) for name in spec.class_names)
    return names or f"{spec.out_channels} classes"


def _megabytes(size: int) -> str:
    """Say a size as file managers do: 1 MB is a million bytes."""
    return f"{size / 1e6:.1f} MB" if size >= 50_000 else f"{size / 1e3:.1f} kB"


def _plain(text: str) -> str:
    """Return one line without what Qt would take for markup, and not without end."""
    line = " ".join(str(text).split())
    short = line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
    return short.replace("<", "‹").replace(">", "›")
