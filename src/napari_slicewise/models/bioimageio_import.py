"""Models from bioimage.io packages: weights whose network is known, and that prove it.

The package's own Python is never run. The network is recognised by its tensors, as for any
file of weights, and must then turn the package's test image into its test output.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicewise.errors import ModelError
from napari_slicewise.models.bioimageio_archive import PackageFiles
from napari_slicewise.models.bioimageio_check import Comparison, compare
from napari_slicewise.models.bioimageio_meaning import Meaning, read_meaning
from napari_slicewise.models.bioimageio_reading import copy_checked, read_description
from napari_slicewise.models.checkpoint import Checkpoint, load_network, read_checkpoint
from napari_slicewise.models.spec import ModelSpec

if TYPE_CHECKING:
    from bioimageio.spec.model.v0_5 import ModelDescr

__all__ = ["OpenPackage", "checked", "no_weights", "open_package", "read_package", "read_weights"]

_OF_MEANING = frozenset({"scaling", "logit", "classes", "foreground"})
"""Questions that the package answers; the others are about the network itself."""

_MOST_TRIES = 12


@dataclass(frozen=True, eq=False)
class OpenPackage:
    """A package that is open, and what it says.

    Parameters
    ----------
    files
        What lies in it.
    folder
        A temporary one, for weights.
    description
        In format 0.5.
    hashes
        SHA-256 of each kind of weights, in hexadecimal, where the package says it.
    meaning
        The description in this project's words.
    """

    files: PackageFiles
    folder: Path
    description: ModelDescr
    hashes: Mapping[str, str]
    meaning: Meaning

    def extract(self, kind: str) -> tuple[Path, str] | None:
        """Copy weights of a kind out of the package; None where it has none.

        Returns
        -------
        Path, str
            The copy, gone when the package is closed, and its SHA-256.

        Raises
        ------
        ModelError
            When they lie elsewhere, are missing, or are not those described.
        """
        entry = getattr(self.description.weights, kind)
        if entry is None:
            return None
        suffix = "onnx" if kind == "onnx" else "pt"
        place = self.folder / f"{kind}.{suffix}"
        digest = copy_checked(self.files, entry, "weights", place, self.hashes.get(kind))
        return place, digest

    def named(self, error: ModelError, place: Path) -> ModelError:
        """Return an error about a copy as one about the package."""
        source = getattr(self.description.weights, place.stem).source
        message = error.message.replace(str(place), f"{self.files.path}: {source}")
        if str(self.files.path) not in message:
            message = f"{self.files.path}: {message}"
        return ModelError(message, error.hint)


@contextmanager
def open_package(path: Path) -> Iterator[OpenPackage]:
    """Open a package, and read what it says.

    Parameters
    ----------
    path
        A zip, a folder, or the description within a folder.

    Raises
    ------
    ModelError
        When it is broken or made to harm, or when its model takes or gives something else
        than images of rows and columns.
    """
    with PackageFiles(path) as files, tempfile.TemporaryDirectory(prefix="slicewise-") as folder:
        description, hashes = read_description(files)
        meaning = read_meaning(files, description)
        yield OpenPackage(files, Path(folder), description, hashes, meaning)


def read_package(path: Path) -> Checkpoint:
    """Read a model whose weights are a state_dict from a bioimage.io package.

    Parameters
    ----------
    path
        A zip, a folder, or the description within a folder.

    Returns
    -------
    Checkpoint
        Under the keys of the network that was recognised. ``sha256`` is that of the
        weights in the package.

    Raises
    ------
    ModelError
        As :func:`open_package` and :func:`read_weights` do, and when there are no such weights.
    """
    with open_package(path) as package:
        found = read_weights(package)
        if found is None:
            raise no_weights(package)
        return found


def read_weights(package: OpenPackage) -> Checkpoint | None:
    """Read the weights that are a state_dict; None where there are none.

    Raises
    ------
    ModelError
        When they lie elsewhere, are those of a network that is not known, or when that
        network does not give the test output.
    """
    extracted = package.extract("pytorch_state_dict")
    if extracted is None:
        return None
    place, digest = extracted
    try:
        checkpoint, compared = _best(place, package.meaning)
    except ModelError as error:
        raise package.named(error, place) from error
    spec = checked(package, checkpoint.spec, compared)
    return replace(checkpoint, spec=spec, sha256=digest)


def checked(package: OpenPackage, spec: ModelSpec, compared: Comparison) -> ModelSpec:
    """Return a specification when its network gives the test output, or there is none.

    Raises
    ------
    ModelError
        When it gives another one.
    """
    if not compared.agrees:
        raise ModelError(
            f"{package.files.path}: the network that its weights look like gives another result "
            f"for the package's own test image ({compared.share:.1%} of the numbers agree).",
            "Its architecture differs in something that tensors do not show.",
        )
    if compared.share is None:
        said = f"{spec.description} Not checked: the package has no test image that can be used."
        return replace(spec, description=said.strip())
    return spec


def no_weights(package: OpenPackage) -> ModelError:
    """Say which weights a package has, where none of them can be used."""
    entries = dict(package.description.weights)
    found = ", ".join(sorted(name for name, entry in entries.items() if entry is not None))
    return ModelError(
        f"{package.files.path}: its weights are there as {found} only.",
        "Weights as pytorch_state_dict, onnx or torchscript can be read.",
    )


def _readings(place: Path, meaning: Meaning) -> Iterator[Checkpoint]:
    """Yield the weights in every form that their tensors leave open, the usual one first."""
    usual = read_checkpoint(place, {})
    open_questions = [q for q in usual.questions if q.key not in _OF_MEANING]
    choices = [
        (q.guess, *(value for value in q.values if value != q.guess)) for q in open_questions
    ]
    for values in islice(product(*choices), _MOST_TRIES):
        answers = {q.key: value for q, value in zip(open_questions, values, strict=True)}
        found = read_checkpoint(place, answers) if answers else usual
        spec = _complete(found.spec, meaning)
        yield replace(found, spec=spec, questions=(), notices=())


def _complete(found: ModelSpec, meaning: Meaning) -> ModelSpec:
    """Add to what the tensors tell what the package says."""
    wanted = (meaning.fields["in_channels"], meaning.fields["out_channels"])
    if (found.in_channels, found.out_channels) != wanted:
        raise ModelError(
            f"The weights take {found.in_channels} channels and give {found.out_channels}, "
            f"and the description says {wanted[0]} and {wanted[1]}.",
            "The package is damaged, or its network does more than its tensors show.",
        )
    card = meaning.card
    if card is not None and _network_of(card) == _network_of(found):
        return card
    return replace(found, **meaning.fields)


def _network_of(spec: ModelSpec) -> tuple[object, ...]:
    """Return what makes a network the same network."""
    sides = (spec.padding, spec.stride, spec.remainder, spec.margin)
    sizes = (spec.architecture, spec.first_filters, spec.widths, spec.batch_norm)
    return sizes, sides, spec.upsampling, spec.last_relu, spec.options


def _best(place: Path, meaning: Meaning) -> tuple[Checkpoint, Comparison]:
    """Return the reading that comes next to the test output; the first that gives it exactly."""
    tries = []
    for checkpoint in _readings(place, meaning):
        compared = compare(load_network(checkpoint), checkpoint.spec, meaning)
        tries.append((checkpoint, compared))
        if compared.exact:
            break
    return min(tries, key=lambda tried: tried[1].error)
