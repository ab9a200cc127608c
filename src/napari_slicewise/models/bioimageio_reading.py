"""The description of a bioimage.io package, read through bioimageio.spec and without a network.

Formats 0.3 and 0.4 are brought to 0.5 by that library. Nothing of the package is run,
and nothing that it refers to elsewhere is fetched.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_slicewise.errors import ModelError
from napari_slicewise.models.bioimageio_archive import PackageFiles
from napari_slicewise.models.bioimageio_cover import LARGEST_DESCRIPTION

if TYPE_CHECKING:
    from bioimageio.spec.model.v0_5 import FileDescr, ModelDescr

__all__ = ["copy_checked", "needs_library", "packaged_name", "read_description"]

_MOST_VALUES = 20_000  # a model's description has a few hundred
_DEEPEST = 40
_MOST_OPEN = 500  # brackets; the parser takes quadratic time for what it then refuses
_KNOWN_FORMATS = ("0.3", "0.4", "0.5")
_BRACKETS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def needs_library() -> ModelError:
    """Say what is to be installed where bioimageio.spec is missing."""
    return ModelError(
        "bioimage.io packages need bioimageio.spec, which is not installed.",
        "Run: pip install 'napari-slicewise[bioimageio]'",
    )


def read_description(files: PackageFiles) -> tuple[ModelDescr, dict[str, str]]:
    """Read what a package says of its model.

    Parameters
    ----------
    files
        The package.

    Returns
    -------
    ModelDescr
        In format 0.5, whatever the file has. Paths in it are relative to the package, and
        were not looked at.
    dict
        The SHA-256 of each kind of weights, in hexadecimal, where the file has it:
        bringing format 0.4 to 0.5 loses them.

    Raises
    ------
    ModelError
        When the description is none of a model, or does not hold by the format's rules;
        with the first that does not fit.
    """
    try:
        from bioimageio.spec import InvalidDescr, ValidationContext, build_description
        from bioimageio.spec.model.v0_5 import ModelDescr
    except ImportError as error:
        raise needs_library() from error
    content = _read_content(files)
    _check_content(files, content)
    offline = ValidationContext(
        root=files.root,
        file_name=files.description,
        perform_io_checks=False,
        log_warnings=False,
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of conversions from 0.4: what they made is checked
            description = build_description(content, context=offline, format_version="latest")
    except (ValueError, TypeError, KeyError, AttributeError, AssertionError) as error:
        raise _unfit(files, str(error)) from error
    if isinstance(description, InvalidDescr):
        raise _unfit(files, _first_error(description))
    if not isinstance(description, ModelDescr):
        raise _unfit(files, f"it describes a {type(description).__name__}")
    return description, _hashes(content)


def packaged_name(files: PackageFiles, described: FileDescr, what: str) -> str:
    """Return under which name a described file lies in the package.

    Parameters
    ----------
    files
        The package.
    described
        The file, as the description has it.
    what
        For the message.

    Raises
    ------
    ModelError
        When it lies elsewhere: nothing is downloaded.
    """
    name = str(described.source)
    if "://" in name:
        raise ModelError(
            f"{files.path}: its {what} lie elsewhere ({name}), and nothing is downloaded here.",
            "Download the package whole, from the model's page on bioimage.io.",
        )
    if Path(name).is_absolute():
        raise ModelError(
            f"{files.path}: its {what} lie outside of the package ({name}).",
            "Put the file beside the description, and name it there.",
        )
    return name


def copy_checked(
    files: PackageFiles, described: FileDescr, what: str, target: Path, sha256: str | None
) -> str:
    """Copy a described file out of the package, and check that it is the one described.

    Parameters
    ----------
    files
        The package.
    described
        The file, as the description has it.
    what
        For the message.
    target
        Where to.
    sha256
        What it must have, in hexadecimal; None where nobody says.

    Returns
    -------
    str
        Its SHA-256, in hexadecimal.

    Raises
    ------
    ModelError
        When it lies elsewhere, is missing, or is another file than described.
    """
    name = packaged_name(files, described, what)
    files.copy(name, target)
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 is not None and sha256 != digest:
        raise ModelError(
            f"{files.path}: its file {name!r} is not the one described (SHA-256 {digest[:12]}..., "
            f"described as {sha256[:12]}...).",
            "The package is damaged or was changed; download it again.",
        )
    return digest


def _read_content(files: PackageFiles) -> dict[str, Any]:
    """Read the YAML; it is bounded before it is parsed and before it is looked at."""
    from bioimageio.spec.utils import read_yaml
    from ruyaml.error import YAMLError  # what bioimageio.spec reads YAML 1.2 with

    data = files.read(files.description, LARGEST_DESCRIPTION)
    if max(accumulate(_BRACKETS.get(byte, 0) for byte in data), default=0) > _MOST_OPEN:
        raise _unfit(files, "it nests its values too deeply")
    try:
        content = read_yaml(data.decode("utf-8-sig"))
    except (YAMLError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _unfit(files, f"it is no YAML ({reason})") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise _unfit(files, "it is no mapping of names to values")
    if _count(content, _DEEPEST, _MOST_VALUES) >= _MOST_VALUES:
        raise _unfit(files, f"it holds more than {_MOST_VALUES} values, or nests them too deeply")
    return {str(key): value for key, value in content.items()}


def _count(value: object, depth: int, left: int) -> int:
    """Count values, as often as they are referred to; end at ``left``.

    YAML can refer to one list many times, each of which refers to another many times.
    """
    if depth == 0:
        return left
    inner: Any = ()
    if isinstance(value, Mapping):
        inner = value.values()
    elif isinstance(value, list | tuple | set):
        inner = value
    seen = 1
    for item in inner:
        seen += _count(item, depth - 1, left - seen)
        if seen >= left:
            return left
    return seen


def _check_content(files: PackageFiles, content: Mapping[str, Any]) -> None:
    """Refuse what is no model of a known format, and what would be looked up elsewhere."""
    kind, version = content.get("type"), str(content.get("format_version"))
    if kind != "model":
        raise _unfit(files, f"it describes no model but a {kind!r}")
    if ".".join(version.split(".")[:2]) not in _KNOWN_FORMATS:
        raise _unfit(files, f"its format {version} is none of {', '.join(_KNOWN_FORMATS)}")
    inputs = content.get("inputs")
    for tensor in inputs if isinstance(inputs, list) else ():
        if isinstance(tensor, Mapping) and tensor.get("output_of") is not None:
            raise _unfit(files, f"its input is the output of the model {tensor['output_of']!r}")


def _hashes(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the hashes of the weights as they were written."""
    weights = content.get("weights")
    entries = weights.items() if isinstance(weights, Mapping) else ()
    given = {kind: entry.get("sha256") for kind, entry in entries if isinstance(entry, Mapping)}
    return {kind: text.strip().lower() for kind, text in given.items() if isinstance(text, str)}


def _first_error(description: Any) -> str:
    """Say the first thing that bioimageio.spec found wrong, and where."""
    for detail in description.validation_summary.details:
        for entry in detail.errors:
            place = ".".join(str(part) for part in entry.loc)
            reason = entry.msg.splitlines()[0] if entry.msg else "not valid"
            return f"{place}: {reason}" if place else reason
    return "it is not valid"


def _unfit(files: PackageFiles, reason: str) -> ModelError:
    return ModelError(
        f"{files.path}: {files.description} cannot be used: {reason.rstrip('.')}.",
        "It must describe a model for 2D images in the bioimage.io format 0.4 or 0.5.",
    )
