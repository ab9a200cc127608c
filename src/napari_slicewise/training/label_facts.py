"""What kind of labels these are: objects, classes or a mask; and whether they can be learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from skimage.measure import label as label_regions

from napari_slicewise.errors import RequestError
from napari_slicewise.models.spec import OutputKind
from napari_slicewise.training.pieces import Piece, read_labels
from napari_slicewise.training.request import Head
from napari_slicewise.training.targets import number_from_one, whole_objects

__all__ = ["LabelFacts", "choose_output", "survey"]

_PIECES = 64  # looked at, of a large set
_MANY = 30  # different numbers; nobody has so many classes
_SEVERAL = 5

_OUTPUTS: dict[Head, OutputKind] = {
    "binary": "foreground",
    "boundary": "foreground_boundary",
    "distance": "foreground_distance",
    "classes": "classes",
}


@dataclass(frozen=True)
class LabelFacts:
    """What was found in the labels.

    Parameters
    ----------
    foreground, background
        Known pixels of each.
    values
        How many different numbers above 0 there are.
    largest
        The largest number.
    objects
        Objects, if each number is one, or each connected region of a mask.
    whole
        How many of them are annotated with all of their edge.
    regions
        Connected regions of each number in a piece, on average.
    complete
        Whether all pixels were looked at.
    """

    foreground: int
    background: int
    values: int
    largest: int
    objects: int
    whole: int
    regions: float
    complete: bool

    @property
    def look_like_objects(self) -> bool:
        """Whether the numbers tell objects apart, and not kinds of pixels."""
        single = self.complete and self.values >= _SEVERAL and self.regions <= 1.5
        return self.values > _MANY or single

    @property
    def look_like_classes(self) -> bool:
        """Whether a few numbers stand for many regions each."""
        return self.complete and 2 <= self.values <= _SEVERAL and self.regions >= 3.0


def survey(pieces: Sequence[Piece]) -> LabelFacts:
    """Look at the labels; of a large set at some, spread over it.

    Parameters
    ----------
    pieces
        What is to be learned from.

    Raises
    ------
    ImageError
        When labels cannot be read.
    RequestError
        When nothing is painted, or nothing but the background, or no background.
    """
    chosen = np.unique(np.linspace(0, len(pieces) - 1, min(_PIECES, len(pieces))).astype(int))
    foreground = background = objects = whole = regions = occurrences = 0
    values: set[int] = set()
    complete = True
    for place in chosen:
        labels, known = read_labels(pieces[place])
        seen = np.ones(labels.shape, bool) if known is None else known
        labels = np.where(seen, labels, 0)
        numbered = number_from_one(labels)
        here = set(np.unique(labels).tolist()) - {0}
        foreground += int(np.count_nonzero(labels))
        background += int(np.count_nonzero(seen & (labels == 0)))
        objects += int(numbered.max(initial=0))
        whole += int(np.count_nonzero(whole_objects(numbered, seen)[1:]))
        counted: Any = label_regions(  # of equal numbers
            labels, connectivity=1, return_num=True
        )  # type: ignore[no-untyped-call]
        regions += int(counted[1])
        occurrences += len(here)
        values |= here
        complete &= bool(seen.all())
    _check(foreground, background)
    return LabelFacts(
        foreground,
        background,
        len(values),
        max(values, default=0),
        objects,
        whole,
        regions / max(occurrences, 1),
        complete,
    )


def choose_output(head: Head, start: OutputKind | None, facts: LabelFacts) -> OutputKind:
    """Decide what the network answers.

    Parameters
    ----------
    head
        What was asked for.
    start
        What the model answers from which the training begins; None for a new one.
    facts
        What the labels are.

    Raises
    ------
    RequestError
        When the labels do not fit what was asked for.
    """
    if head != "auto":
        output = _OUTPUTS[head]
    elif start is not None:
        output = start
    else:
        output = _by_labels(facts)
    if output == "classes" and facts.look_like_objects:
        raise RequestError(
            f"The labels hold {facts.values} different numbers, each for one region: these are "
            "objects, not classes.",
            "Choose the head distance or boundary; or give labels whose numbers are classes.",
        )
    if head in ("distance", "boundary") and start is None and not facts.whole:
        raise RequestError(
            "No object is painted with all of its edge, so the distance to it is not known.",
            "Paint whole objects with background around them, or choose the head binary.",
        )
    return output


def _by_labels(facts: LabelFacts) -> OutputKind:
    """Choose by what the labels look like."""
    if facts.look_like_classes:
        return "classes"
    if facts.values > 1 and facts.whole >= 0.5 * facts.objects:
        return "foreground_distance"
    return "foreground"


def _check(foreground: int, background: int) -> None:
    """Refuse labels from which no difference can be learned."""
    if not foreground and not background:
        raise RequestError(
            "There are no labels to learn from.", "Paint some objects, and some background."
        )
    if not foreground:
        raise RequestError(
            "All labels are background.", "Paint some objects too, or mark what is an object."
        )
    if not background:
        raise RequestError(
            "All labelled pixels belong to objects: one class only.",
            "Mark some background too.",
        )
