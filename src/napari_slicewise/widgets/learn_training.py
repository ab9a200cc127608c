"""One training after the other on the screen: curves, words, and what comes of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qtpy.QtCore import QObject, Signal

from napari_slicewise.app.learn import LearnController
from napari_slicewise.app.learn_lessons import Lesson
from napari_slicewise.app.learn_models import free_title
from napari_slicewise.app.learn_unfinished import Unfinished
from napari_slicewise.errors import SlicewiseError
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.training.messages import LearningBegan, LearningEnded, ModelKept
from napari_slicewise.training.request import LearnReport, LearnRequest
from napari_slicewise.widgets.inbox import Inbox
from napari_slicewise.widgets.learn_curves import LearnCurves
from napari_slicewise.widgets.learn_outcome import LearnOutcome, score_words
from napari_slicewise.widgets.learn_preview import LearnPreview
from napari_slicewise.widgets.learn_row import LearnRow, clock

__all__ = ["Training"]


class Training(QObject):
    """Starts and stops trainings, and shows how they go.

    Parameters
    ----------
    controller
        Of the trainings.
    inbox
        Brings what it says to this thread.
    curves, row, outcome, preview
        Where it is shown.
    parent
        Qt parent.
    """

    changed = Signal()  # what can be pressed
    model_ready = Signal(str, bool)  # a file; whether to segment with it at once

    def __init__(
        self,
        controller: LearnController,
        inbox: Inbox,
        curves: LearnCurves,
        row: LearnRow,
        outcome: LearnOutcome,
        preview: LearnPreview,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._curves, self._row, self._outcome = curves, row, outcome
        self._preview = preview
        self.report: LearnReport | None = None  # the latest, of the training at hand
        self.unfinished: Unfinished | None = None
        self._held_out = ""
        self._draft = ""
        self._saved = ("", "")  # a draft, and where it was saved to
        self._segment_then = False
        for signal, receive in (
            (controller.began, self._on_began),
            (controller.reported, self._on_report),
            (controller.looked, preview.show),
            (controller.said, self._on_said),
            (controller.ended, self._on_end),
            (controller.model_kept, self._on_kept),
            (controller.unfinished_found, self._on_unfinished),
            (controller.phase_changed, self._on_phase),
        ):
            inbox.connect(signal, receive)
        outcome.use_pressed.connect(lambda name: self._keep(name, segment=False))
        outcome.segment_pressed.connect(lambda name: self._keep(name, segment=True))

    def start(self, request: LearnRequest, lessons: Sequence[Lesson]) -> None:
        """Begin a training."""
        self._show_begin("Starting")
        self._outcome.suggest(request.title)
        try:
            self._controller.start(request, lessons)
        except SlicewiseError as error:
            self._row.show_problem(str(error))

    def resume(self, lessons: Sequence[Lesson]) -> None:
        """Go on with the training that was stopped or cut off last."""
        if self.unfinished is None:
            return
        kept = self.unfinished.kept
        keep_curves = bool(self._curves.losses) and self._draft == str(kept.draft)
        self._show_begin("Going on", keep_curves=keep_curves)
        self._outcome.suggest(free_title(str(kept.note.get("request", {}).get("title", ""))))
        try:
            self._controller.resume(kept, lessons)
        except SlicewiseError as error:
            self._row.show_problem(str(error))

    def stop(self) -> None:
        """End the training after the step under way."""
        self._controller.stop()
        self._row.say("Stopping after the step under way")

    def allow(self, reason_against: str) -> None:
        """Enable the buttons that can be pressed."""
        controller = self._controller
        self._row.allow(
            reason_against=reason_against, phase=controller.phase, unfinished=self.unfinished
        )
        self._outcome.allow(draft=bool(self._draft), running=controller.running)

    def _show_begin(self, words: str, *, keep_curves: bool = False) -> None:
        if not keep_curves:
            self._curves.clear()
        self.report, self._draft, self._held_out = None, "", ""
        self._row.show_problem("")
        self._row.say(words)
        self._outcome.say("")

    def _on_phase(self, _phase: str) -> None:
        self.changed.emit()

    def _on_began(self, began: LearningBegan) -> None:
        places = [self._controller.places.get(name) for name in began.held_out]
        slices = [",".join(map(str, p.index)) for p in places if p is not None and p.index]
        what = "slice" if len(slices) == 1 else "slices"
        known = len(slices) == len(began.held_out)
        self._held_out = f"{what} {', '.join(slices)}" if slices and known else ""
        if began.held_out and not known:
            self._held_out = ", ".join(began.held_out)
        self._row.say("Learning: the first step")
        self._preview.ask()

    def _on_report(self, report: LearnReport) -> None:
        if report.before is not None and not self._curves.scores:
            self._curves.add_score(0.0, report.before)
        if math.isfinite(report.loss):
            self._curves.add_loss(report.seconds, report.loss)
        if report.validation is not None:
            self._curves.add_score(report.seconds, report.validation)
        self.report = report
        self._row.show_report(report)
        if report.validation is not None:
            self._show_score()

    def _show_score(self) -> None:
        report = self.report
        more = "" if report is None or report.best is None else report.measure
        words = score_words(report, self._held_out)
        self._outcome.say(words, more=f"{words}\n{more}".strip())

    def _on_said(self, text: str) -> None:
        self._row.show_problem(text)

    def _on_end(self, ended: LearningEnded) -> None:
        self._preview.end()
        self._draft = ended.draft
        report = self.report
        done = "" if report is None else f" after {report.step} steps, {clock(report.seconds)} min"
        if ended.outcome == "failed":
            self._row.say(f"The training ended{done}")
            self._row.show_problem(f"{ended.message} {ended.hint}".strip())
        else:
            why = "" if report is None or not report.ending else f": {report.ending}"
            word = "Stopped" if ended.outcome == "stopped" else "Done"
            self._row.say(f"{word}{done}{why}")
        if self._draft:
            self._show_score()
            self._outcome.suggest(free_title(self._outcome.name))
        self._controller.find_unfinished()
        self.changed.emit()

    def _on_unfinished(self, found: Unfinished | None) -> None:
        self.unfinished = found
        self.changed.emit()

    def _keep(self, name: str, *, segment: bool) -> None:
        """Save the model under a name, unless it was; then hand it on."""
        if self._draft and self._saved[0] == self._draft and segment:
            self.model_ready.emit(self._saved[1], segment)
            return
        try:
            self._segment_then = segment
            self._controller.keep(self._draft, name)
            self._outcome.say("Saving…")
        except SlicewiseError as error:
            self._row.show_problem(str(error))

    def _on_kept(self, kept: ModelKept) -> None:
        if not isinstance(kept.answer, ModelSpec):
            self._row.show_problem(str(kept.answer))
            self._show_score()
            return
        self._saved = (self._draft, kept.path)
        self._row.show_problem("")
        self._outcome.say("Saved, and chosen in the Segment tab", more=kept.path)
        self.model_ready.emit(kept.path, self._segment_then)
