"""The controller behind the Learn tab: what is marked, one training, what comes of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from psygnal import Signal

from napari_slicewise.app.learn_book import (
    LessonBook,
    Place,
    Survey,
    common_pixel_um,
    survey_of,
)
from napari_slicewise.app.learn_lessons import Lesson
from napari_slicewise.app.learn_models import model_path
from napari_slicewise.app.learn_unfinished import latest_unfinished
from napari_slicewise.app.segment import SegmentController
from napari_slicewise.errors import ImageError, RequestError, SlicewiseError, WorkerError
from napari_slicewise.io.source import ArraySource, SliceIndex
from napari_slicewise.training.kept_training import KeptTraining, learning_folder
from napari_slicewise.training.messages import (
    BeginLearning,
    KeepModel,
    LearningBegan,
    LearningEnded,
    LearningSays,
    Look,
    Looked,
    ModelKept,
    MoreToLearn,
    StopLearning,
)
from napari_slicewise.training.request import Annotation, LearnReport, LearnRequest

__all__ = ["LearnController", "LearnPhase"]

LearnPhase = Literal["idle", "starting", "learning", "stopping"]


class LearnController:
    """Looks at what is marked, has the worker learn from it, and says how that goes.

    Labels are looked at and sent on a thread of its own. Signals come from that thread or
    from the client's; after ``ended`` nothing more comes from that training.

    Parameters
    ----------
    segment
        Whose worker process is used.
    """

    phase_changed = Signal(str)
    surveyed = Signal(Survey)
    began = Signal(LearningBegan)
    reported = Signal(LearnReport)
    looked = Signal(Looked)
    said = Signal(str)
    ended = Signal(LearningEnded)
    model_kept = Signal(ModelKept)
    unfinished_found = Signal(object)  # Unfinished, or None

    def __init__(self, segment: SegmentController) -> None:
        self.phase: LearnPhase = "idle"
        self.places: dict[str, Place] = {}  # of annotations, by their names
        self._segment = segment
        self._thread = ThreadPoolExecutor(1, "slicewise-learn")
        self._lock = threading.Lock()
        self._books: dict[str, LessonBook] = {}
        self._lessons: tuple[Lesson, ...] = ()
        self._changed: list[tuple[str, Iterable[SliceIndex] | None]] = []
        self._waiting = False  # a survey is on its way
        self._folder: Path | None = None
        segment.heard.connect(self._hear)
        segment.worker_died.connect(self._mourn)

    @property
    def running(self) -> bool:
        """Whether a training is going on, or about to."""
        return self.phase != "idle"

    @property
    def folder(self) -> Path | None:
        """Where the training at hand, or the last one, is kept."""
        return self._folder

    def note_change(self, key: str, indices: Iterable[SliceIndex] | None) -> None:
        """Have slices of a lesson, or of any, looked at again at the next survey; None for all."""
        with self._lock:
            self._changed.append((key, None if indices is None else set(indices)))

    def survey(self, lessons: Sequence[Lesson]) -> None:
        """Look at what is marked; answered by ``surveyed``. A training takes what is new."""
        with self._lock:
            self._lessons = tuple(lessons)
            if self._waiting:
                return
            self._waiting = True
        self.do(self._survey)

    def start(self, request: LearnRequest, lessons: Sequence[Lesson]) -> None:
        """Begin a training.

        Raises
        ------
        RequestError
            When one is already going on.
        """
        self._enter_start()
        with self._lock:
            self._lessons = tuple(lessons)
        self.do(lambda: self._begin(request), begins=True)

    def resume(self, kept: KeptTraining, lessons: Sequence[Lesson]) -> None:
        """Go on with a training that was stopped, or that a crash or a kill has ended.

        Raises
        ------
        RequestError
            When one is already going on.
        """
        self._enter_start()
        with self._lock:
            self._lessons = tuple(lessons)
        self.do(lambda: self._go_on(kept), begins=True)

    def stop(self) -> None:
        """End the training after the step under way; its best weights are kept."""
        if self.phase in ("starting", "learning"):
            self._enter("stopping")
            self.do(lambda: self._segment.tell(StopLearning()))

    def look(self, ticket: int, source: ArraySource | None, index: SliceIndex, group: str) -> None:
        """Have a slice predicted again and again while the training goes on; None for none.

        Parameters
        ----------
        ticket
            Comes back with each answer.
        source, index
            The slice.
        group
            Name of its image.
        """
        if self.running:
            self.do(lambda: self._look(ticket, source, index, group))

    def keep(self, draft: str, title: str) -> Path:
        """Copy a training's model into the user's folder; answered by ``model_kept``.

        Returns
        -------
        Path
            Where it will be.

        Raises
        ------
        SlicewiseError
            When it cannot have this name, or there is no worker.
        """
        path = model_path(title)
        self._segment.tell(KeepModel(draft, str(path), title.strip()))
        return path

    def find_unfinished(self) -> None:
        """Look for a training that can go on; answered by ``unfinished_found``."""
        self.do(lambda: self.unfinished_found.emit(latest_unfinished()))

    def close(self) -> None:
        """End the thread; the worker's end is the training's, whose state is saved."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._segment.heard.disconnect(self._hear)
        self._segment.worker_died.disconnect(self._mourn)

    def do(self, act: Callable[[], None], *, begins: bool = False) -> None:
        """Have something done on the controller's thread; ``begins`` where it starts a training."""
        with suppress(RuntimeError):  # closed: nobody waits for it
            self._thread.submit(self._dare, act, begins)

    def _dare(self, act: Callable[[], None], begins: bool) -> None:  # noqa: FBT001 - see do
        """Do something on the thread, and say what went wrong."""
        try:
            act()
        except SlicewiseError as error:
            self._fail(error, begins=begins)
        except Exception as error:  # noqa: BLE001 - a reader plugin's array may raise anything
            self._fail(ImageError(f"{type(error).__name__}: {error}"), begins=begins)

    def _fail(self, error: SlicewiseError, *, begins: bool) -> None:
        if begins:
            self._end(LearningEnded("failed", error.message, error.hint))
        else:
            self.said.emit(str(error))

    def _enter_start(self) -> None:
        if self.running:
            raise RequestError("A training is going on.", "Stop it first.")
        self._enter("starting")

    def _survey(self) -> None:
        with self._lock:
            self._waiting = False
        books = self._looked_at()
        self.surveyed.emit(survey_of(books))
        if self.phase == "learning" and (news := self._news(books)):
            self._segment.tell(MoreToLearn(news))

    def _looked_at(self) -> list[LessonBook]:
        """Bring the books of all lessons up to date."""
        with self._lock:
            lessons, changed, self._changed = self._lessons, self._changed, []
        books = {}
        for lesson in lessons:
            book = self._books.get(lesson.key)
            books[lesson.key] = (
                book if book is not None and book.covers(lesson) else LessonBook(lesson)
            )
        self._books = books
        for book in books.values():
            for key, indices in changed:
                if key in ("", book.lesson.key):
                    book.forget(indices)
            book.look()
        return list(books.values())

    def _news(self, books: Sequence[LessonBook]) -> tuple[Annotation, ...]:
        found = [annotation for book in books for annotation in book.news()]
        for book in books:
            self.places.update(book.places)
        return tuple(found)

    def _begin(self, request: LearnRequest) -> None:
        books = self._looked_at()
        survey = survey_of(books)
        self.surveyed.emit(survey)
        if survey.reason_against:
            raise RequestError(survey.reason_against)
        for book in books:
            book.send_again()
        kept = KeptTraining.fresh(learning_folder())
        self._folder = kept.folder
        news = self._news(books)
        folder, size = str(kept.folder), common_pixel_um(books)
        self._segment.tell(BeginLearning(request, news, folder, words=survey.words, pixel_um=size))

    def _go_on(self, kept: KeptTraining) -> None:
        books = self._looked_at()
        if kept.folder != self._folder:
            for book in books:
                book.send_again()
        self._folder = kept.folder
        news = self._news(books)
        self._segment.tell(BeginLearning(LearnRequest(), news, str(kept.folder), resume=True))

    def _look(self, ticket: int, source: ArraySource | None, index: SliceIndex, group: str) -> None:
        if source is None:
            self._segment.tell(Look(ticket, None))
        else:
            image = source.read_slice(index)
            self._segment.tell(Look(ticket, image, group, source.rgb))

    def _hear(self, message: Any) -> None:
        """Pass on what the worker says, on the client's thread."""
        if isinstance(message, LearnReport):
            self.reported.emit(message)
        elif isinstance(message, Looked):
            self.looked.emit(message)
        elif isinstance(message, LearningBegan):
            if self.phase == "starting":
                self._enter("learning")
            self.began.emit(message)
        elif isinstance(message, LearningSays):
            self.said.emit(message.text)
        elif isinstance(message, LearningEnded):
            self._end(message)
        elif isinstance(message, ModelKept):
            self.model_kept.emit(message)

    def _mourn(self, error: WorkerError) -> None:
        if self.running:
            hint = "What was learned until the last saved state is kept: press Continue."
            self._end(LearningEnded("failed", error.message, hint, "", str(self._folder or "")))

    def _end(self, message: LearningEnded) -> None:
        if self.running:
            self._enter("idle")
            self.ended.emit(message)

    def _enter(self, phase: LearnPhase) -> None:
        self.phase = phase
        self.phase_changed.emit(phase)
