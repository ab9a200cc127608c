"""What is marked in each lesson: looked at once, and again where it changed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from napari_slicewise.app.learn_lessons import Kind, Lesson, MarkedSlice, marked_slice
from napari_slicewise.editing.session import EditSession
from napari_slicewise.editing.wording import counted
from napari_slicewise.io.source import SliceIndex
from napari_slicewise.training.request import Annotation

__all__ = ["LessonBook", "Place", "Survey", "common_pixel_um", "survey_of"]

_ALIKE = 1.1  # pixel sizes that differ by less are one


@dataclass(frozen=True)
class _Entry:
    kind: Kind
    objects: frozenset[int]
    sides: tuple[bool, bool]
    digest: bytes


@dataclass(frozen=True, eq=False)
class Survey:
    """What there is to learn from, in numbers and in words.

    Parameters
    ----------
    slices
        How many slices there are of each kind.
    objects
        How many objects are outlined.
    sides
        Whether any background is known, and whether any object is.
    by_lesson
        What each lesson contributes, in words, by its key.
    marked
        Its slices, by its key.
    """

    slices: dict[Kind, int] = field(default_factory=dict)
    objects: int = 0
    sides: tuple[bool, bool] = (False, False)
    by_lesson: dict[str, str] = field(default_factory=dict)
    marked: dict[str, tuple[SliceIndex, ...]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Number of slices."""
        return sum(self.slices.values())

    @property
    def words(self) -> str:
        """Say all of it in one line."""
        if not self.total:
            return "nothing yet"
        whole = self.slices.get("done", 0) + self.slices.get("whole", 0)
        parts = [counted(whole, "whole slice")] if whole else []
        parts += [
            f"{self.slices[kind]} {kind}"
            for kind in ("corrected", "scribbled")
            if kind in self.slices
        ]
        return ", ".join(parts + ([counted(self.objects, "object")] if self.objects else []))

    @property
    def reason_against(self) -> str:
        """Say why nothing can be learned; empty where something can."""
        background, objects = self.sides
        if not self.total:
            return (
                "Nothing is marked yet. Mark a slice as done or correct objects in the Correct "
                "tab, or paint strokes here."
            )
        if not objects:
            return "Only background is marked: mark some objects too."
        if not background:
            return "Only objects are marked: paint some background too, or mark a slice as done."
        return ""


@dataclass(frozen=True)
class Place:
    """Where an annotation is: of which lesson, and on which slice."""

    key: str
    index: SliceIndex


class LessonBook:
    """Remembers what is known of each slice of one lesson, and looks again where it changed.

    Used on one thread at a time.
    """

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson
        self._entries: dict[SliceIndex, _Entry] = {}
        self._sent: dict[SliceIndex, bytes] = {}
        self._stale: set[SliceIndex] | None = None  # None: everything

    def covers(self, lesson: Lesson) -> bool:
        """Whether a lesson is of the same arrays, so that what is known here holds for it."""
        own = self.lesson
        return (
            own.session is lesson.session
            and own.whole == lesson.whole
            and own.name == lesson.name
            and own.image == lesson.image
            and own.strokes == lesson.strokes
        )

    def forget(self, indices: Iterable[SliceIndex] | None) -> None:
        """Look at slices again; None for all."""
        if indices is None or self._stale is None:
            self._stale = None
        else:
            self._stale.update(indices)

    def look(self) -> None:
        """Bring what is known up to date."""
        stale, self._stale = self._stale, set()
        session = self.lesson.session
        if stale is None:
            self._entries.clear()
            wanted = set(self._candidates())
        else:
            wanted = stale
        if stale is not None and session is not None:
            # To mark a slice as done changes no pixel, so nobody may have told.
            done = session.locks.done
            wanted |= self._known_by_session(session) - self._entries.keys()
            wanted |= {i for i, e in self._entries.items() if (e.kind == "done") != (i in done)}
        for index in sorted(wanted):
            found = marked_slice(self.lesson, index)
            self._entries.pop(index, None)
            if found is not None:
                objects = frozenset(found.objects.tolist())
                self._entries[index] = _Entry(found.kind, objects, found.sides, found.digest)

    @property
    def slices(self) -> dict[SliceIndex, Kind]:
        """The marked slices."""
        return {index: entry.kind for index, entry in sorted(self._entries.items())}

    @property
    def places(self) -> dict[str, Place]:
        """Where the marked slices are, by the names of their annotations."""
        lesson = self.lesson
        return {lesson.annotation_name(i): Place(lesson.key, i) for i in self._entries}

    @property
    def objects(self) -> int:
        """Number of outlined objects."""
        found: set[int] = set()
        return len(found.union(*(entry.objects for entry in self._entries.values())))

    @property
    def sides(self) -> tuple[bool, bool]:
        """Whether any background is known, and whether any object is."""
        entries = self._entries.values()
        return any(e.sides[0] for e in entries), any(e.sides[1] for e in entries)

    def news(self) -> list[Annotation]:
        """Return what has changed since this was asked last; slices no longer marked are empty."""
        changed = [i for i, e in self._entries.items() if self._sent.get(i) != e.digest]
        gone = [index for index in self._sent if index not in self._entries]
        found = [self._annotation(i, marked_slice(self.lesson, i)) for i in sorted(changed + gone)]
        self._sent = {index: entry.digest for index, entry in self._entries.items()}
        return found

    def send_again(self) -> None:
        """Take nothing for sent."""
        self._sent.clear()

    def _annotation(self, index: SliceIndex, marked: MarkedSlice | None) -> Annotation:
        lesson = self.lesson
        if marked is None:
            shape = lesson.image.slice_shape
            marked = MarkedSlice("scribbled", np.zeros(shape, np.int32), np.zeros(shape, bool))
        return Annotation(
            lesson.annotation_name(index),
            np.array(lesson.image.read_slice(index)),
            marked.labels,
            marked.known,
            group=lesson.image_name,
            rgb=lesson.image.rgb,
        )

    def _candidates(self) -> Iterable[SliceIndex]:
        """Return the slices that may be marked."""
        lesson = self.lesson
        if lesson.whole or lesson.strokes is not None:
            return lesson.image.indices()
        return [] if lesson.session is None else self._known_by_session(lesson.session)

    @staticmethod
    def _known_by_session(session: EditSession) -> set[SliceIndex]:
        return set(session.locks.done) | set(session.ownership.marked)


def survey_of(books: Sequence[LessonBook]) -> Survey:
    """Count what there is to learn from."""
    slices: dict[Kind, int] = {}
    by_lesson: dict[str, str] = {}
    for book in books:
        own: dict[Kind, int] = {}
        for kind in book.slices.values():
            own[kind] = own.get(kind, 0) + 1
            slices[kind] = slices.get(kind, 0) + 1
        by_lesson[book.lesson.key] = Survey(own, book.objects).words
    sides = [book.sides for book in books]
    return Survey(
        slices,
        sum(book.objects for book in books),
        (any(b for b, _ in sides), any(o for _, o in sides)),
        by_lesson,
        {book.lesson.key: tuple(book.slices) for book in books},
    )


def common_pixel_um(books: Sequence[LessonBook]) -> float | None:
    """Return the pixel size of all marked images in um; None where it differs or is not known."""
    sizes = [book.lesson.image.pixel_um for book in books if book.slices]
    sides = [None if size is None else math.sqrt(size[0] * size[1]) for size in sizes]
    known = [side for side in sides if side is not None]
    if not known or len(known) < len(sides) or max(known) > _ALIKE * min(known):
        return None
    return math.prod(known) ** (1.0 / len(known))
