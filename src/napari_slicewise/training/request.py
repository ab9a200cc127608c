"""What is to be learned, from what, and how it goes. No torch here: the desktop imports this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import ImageError, RequestError

__all__ = [
    "DEFAULT_BATCH",
    "DEFAULT_FILTERS",
    "Annotation",
    "Ending",
    "Head",
    "LearnReport",
    "LearnRequest",
    "PatchNote",
]

Head = Literal["auto", "binary", "boundary", "distance", "classes"]
Ending = Literal["", "time is over", "steps are done", "no better any more", "diverged"]
DEFAULT_BATCH = 8
DEFAULT_FILTERS = 16
_LARGEST_FILTERS = 128
_SMALLEST_SIDE = 64  # px, of patches that nobody chose
_LARGEST_STEP = 4096**2  # px: beyond, the system ends the program before torch can say why


@dataclass(frozen=True)
class LearnRequest:
    """One training, as asked for; ``auto`` is resolved where the labels are known.

    Parameters
    ----------
    start_from
        Name of a bundled model, or the path of a file with weights; None begins with
        random weights.
    head
        What the network answers. ``binary``: foreground; ``boundary``: that, and the lines
        between objects; ``distance``: that, and the distance to each object's edge;
        ``classes``: one class a pixel. ``auto``: the start's own, else by the labels.
    minutes
        Time the training may take. The learning rate follows the clock.
    steps
        Number of steps instead of a time: the learning rate follows the steps, and
        the same seed on the same data gives the same weights. None goes by the clock.
    seed
        Of the weights, the patches and their variation.
    first_filters
        Filters of a new network's first block. int8 wants multiples of 16.
    patch
        Side of a patch in pixels, a multiple of 16; None chooses by the images.
    batch
        Patches a step.
    held_out
        Names of the annotations, or of whole groups, to be scored and never trained on;
        None chooses: a fifth of the groups, or of the slices where there is one group.
        An empty tuple holds out nothing.
    learning_rate
        Peak of the learning rate; None takes what suits a new or a known network.
    device
        ``auto``, or a name such as ``cpu``, ``cuda:0``, ``mps``.
    name, title
        Of the model that results.
    class_names
        Background first; empty where classes have no names.
    memory_mb
        Ceiling of the memory for images and labels, in MiB; beyond it, they are read
        again and again.
    """

    start_from: str | None = None
    head: Head = "auto"
    minutes: float = 5.0
    steps: int | None = None
    seed: int = 0
    first_filters: int = DEFAULT_FILTERS
    patch: int | None = None
    batch: int = DEFAULT_BATCH
    held_out: tuple[str, ...] | None = None
    learning_rate: float | None = None
    device: str = "auto"
    name: str = "trained"
    title: str = ""
    class_names: tuple[str, ...] = ()
    memory_mb: int = 2048

    def __post_init__(self) -> None:
        if self.head not in get_args(Head):
            raise RequestError(
                f"There is no head {self.head!r}.", f"Choose one of {', '.join(get_args(Head))}."
            )
        if not 0.0 < self.minutes < float("inf"):
            raise RequestError(f"Training needs a time above 0 minutes, not {self.minutes!r}.")
        if self.steps is not None and self.steps < 1:
            raise RequestError(f"Training needs one step or more, not {self.steps}.")
        if not 1 <= self.first_filters <= _LARGEST_FILTERS:
            raise RequestError(
                f"A network has 1 to {_LARGEST_FILTERS} first filters, not {self.first_filters}."
            )
        if self.patch is not None and (self.patch < 16 or self.patch % 16):
            raise RequestError(f"A patch's side must be a multiple of 16, got {self.patch}.")
        if self.batch < 1:
            raise RequestError(f"A batch holds one patch or more, got {self.batch}.")
        side = self.patch or _SMALLEST_SIDE
        if self.batch * side**2 > _LARGEST_STEP:
            raise RequestError(
                f"A step of {self.batch} patches of {side} x {side} pixels is too large.",
                "Take smaller patches, or fewer at once.",
            )
        if self.seed < 0:
            raise RequestError(f"A seed is 0 or more, not {self.seed}.")
        if self.learning_rate is not None and not 0.0 < self.learning_rate < 1.0:
            raise RequestError(f"A learning rate lies between 0 and 1, not {self.learning_rate!r}.")
        if self.memory_mb < 16:
            raise RequestError(f"Training needs 16 MiB for images or more, not {self.memory_mb}.")


@dataclass(frozen=True, eq=False)
class Annotation:
    """A slice and what a human says of it.

    Parameters
    ----------
    name
        Tells it from the others; an update under the same name replaces it.
    image
        ``(y, x)`` or ``(channel, y, x)``, as read: any real dtype, not normalised. It may be
        lazy (zarr, a reader's array): then it is read when it is needed.
    labels
        ``(y, x)``: numbers of objects, or classes; 0 is the background. May be lazy.
    known
        ``(y, x)``: which pixels were looked at; label 0 there means background. None: all.
    group
        The image that the slice belongs to: slices of one group share their intensity
        range and may be held out together. Empty: the slice stands alone.
    rgb
        Whether the channels are the colours of one picture.
    """

    name: str
    image: Any  # (y, x) or (channel, y, x)
    labels: Any  # (y, x)
    known: NDArray[np.bool_] | None = None  # (y, x)
    group: str = ""
    rgb: bool = False

    def __post_init__(self) -> None:
        shape, plane = tuple(self.image.shape), tuple(self.labels.shape)
        if len(shape) not in (2, 3):
            raise ImageError(
                f"{self.name}: a slice has the axes (y, x) or (channel, y, x), not {shape}.",
                "Give the slices of a stack one by one.",
            )
        if shape[-2:] != plane:
            raise ImageError(
                f"{self.name}: the image has {_size(shape[-2:])} pixels, its labels "
                f"{_size(plane)}.",
                "Do these labels belong to another image, or are their axes in another order?",
            )
        if self.known is not None and tuple(self.known.shape) != plane:
            raise ImageError(
                f"{self.name}: the labels have {_size(plane)} pixels, the map of what is known "
                f"{_size(tuple(self.known.shape))}."
            )
        if np.dtype(self.labels.dtype).kind not in "bui":
            raise ImageError(
                f"{self.name}: labels must be whole numbers, not {self.labels.dtype}.",
                "Is this the image, or a probability map?",
            )
        if np.dtype(self.image.dtype).kind not in "buif":
            raise ImageError(f"{self.name}: the image holds numbers of type {self.image.dtype}.")
        if 0 in shape:
            raise ImageError(f"{self.name}: the image is empty (shape {shape}).")


@dataclass(frozen=True)
class PatchNote:
    """Where one patch of a step came from.

    Parameters
    ----------
    name
        Of the annotation; empty for a drawn patch without objects, and for one of what the
        start has learned from before.
    version
        How many times the annotation was replaced before.
    window
        ``(top, left, bottom, right)`` in pixels of the slice; may stick out of it.
    known
        Number of the patch's pixels that were annotated.
    """

    name: str
    version: int = 0
    window: tuple[int, int, int, int] = (0, 0, 0, 0)
    known: int = 0


@dataclass(frozen=True)
class LearnReport:
    """The state after a step.

    Parameters
    ----------
    step
        Steps done.
    seconds, seconds_left
        Spent on training, and estimated until the end.
    loss
        Of this step.
    validation
        Score of the averaged weights on the held-out slices, 0..1, where this step was
        followed by a validation; else None.
    measure
        What that score is, in words; empty where nothing is held out.
    best
        The best such score so far.
    before
        That of the model the training started from; None where there was none.
    message
        What happened beside the step (smaller patches, nothing held out), in words.
    patches_from
        How many patches came from each annotation so far.
    patches
        Where the patches of this step came from.
    ending
        Why this was the last step; empty before.
    """

    step: int
    seconds: float
    seconds_left: float
    loss: float
    validation: float | None = None
    measure: str = ""
    best: float | None = None
    before: float | None = None
    message: str = ""
    patches_from: Mapping[str, int] = field(default_factory=dict)
    patches: tuple[PatchNote, ...] = ()
    ending: Ending = ""


def _size(shape: tuple[int, ...]) -> str:
    """Say a shape in words."""
    return " x ".join(map(str, shape))
