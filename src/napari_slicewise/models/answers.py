"""Answers to what a file of weights leaves open, remembered beside it. No torch here.

Tensors do not tell how pixels were scaled or what the output means. What the user says
about it lies in ``<name of the file>.slicewise.json``, never in the file itself: copied
along, it goes with the file, and the panel and the command line read the same.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platformdirs import user_config_path

from napari_slicewise.errors import ModelError, OutputError
from napari_slicewise.io.atomic_file import explain_output, replacing
from napari_slicewise.models.questions import Question, fitting_answers

__all__ = [
    "Inquiry",
    "Remembered",
    "answers_path",
    "inquire",
    "recall_answers",
    "remember_answers",
]

_FORMAT = "napari-slicewise answers"
_VERSION = 1
_LARGEST = 64 * 1024  # bytes; a file of ours has a few hundred


@dataclass(frozen=True)
class Inquiry:
    """What is open of a model, and what was answered.

    Parameters
    ----------
    questions
        What the file leaves open; empty for a model that says everything itself.
    answers
        By the question's key; what is missing is guessed.
    notices
        What else the user should know of them, a sentence each.
    """

    questions: tuple[Question, ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Remembered:
    """What was found of earlier answers.

    Parameters
    ----------
    answers
        By the question's key; empty where there are none.
    place
        The file that they were read from.
    notices
        Files that were passed over, and why, each a sentence for the user.
    """

    answers: Mapping[str, str] = field(default_factory=dict)
    place: Path | None = None
    notices: tuple[str, ...] = ()


def answers_path(path: Path) -> Path:
    """Return where the answers about a file lie: beside it."""
    return path.with_name(f"{path.name}.slicewise.json")


def recall_answers(path: Path, sha256: str) -> Remembered:
    """Return the answers given earlier about a file.

    Those in the user's configuration come first: they are there where the folder of the
    weights could not be written, and are then later than what lies in it.

    Parameters
    ----------
    path
        The file of weights.
    sha256
        Of its content, in hexadecimal; answers about other content do not count.
    """
    notices = []
    for place in (_own_place(sha256), answers_path(path)):
        try:
            answers = _read(place, sha256)
        except ModelError as error:
            notices.append(str(error))
            continue
        if answers is not None:
            return Remembered(answers, place, tuple(notices))
    return Remembered(notices=tuple(notices))


def remember_answers(path: Path, sha256: str, answers: Mapping[str, str]) -> Path:
    """Write answers beside a file, or where that cannot be, into the user's configuration.

    A file beside it that is none of answers is left as it is.

    Parameters
    ----------
    path
        The file of weights.
    sha256
        Of its content, in hexadecimal.
    answers
        By the question's key; they replace those given earlier.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    OutputError
        When neither can be written.
    """
    text = json.dumps(
        {
            "format": _FORMAT,
            "version": _VERSION,
            "file": path.name,
            "sha256": sha256,
            "answers": dict(answers),
        },
        indent=2,
        ensure_ascii=False,
    )
    beside, own = answers_path(path), _own_place(sha256)
    if _may_replace(beside):
        with contextlib.suppress(OutputError):
            _write(beside, text)
            with contextlib.suppress(OSError):  # it would hide what was written now
                own.unlink(missing_ok=True)
            return beside
    with explain_output(own):
        own.parent.mkdir(parents=True, exist_ok=True)
    _write(own, text)
    return own


def inquire(
    path: Path,
    sha256: str,
    questions: tuple[Question, ...],
    given: Mapping[str, str],
    notices: tuple[str, ...] = (),
) -> Inquiry:
    """Return what is open of a file; remember new answers, or recall the earlier ones.

    Parameters
    ----------
    path, sha256
        The file of weights, and the digest of its content in hexadecimal.
    questions
        What it leaves open.
    given
        New answers, to any of them; empty where there are none.
    notices
        What is to be said already.
    """
    if not questions:
        return Inquiry(notices=notices)
    if not given:
        answers = fitting_answers(questions, recall_answers(path, sha256).answers)
        return Inquiry(questions, answers, notices)
    try:
        remember_answers(path, sha256, given)
    except OutputError as error:
        notices = (*notices, f"The answers could not be remembered: {error}")
    return Inquiry(questions, given, notices)


def _own_place(sha256: str) -> Path:
    """Return the place for files whose folder cannot be written."""
    return user_config_path("napari-slicewise") / "answers" / f"{sha256}.json"


def _write(place: Path, text: str) -> None:
    with replacing(place) as temporary:
        temporary.write_text(f"{text}\n", "utf-8")


def _read(place: Path, sha256: str) -> dict[str, str] | None:
    """Read a file of answers; None where there is none.

    Raises
    ------
    ModelError
        When it is to be passed over, with the reason.
    """
    content = _content(place)
    if content is None:
        return None
    if content["sha256"] != sha256:
        raise ModelError(
            f"The answers in {place.name} are about another version of the file, "
            "and do not count for this one."
        )
    return dict(content["answers"])


def _may_replace(place: Path) -> bool:
    """Whether nothing is lost by writing there: no file, or one of ours."""
    try:
        _content(place)
    except ModelError:
        return False
    return not place.is_dir()


def _content(place: Path) -> dict[str, Any] | None:
    """Read and check everything but whose answers they are; None where there is no file.

    Raises
    ------
    ModelError
        When it is no file of answers that this version knows.
    """
    foreign = f"{place.name} is no file of answers about a model, and is passed over."
    try:
        if not place.is_file():
            return None
        with place.open("rb") as file:
            text = file.read(_LARGEST + 1)
        content = json.loads(text) if len(text) <= _LARGEST else None
    except OSError as error:
        raise ModelError(f"{place.name} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(foreign) from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ModelError(foreign)
    if content.get("version") != _VERSION:
        raise ModelError(
            f"{place.name} was written by another version of napari-slicewise, and is passed over."
        )
    answers = content.get("answers")
    whole = isinstance(answers, dict) and all(isinstance(value, str) for value in answers.values())
    if not whole or not isinstance(content.get("sha256"), str):
        raise ModelError(foreign)
    return content
