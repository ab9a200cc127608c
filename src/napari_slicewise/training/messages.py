"""What the desktop and its worker process say to each other of a training. No torch here.

They travel as those of ``inference.messages`` do. Slices lie in the messages themselves:
only annotated ones and the one on show are ever sent, never a stack.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from napari_slicewise.errors import SlicewiseError
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.training.request import Annotation, LearnRequest

__all__ = [
    "BeginLearning",
    "KeepModel",
    "LearningBegan",
    "LearningEnded",
    "LearningSays",
    "Look",
    "Looked",
    "ModelKept",
    "MoreToLearn",
    "Outcome",
    "StopLearning",
]

Outcome = Literal["completed", "stopped", "failed"]


@dataclass(frozen=True, eq=False)
class BeginLearning:
    """Desktop: learn this.

    Parameters
    ----------
    request
        What is asked for; left out of account where ``resume`` is set.
    annotations
        What to learn from, beside what the folder holds.
    folder
        Where the training is kept, so that it can go on after any end.
    resume
        Whether to go on with what the folder holds.
    words
        What it is about, for the user who finds it again.
    pixel_um
        Pixel size of the images, in um: the model's own from now on. None where it is not
        known, or not the same.
    """

    request: LearnRequest
    annotations: tuple[Annotation, ...]
    folder: str
    resume: bool = False
    words: str = ""
    pixel_um: float | None = None


@dataclass(frozen=True, eq=False)
class MoreToLearn:
    """Desktop: slices that were annotated, or annotated otherwise, meanwhile."""

    annotations: tuple[Annotation, ...]


@dataclass(frozen=True, eq=False)
class Look:
    """Desktop: predict this slice from time to time.

    Parameters
    ----------
    ticket
        Given back with each answer.
    image
        ``(channel, y, x)``, as read; None asks for no more predictions.
    group
        Name of its image, whose range of intensities is used.
    rgb
        Whether the channels are the colours of one picture.
    """

    ticket: int
    image: NDArray[Any] | None
    group: str = ""
    rgb: bool = False


@dataclass(frozen=True)
class StopLearning:
    """Desktop: end the training after the step under way."""


@dataclass(frozen=True)
class KeepModel:
    """Desktop: copy the model of a training to where the user wants it.

    Parameters
    ----------
    draft
        The file that the training wrote.
    path
        A file that is not there yet.
    title
        What the model is called from now on.
    """

    draft: str
    path: str
    title: str


@dataclass(frozen=True)
class LearningBegan:
    """Worker: the first step begins; these annotations are only scored."""

    spec: ModelSpec
    held_out: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Looked:
    """Worker: what the model says by now of the slice to look at, ``(y, x)``."""

    ticket: int
    labels: NDArray[Any]


@dataclass(frozen=True)
class LearningEnded:
    """Worker: the training is over.

    Parameters
    ----------
    outcome
        ``completed``: it came to its end; ``stopped``: it was asked to end; ``failed``.
    message, hint
        Why, where it failed, and what can be done.
    draft
        The file with the best weights; empty where there are none.
    folder
        Where the training is kept.
    """

    outcome: Outcome
    message: str = ""
    hint: str = ""
    draft: str = ""
    folder: str = ""


@dataclass(frozen=True)
class LearningSays:
    """Worker: what happens beside the steps, in words."""

    text: str


@dataclass(frozen=True)
class ModelKept:
    """Worker: the model lies where it was wanted, or why it does not."""

    path: str
    answer: ModelSpec | SlicewiseError
