"""The Learn tab: from labels at hand to a better model."""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_slicewise.app.learn import LearnController
from napari_slicewise.app.learn_book import Survey
from napari_slicewise.app.learn_lessons import Lesson
from napari_slicewise.app.learn_models import free_title
from napari_slicewise.app.segment import SegmentController
from napari_slicewise.errors import SlicewiseError
from napari_slicewise.io.source import ArraySource
from napari_slicewise.widgets.image_chooser import ImageChooser
from napari_slicewise.widgets.inbox import Inbox
from napari_slicewise.widgets.layer_source import ChannelChoice, layer_source
from napari_slicewise.widgets.learn_curves import LearnCurves
from napari_slicewise.widgets.learn_guide import Guide
from napari_slicewise.widgets.learn_list import LessonList
from napari_slicewise.widgets.learn_next import NextSlices
from napari_slicewise.widgets.learn_outcome import LearnOutcome
from napari_slicewise.widgets.learn_preview import LearnPreview
from napari_slicewise.widgets.learn_row import LearnRow
from napari_slicewise.widgets.learn_scribbles import ScribbleButtons, make_scribbles
from napari_slicewise.widgets.learn_setup import LearnSetup
from napari_slicewise.widgets.learn_sources import LessonSources, Teacher
from napari_slicewise.widgets.learn_training import Training
from napari_slicewise.widgets.links import Links
from napari_slicewise.widgets.model_chooser import ModelChooser
from napari_slicewise.widgets.rows import Line, Rows
from napari_slicewise.widgets.run_row import is_dark

__all__ = ["LearnTab"]


class LearnTab(QWidget):
    """Everything to learn from labels with.

    Parameters
    ----------
    viewer
        The viewer itself, no proxy.
    controller
        Of the worker process, which the Segment tab owns.
    images, models
        The choices of the Segment tab.
    """

    segment_wanted = Signal()  # of all slices, with the model that is chosen by now

    def __init__(
        self,
        viewer: ViewerModel,
        controller: SegmentController,
        images: ImageChooser,
        models: ModelChooser,
    ) -> None:
        super().__init__()
        self.viewer = viewer
        self._images, self._models = images, models
        self._links = Links()
        self._survey = Survey()
        self._segment_with = ""  # a file that is being read
        self.controller = LearnController(controller)
        self._links.at_end(self.controller.close)
        self._inbox = Inbox(self._links, self)
        self.sources = LessonSources(viewer, self._channels, self._links, self)
        self._make_parts(controller)
        self._lay_out()
        self._connect()
        self._follow_theme()
        self._on_layers()
        self._follow_model()
        self.controller.find_unfinished()
        self._release = self._links.end_with(self)

    def close_down(self) -> None:
        """End the training, whose state is saved, and hear nothing more."""
        if self._links.open:
            self.destroyed.disconnect(self._release)
            self._preview.end()
            self.sources.close()
            self.guide.close()
            self._strokes.close_down()
            self._inbox.close()
            self._links.release()

    def _make_parts(self, controller: SegmentController) -> None:
        self._list = LessonList()
        self._words = Line("learn_words", "What is learned from.")
        self._words.setAccessibleName("What is learned from")
        self._strokes = ScribbleButtons(self.viewer)
        self._setup = LearnSetup()
        self._row = LearnRow()
        self._curves = LearnCurves()
        self._outcome = LearnOutcome()
        self._next = NextSlices()
        self._show = QCheckBox("Show it on the slice")
        self._show.setObjectName("learn_preview")
        self._show.setToolTip(
            "Outlines on the slice on show: what the network finds by now. Your labels do not\n"
            "change, and nothing is saved from the outlines."
        )
        self._show.setChecked(True)
        self._preview = LearnPreview(self.viewer, self.controller, self._on_show, self._links, self)
        self.training = Training(
            self.controller,
            self._inbox,
            self._curves,
            self._row,
            self._outcome,
            self._preview,
            self,
        )
        self.guide = Guide(self.viewer, controller, self.controller.do, self._next, self._inbox)

    def _lay_out(self) -> None:
        strokes = Rows()
        strokes.add("Strokes", self._strokes)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(6)
        for part in (
            self._list,
            self._words,
            strokes,
            self._setup,
            self._row,
            self._curves,
            self._show,
            self._outcome,
            self._next,
        ):
            layout.addWidget(part)
        layout.addStretch(1)

    def _connect(self) -> None:
        self.sources.changed.connect(self._count)
        self.sources.layers_changed.connect(self._on_layers)
        self.sources.touched.connect(self.controller.note_change)
        self._list.ticked.connect(self._on_tick)
        self._strokes.wanted.connect(self._paint_strokes)
        self._setup.changed.connect(self._update)
        self._show.toggled.connect(lambda on: self._preview.switch(on=on))
        self._row.learn_pressed.connect(self.learn)
        self._row.stop_pressed.connect(self.training.stop)
        self._row.continue_pressed.connect(lambda: self.training.resume(self.sources.lessons()))
        self._next.wanted.connect(self._propose)
        self.training.changed.connect(self._update)
        self.training.model_ready.connect(self._on_model_ready)
        self._models.changed.connect(self._follow_model)
        self._images.changed.connect(self.sources.look_soon)
        self._inbox.connect(self.controller.surveyed, self._on_survey)
        self._links.connect(self.viewer.events.theme, self._follow_theme)
        selection = self.viewer.layers.selection
        self._links.connect(selection.events.active, self._strokes.follow)

    def learn(self) -> None:
        """Begin to learn from the ticked layers."""
        start = self._setup.model
        spec = self._models.spec
        base = "new model" if not start or spec is None else f"{spec.name} learned"
        self.training.start(self._setup.request(free_title(base)), self.sources.lessons())

    def _channels(self, image: Image) -> ChannelChoice | None:
        return self._images.channels if image is self._images.image else None

    def _count(self) -> None:
        self.controller.survey(self.sources.lessons())

    def _on_layers(self) -> None:
        teachers = self.sources.teachers()
        self._list.show_teachers(teachers, [self.sources.is_chosen(t) for t in teachers])
        images = any(isinstance(layer, Image) for layer in self.viewer.layers)
        self._strokes.allow(possible=images)
        self.sources.look_soon()
        self._update()

    def _on_tick(self, teacher: Teacher, chosen: bool) -> None:  # noqa: FBT001 - follows a box
        self.sources.choose(teacher, chosen=chosen)

    def _on_survey(self, survey: Survey) -> None:
        self._survey = survey
        self._words.say(f"Learns from {survey.words}")
        self._list.show_words(survey.by_lesson)
        self._update()

    def _update(self, *_: Any) -> None:
        """Bring the buttons up to date."""
        self.sources.learning = self.controller.running
        reason = self._survey.reason_against
        if not any(isinstance(layer, Image) for layer in self.viewer.layers):
            reason = "Open an image to begin."
        if not reason and self._setup.model and self._models.spec is None:
            reason = "The model that is chosen in the Segment tab cannot be used, or is being read."
        self.training.allow(reason)
        if not self.controller.running and self.training.report is None:
            self._row.say(reason or "Ready")
        self.guide.allow(self._current() is not None, self._models.model)

    def _on_model_ready(self, path: str, segment: bool) -> None:  # noqa: FBT001 - of a signal
        """Put a model into the picker; segment with it once it has been read."""
        self._segment_with = path if segment else ""
        if self._models.model == path:
            self._follow_model()
        else:
            self._models.add_file(path)

    def _follow_model(self) -> None:
        spec = self._models.spec
        model = self._models.model
        title = "" if spec is None else spec.title or spec.name
        self._setup.follow_model(model, title)
        self._update()
        if self._segment_with and model == self._segment_with and spec is not None:
            self._segment_with = ""
            self.segment_wanted.emit()

    def _current(self) -> tuple[Image, Lesson | None, ArraySource] | None:
        """Return the image in hand: the Segment tab's, with its lesson if there is one."""
        image = self._images.image
        if image is None:
            return None
        teachers = {t.key: t for t in self.sources.teachers() if t.image is image}
        for lesson in self.sources.lessons():
            if lesson.key in teachers:
                return image, lesson, lesson.image
        try:
            return image, None, layer_source(image, self.viewer.dims, self._images.channels)
        except SlicewiseError:
            return None

    def _on_show(self) -> tuple[Image, ArraySource] | None:
        found = self._current()
        return None if found is None else (found[0], found[2])

    def _paint_strokes(self, value: int) -> None:
        image = self._images.image
        if image is None:
            return
        try:
            source = layer_source(image, self.viewer.dims, self._images.channels)
            layer = make_scribbles(self.viewer, image, source)
        except SlicewiseError as error:
            self._row.show_problem(str(error))
            return
        self._strokes.begin(layer, value)

    def _propose(self) -> None:
        found = self._current()
        if found is None:
            return
        image, lesson, source = found
        seen = () if lesson is None else self._survey.marked.get(lesson.key, ())
        self.guide.look(self._models.model, image, source, seen)

    def _follow_theme(self, *_: Any) -> None:
        name = self.viewer.theme
        faint = "#a8abb3" if is_dark(name) else "#5a5a60"
        self.setStyleSheet(f'QLabel[dim="true"] {{ color: {faint}; font-size: 11px; }}')
        self._row.follow_theme(name)
        self._curves.follow_theme(name)
