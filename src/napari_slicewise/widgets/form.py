"""The Segment form: what the user asks for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from napari.layers import Image
from napari.utils.notifications import show_error
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_slicewise.app.segment import SegmentController
from napari_slicewise.editing.wording import counted
from napari_slicewise.errors import SlicewiseError
from napari_slicewise.inference.channels import channel_recipe
from napari_slicewise.inference.request import Request, visiting_order
from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.io.source import ArraySource
from napari_slicewise.widgets.advanced import AdvancedOptions
from napari_slicewise.widgets.form_style import form_style
from napari_slicewise.widgets.image_chooser import ImageChooser
from napari_slicewise.widgets.into_chooser import IntoChooser
from napari_slicewise.widgets.layer_source import shown_index
from napari_slicewise.widgets.links import Links
from napari_slicewise.widgets.model_chooser import ModelChooser
from napari_slicewise.widgets.model_drop import ModelDrop
from napari_slicewise.widgets.model_fit import Misfit
from napari_slicewise.widgets.rows import Choice, Rows
from napari_slicewise.widgets.run_row import RunRow, is_dark
from napari_slicewise.widgets.slices_chooser import SlicesChooser
from napari_slicewise.widgets.stack_facts import image_grid
from napari_slicewise.widgets.tune_count import ObjectCount
from napari_slicewise.widgets.tune_live import Asked, LiveTuning
from napari_slicewise.widgets.tune_runs import TunedRuns
from napari_slicewise.widgets.tune_section import TuneSection

__all__ = ["SegmentForm"]

MINIMUM_WIDTH = 280  # px, of the panel
SCROLL_BAR = 18  # px of it, where the window is low


class SegmentForm(QWidget):
    """Everything that one viewer's Segment panel shows and does.

    Parameters
    ----------
    viewer
        The viewer itself, no proxy.
    controller
        Of the worker process; owned by the form from now on.
    """

    review_wanted = Signal()  # of the labels that are selected

    def __init__(self, viewer: ViewerModel, controller: SegmentController) -> None:
        super().__init__()
        self.viewer = viewer
        self._links = Links()
        self._words = "Ready"
        self._answered = False  # a question about the model, and the model is being made anew
        self._images = ImageChooser(viewer)
        self._misfit = Misfit()
        self._models = ModelChooser()
        self._slices = SlicesChooser()
        self._tune = TuneSection()
        self._output = Choice("output", "Result", "What is added to the viewer.")
        self._output.fill([("Objects, numbered", "labels"), ("Class mask", "classes")])
        self._into = IntoChooser()
        self._advanced = AdvancedOptions()
        self._row = RunRow()
        self._runs = TunedRuns(viewer, controller, self._links, self)
        self._runs.hear(controller.worker_died, self._models.give_up)
        self._objects = ObjectCount(viewer, self)
        self._live = LiveTuning(viewer, self._runs, self._tune, self._ask, self._links)
        self._lay_out()
        self._connect()
        self._on_model()
        self._follow_theme()
        if self._models.model and self._models.spec is None:
            self._runs.inspect(self._models.model)
        self._runs.warm_up()
        self._release = self._links.end_with(self)

    def segment(self) -> None:
        """Begin the run that the form describes, or say why that is impossible."""
        if self._runs.running:
            return
        self._row.show_problem("")
        try:
            image, source = self._require_image()
            request = self._request(image, source)
            self._row.show_waiting()
            self._runs.start(image, source, request, self._into.target)
            self._into.forget()
            self._update()
        except SlicewiseError as error:
            self._row.show_no_progress()
            self._row.show_problem(str(error))
            self._update()

    def stop(self) -> None:
        """Ask the run to end; its finished slices stay."""
        self._runs.stop()

    @property
    def worker_pid(self) -> int | None:
        """Process number of the worker; None while there is none."""
        return self._runs.worker_pid

    def add_model_file(self, path: str | Path) -> None:
        """Choose a file with weights."""
        self._models.add_file(str(path))

    def close_down(self) -> None:
        """End the run and the worker; hear nothing more from the viewer."""
        if self._links.open:
            self.destroyed.disconnect(self._release)
            self._live.close()
            self._objects.close()
            self._runs.close()
            self._links.release()

    def _lay_out(self) -> None:
        shape = Rows()
        shape.add("Result", self._output)
        shape.add("Into", self._into)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(6)
        for part in (self._images, self._misfit, self._models, self._slices, shape, self._advanced):
            layout.addWidget(part)
        layout.addWidget(self._row)
        layout.addWidget(self._tune)
        layout.addStretch(1)
        self.setMinimumWidth(MINIMUM_WIDTH - SCROLL_BAR)
        ModelDrop(self, self._models.add_file)

    def _connect(self) -> None:
        self._images.changed.connect(self._on_image)
        self._models.changed.connect(self._on_model)
        self._models.wanted.connect(self._runs.inspect)
        self._models.answered.connect(self._on_answer)
        self._slices.changed.connect(self._update)
        self._output.currentIndexChanged.connect(self._update)
        self._row.segment_pressed.connect(self.segment)
        self._row.stop_pressed.connect(self.stop)
        self._runs.changed.connect(self._update)
        self._objects.counted.connect(self._on_count)
        self._tune.review_pressed.connect(self._on_review)
        self._runs.said.connect(self._on_said)
        self._runs.troubled.connect(self._on_trouble)
        self._runs.progressed.connect(self._row.show_progress)
        self._runs.ended.connect(self._row.show_end)
        self._runs.devices_found.connect(self._advanced.offer_devices)
        self._runs.model_inquired.connect(self._models.inquire)
        self._runs.model_inspected.connect(self._models.learn)
        self._links.at_end(lambda: self._images.watch(None))
        layers, dims = self.viewer.layers, self.viewer.dims
        for emitter in (layers.events.inserted, layers.events.removed, layers.events.reordered):
            self._links.connect(emitter, self._on_layers)
        self._links.connect(layers.events.renamed, self._on_layers)
        self._links.connect(layers.selection.events.active, self._on_active_layer)
        self._links.connect(dims.events.range, self._on_layers)  # a layer got another scale
        for emitter in (dims.events.point, dims.events.order, dims.events.ndisplay):
            self._links.connect(emitter, self._update)
        self._links.connect(self.viewer.events.theme, self._follow_theme)

    def _require_image(self) -> tuple[Image, ArraySource]:
        source = self._images.source()  # first: it raises where there is no image
        return self._images.image, source

    def _ask(self) -> Asked:
        """Return what live tuning has to know.

        Raises
        ------
        SlicewiseError
            When nothing can be asked for.
        """
        image, source = self._require_image()
        shown = shown_index(image, source, self.viewer.dims)
        return Asked(image, source, self._request(image, source), self._models.require(), shown)

    def _request(self, image: Image, source: ArraySource) -> Request:
        spec = self._models.require()
        channel_recipe(spec, source.channels, rgb=source.rgb)
        shown = shown_index(image, source, self.viewer.dims)
        request = Request(
            model=self._models.model,
            indices=visiting_order(self._slices.indices(source, shown), shown),
            output=self._output.currentData(),
            answers=self._models.answers,
            rescale=self._images.rescale,
        )
        request = self._tune.apply_to(self._advanced.apply_to(request))
        return replace(request, objects=request.objects.settled(image_grid(image, source)))

    def _update(self, *_: Any) -> None:
        """Bring everything that depends on the choices up to date."""
        source, shown, reason, pixel = None, (), None, None
        try:
            image, source = self._require_image()
            shown = shown_index(image, source, self.viewer.dims)
            grid = image_grid(image, source)
            pixel = grid.pixel_um2
            self._slices.fit(source)
            self._advanced.suggest_depth(ObjectOptions().settled(grid).links.least_slices)
            self._into.offer(self._runs.targets(image, source, self._output.currentData()))
            channel_recipe(self._models.require(), source.channels, rgb=source.rgb)
        except SlicewiseError as error:
            reason = error
        both = self._images.image is not None and self._models.spec is not None
        self._misfit.say_why(reason if both else None)
        self._slices.describe(source, shown)
        self._models.describe(source)
        spec = self._models.spec
        self._watch_objects()
        self._tune.fit(
            objects=self._output.currentData() == "labels",
            threshold=spec is None or spec.output != "classes",
            pixel_um2=pixel,
        )
        self._advanced.fit(
            objects=self._output.currentData() == "labels",
            stack=source is not None and bool(source.leading_shape),
        )
        runs = self._runs
        self._row.allow(
            reason_against=str(reason or ""), running=runs.running, stopping=runs.stopping
        )
        if reason is not None and not runs.running:
            self._row.say(reason.message, more=str(reason))
        else:
            self._row.say(self._words)
        self._live.follow()

    def _watch_objects(self) -> None:
        """Count the objects of the latest result, which Review leads to."""
        latest = self._runs.latest
        objects = latest is not None and latest.request.output == "labels"
        self._objects.watch(latest if objects else None)
        if not objects:
            self._tune.count("", review=False)

    def _on_count(self, objects: int) -> None:
        self._tune.count(counted(objects, "object"), review=True)

    def _on_review(self) -> None:
        result = self._objects.result
        if result is not None and result.labels in self.viewer.layers:
            self.viewer.layers.selection.active = result.labels
            self.review_wanted.emit()

    def _on_said(self, words: str) -> None:
        self._words = words
        self._row.say(words)

    def _on_layers(self, _event: Any) -> None:
        self._images.follow_layers()
        self._update()

    def _on_image(self) -> None:
        self._row.show_problem("")  # it was another image's
        self._update()

    def _on_active_layer(self, event: Any) -> None:
        if isinstance(event.value, Image):
            self._images.follow_layers()
            self._images.choose(event.value)

    def _follow_theme(self, *_: Any) -> None:
        dark = is_dark(self.viewer.theme)
        self.setStyleSheet(form_style(dark=dark))
        self._models.follow_theme(dark=dark)
        self._row.follow_theme(self.viewer.theme)

    def _on_model(self) -> None:
        spec = self._models.spec
        self._images.follow_model(spec)
        if spec is not None:
            self._tune.follow_model(spec)
            if self._answered:
                self._tune.set_preview(on=True)
            self._answered = False
        self._update()

    def _on_answer(self, path: str, answers: dict[str, str]) -> None:
        """Have the model made anew; what it finds on the slice on show is then previewed."""
        self._answered = True
        self._runs.inspect(path, answers)

    def _on_trouble(self, text: str) -> None:
        self._row.show_problem(text)
        show_error(text)
