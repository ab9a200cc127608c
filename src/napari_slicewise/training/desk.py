"""The worker's side of learning in the panel: one step after the other, between the runs."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.editing.file_lock import FileLock
from napari_slicewise.errors import OutputError, SlicewiseError
from napari_slicewise.instances.pipeline import ShapeOptions, shape_slice
from napari_slicewise.models.checkpoint import read_checkpoint, write_checkpoint
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.training.kept_training import KeptTraining
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
    Outcome,
    StopLearning,
)
from napari_slicewise.training.request import Annotation, LearnReport, LearnRequest

if TYPE_CHECKING:
    from napari_slicewise.training.learner import Learner

__all__ = ["LearningDesk"]

FIRST_SAVE_S, SAVE_S = 2.0, 10.0
LOOK_S = 2.0
LOOK_SHARE = 8  # of the time of a training, at most one part in so many goes into looking


class LearningDesk:
    """Does one training at a time, a step whenever it is asked to work.

    A run of the Segment tab waits for one step at most, and the training pauses while the
    run goes on: its clock counts the time of its own steps.

    Parameters
    ----------
    send
        Takes what the desktop is to hear.
    """

    def __init__(self, send: Callable[[object], None]) -> None:
        self._send = send
        self._learner: Learner | None = None
        self._steps: Iterator[LearnReport] = iter(())
        self._kept: KeptTraining | None = None
        self._lock: FileLock | None = None
        self._request = LearnRequest()
        self._words = ""
        self._pixel_um: float | None = None
        self._seconds = 0.0
        self._look = Look(0, None)
        self._next_save = self._next_look = 0.0
        self._unsaid = ""  # a step's ending

    @property
    def busy(self) -> bool:
        """Whether a training is going on."""
        return self._learner is not None

    def take(self, message: object) -> None:
        """Hear what the desktop wants."""
        if isinstance(message, BeginLearning):
            self._end("stopped")
            self._dare(lambda: self._begin(message))
        elif isinstance(message, StopLearning):
            self._end("stopped")
        elif isinstance(message, MoreToLearn):
            self._dare(lambda: self._update(message.annotations))
        elif isinstance(message, Look):
            self._look = message
            self._next_look = min(self._next_look, time.monotonic() + 0.3)
        elif isinstance(message, KeepModel):
            self._send(ModelKept(message.path, _keep(message)))

    def work(self) -> None:
        """Do one step, then what has become due: a prediction, a saved state."""
        self._dare(self._step)

    def _begin(self, message: BeginLearning) -> None:
        from napari_slicewise.training.learner import Learner  # not before it is needed

        kept = KeptTraining(Path(message.folder))
        self._lock, self._kept = kept.hold(), kept
        self._request = kept.request() if message.resume else message.request
        self._words, self._pixel_um = message.words, message.pixel_um
        if message.resume:
            self._words, self._pixel_um = str(kept.note.get("words")), kept.note.get("pixel_um")
        known = kept.annotations() if message.resume else message.annotations
        learner = Learner(self._request, known)
        # Slices are learned as they are, whatever size the first model was made for.
        learner.spec = replace(learner.spec, pixel_um=self._pixel_um)
        self._request = replace(self._request, held_out=tuple(learner.held_out))
        if message.resume:
            learner.resume(kept.state)
        self._learner = learner
        if message.resume:
            self._update(message.annotations)
        else:
            self._note(finished=False)
            for annotation in message.annotations:
                kept.keep(annotation)
        self._send(LearningBegan(learner.spec, tuple(learner.held_out)))
        self._steps = learner.steps()
        self._unsaid, self._seconds = "", 0.0
        self._next_save, self._next_look = time.monotonic() + FIRST_SAVE_S, 0.0

    def _update(self, annotations: tuple[Annotation, ...]) -> None:
        if self._learner is None or self._kept is None:
            return
        for annotation in annotations:
            self._kept.keep(annotation)
            self._learner.update(annotation)

    def _step(self) -> None:
        report = next(self._steps, None)
        if report is None:
            diverged = self._unsaid == "diverged"
            self._end(
                "failed" if diverged else "completed",
                "The training diverged: the loss is no number any more." if diverged else "",
                "The weights before that are kept. Learn again, from another model or with "
                "more slices."
                if diverged
                else "",
            )
            return
        self._unsaid, self._seconds = report.ending, report.seconds
        self._send(report)
        now = time.monotonic()
        if now >= self._next_look:
            self._look_now()
        if now >= self._next_save:
            self._save_state()
            self._next_save = time.monotonic() + SAVE_S

    def _look_now(self) -> None:
        """Predict the slice on show; less often where that takes long."""
        learner, look = self._learner, self._look
        image = look.image
        if learner is None or image is None:
            return
        begun = time.monotonic()
        try:
            labels = _shaped(learner.predict(image, group=look.group, rgb=look.rgb), learner.spec)
        except SlicewiseError as error:
            self._look = Look(look.ticket, None)
            self._send(LearningSays(f"The slice on show cannot be predicted: {error}"))
            return
        self._send(Looked(look.ticket, labels))
        now = time.monotonic()
        self._next_look = now + max(LOOK_S, LOOK_SHARE * (now - begun))

    def _save_state(self) -> bool:
        """Write the state to go on from; where that fails the older one stays."""
        learner, kept = self._learner, self._kept
        if learner is None or kept is None:
            return False
        try:
            learner.save_state(kept.state)
            self._note(finished=False)
        except SlicewiseError as error:
            self._send(LearningSays(str(error)))
            return False
        return True

    def _note(self, *, finished: bool) -> None:
        if self._kept is not None:
            self._kept.write_note(
                self._request,
                finished=finished,
                words=self._words,
                seconds=round(self._seconds, 1),
                pixel_um=self._pixel_um,
            )

    def _end(self, outcome: Outcome, message: str = "", hint: str = "") -> None:
        """End the training, if there is one: write the best weights and the state."""
        learner, kept = self._learner, self._kept
        if learner is None or kept is None:
            self._release()
            return
        draft = ""
        try:
            learner.save(kept.draft)
            draft = str(kept.draft)
            if outcome == "stopped":
                self._save_state()
            elif outcome == "completed":
                self._note(finished=True)
        except SlicewiseError as error:
            outcome, message, hint = "failed", message or error.message, hint or error.hint
        self._release()
        self._send(LearningEnded(outcome, message, hint, draft, str(kept.folder)))

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
        self._lock = self._learner = self._kept = None
        self._steps = iter(())

    def _dare(self, act: Callable[[], None]) -> None:
        """Do something, and say how it failed; what was learned before is written."""
        try:
            act()
        except Exception as error:  # noqa: BLE001 - whatever it is, the desktop must hear of it
            if not isinstance(error, SlicewiseError):
                traceback.print_exc()
            message, hint = _said(error)
            folder = "" if self._kept is None else str(self._kept.folder)
            if self._learner is not None:
                self._dare_to_end(message, hint, folder)
            else:
                self._release()
                self._send(LearningEnded("failed", message, hint, "", folder))

    def _dare_to_end(self, message: str, hint: str, folder: str) -> None:
        try:
            self._end("failed", message, hint)
        except Exception:  # noqa: BLE001 - the first failure is the one to tell of
            traceback.print_exc()
            self._release()
            self._send(LearningEnded("failed", message, hint, "", folder))


def _said(error: Exception) -> tuple[str, str]:
    if isinstance(error, SlicewiseError):
        return error.message, error.hint
    return f"{type(error).__name__}: {error}", ""


def _shaped(activations: NDArray[np.float32], spec: ModelSpec) -> NDArray[Any]:
    """Return the objects of a slice, or its classes, ``(y, x)``."""
    options = ShapeOptions(spec.output, "classes" if spec.output == "classes" else "labels")
    options = replace(options, objects=options.objects.at(spec.threshold))
    found = shape_slice(activations, options)
    return found.astype(np.uint16) if int(found.max(initial=0)) < 1 << 16 else found


def _keep(message: KeepModel) -> ModelSpec | SlicewiseError:
    """Copy a training's model under its new name; nothing is ever overwritten."""
    draft, path = Path(message.draft), Path(message.path)
    card = path.with_suffix(".md")
    try:
        checkpoint = read_checkpoint(draft)
        spec = replace(checkpoint.spec, name=path.stem, title=message.title)
        path.parent.mkdir(parents=True, exist_ok=True)
        with card.open("x", encoding="utf-8") as file:  # takes the name, too
            file.write(_card(spec))
        if path.exists():
            raise FileExistsError(17, "there is such a file")
        write_checkpoint(path, checkpoint.state, spec)
    except SlicewiseError as error:
        return error
    except OSError as error:
        return OutputError(
            f"{path} could not be written: {error.strerror or error}.", "Choose another name."
        )
    return spec


def _card(spec: ModelSpec) -> str:
    """Put what the file itself says into words that can be read without any program."""
    heading = f"# {spec.name} - {spec.title}" if spec.title != spec.name else f"# {spec.name}"
    scores = [f"- {what}: {value:.3f}" for what, value in spec.scores.items()]
    if scores:
        scores = ["Scores on slices that were held out:", *scores]
    return "\n\n".join([heading, spec.description, spec.source, "\n".join(scores)]).rstrip() + "\n"
