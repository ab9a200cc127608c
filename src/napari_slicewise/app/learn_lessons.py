"""What can be learned from the labels at hand: whole slices, corrected places, strokes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_slicewise.editing.numbering import distinct
from napari_slicewise.editing.session import EditSession
from napari_slicewise.io.source import ArraySource, SliceIndex

__all__ = [
    "BACKGROUND_STROKE",
    "OBJECT_STROKE",
    "Kind",
    "Lesson",
    "MarkedSlice",
    "marked_slice",
]

BACKGROUND_STROKE, OBJECT_STROKE = 1, 2
"""Values in a layer of strokes; higher ones are further classes."""

RIM = 4  # px around a corrected object that were looked at together with it
Kind = Literal["done", "whole", "corrected", "scribbled"]


@dataclass(frozen=True, eq=False)
class Lesson:
    """An image, and what a human says of it.

    Parameters
    ----------
    key
        Tells it from the others as long as the program runs.
    name
        Of the labels, by which a slice is known again in a later training.
    image_name
        Of the image: slices of one image share their range of intensities.
    image
        Its slices.
    session
        Labels of the same slices; None where there are strokes alone.
    whole
        Whether each slice that has labels counts as a whole: labels that no run has made.
    strokes
        Strokes on the same slices: 1 is background, 2 and more are objects.
    """

    key: str
    name: str
    image_name: str
    image: ArraySource
    session: EditSession | None = None
    whole: bool = False
    strokes: ArraySource | None = None

    def annotation_name(self, index: SliceIndex) -> str:
        """Return what a slice is called in the records of a training."""
        return f"{self.name} {','.join(map(str, index))}".strip()


@dataclass(frozen=True, eq=False)
class MarkedSlice:
    """What is known of one slice.

    Parameters
    ----------
    kind
        How it was marked.
    labels
        ``(y, x)``, 0 the background.
    known
        ``(y, x)``, which pixels count; None for all.
    """

    kind: Kind
    labels: NDArray[Any]
    known: NDArray[np.bool_] | None = None

    @property
    def sides(self) -> tuple[bool, bool]:
        """Whether any known pixel is background, and whether any is an object."""
        values = self.labels if self.known is None else self.labels[self.known]
        return bool((values == 0).any()), bool((values != 0).any())

    @property
    def objects(self) -> NDArray[np.int64]:
        """Numbers of the objects; of strokes none, since they outline nothing."""
        if self.kind == "scribbled":
            return np.zeros(0, np.int64)
        return distinct(self.labels if self.known is None else self.labels * self.known)

    @property
    def digest(self) -> bytes:
        """Changes with what is known."""
        state = hashlib.blake2b(self.labels.tobytes(), digest_size=16)
        if self.known is not None:
            state.update(np.packbits(self.known).tobytes())
        return state.digest()


def marked_slice(lesson: Lesson, index: SliceIndex) -> MarkedSlice | None:
    """Return what is known of a slice; None where nothing is.

    A slice marked as done counts with all its pixels. Of a corrected one count the pixels
    that were changed by hand, the objects that were changed or locked, and the background
    up to ``RIM`` pixels around these, since who mends an outline looks at both its sides.
    Strokes count where they lie, over anything else.
    """
    found = None if lesson.session is None else _of_labels(lesson, lesson.session, index)
    if lesson.strokes is None:
        return found
    strokes = lesson.strokes.read_slice(index)[0]
    painted = strokes > 0
    if not painted.any():
        return found
    values = strokes.astype(np.int32) - BACKGROUND_STROKE
    if found is None:
        return MarkedSlice("scribbled", np.where(painted, values, 0), painted)
    if lesson.session is None or lesson.session.renumber:  # an object, of whichever number
        number = int(found.labels.max(initial=0)) + 1
        under = np.where(found.labels > 0, found.labels, number)
        values = np.where(values > 0, under, 0)
    labels = np.where(painted, values, found.labels)
    known = None if found.known is None else found.known | painted
    return MarkedSlice(found.kind, labels, known)


def _of_labels(lesson: Lesson, session: EditSession, index: SliceIndex) -> MarkedSlice | None:
    done = index in session.locks.done
    if not done and not lesson.whole and index not in session.ownership.marked:
        return None
    labels = np.array(session.labels.read_slice(index)[0]).astype(np.int32)
    if done:
        return MarkedSlice("done", labels)
    if lesson.whole:
        return MarkedSlice("whole", labels) if labels.any() else None
    by_machine = index in session.ownership.machine
    edited = session.edited(index) if by_machine else session.ownership.marked.get(index)
    if not edited.any():
        return None
    touched = np.union1d(distinct(labels[edited]), list(session.locks.objects))
    mine = edited | np.isin(labels, touched[touched > 0])
    rim = ndi.maximum_filter(mine, size=2 * RIM + 1) & (labels == 0)
    return MarkedSlice("corrected", np.where(mine, labels, 0), mine | rim)
