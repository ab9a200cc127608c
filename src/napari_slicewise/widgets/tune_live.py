"""What the sliders of the panel do at once: on the slice on show, then on the stack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from napari.components import ViewerModel
from napari.layers import Image
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_slicewise.app.tuning import ShapeJob, Tuner
from napari_slicewise.errors import SlicewiseError
from napari_slicewise.inference.request import (
    Request,
    RunReport,
    SliceResult,
    shape_options,
    visiting_order,
)
from napari_slicewise.io.source import ArraySource, SliceIndex
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.widgets.links import Links
from napari_slicewise.widgets.result_layer import ResultLayer
from napari_slicewise.widgets.tune_preview import PreviewLayer
from napari_slicewise.widgets.tune_runs import TunedRuns
from napari_slicewise.widgets.tune_section import TuneSection

__all__ = ["Asked", "LiveTuning"]

PAUSE_MS = 120  # between a step of the sliders under the image and the question to the worker


@dataclass(frozen=True, eq=False)
class Asked:
    """What the form asks for now: the slice on show comes first in ``request.indices``."""

    image: Image
    source: ArraySource
    request: Request
    spec: ModelSpec
    shown: SliceIndex

    @property
    def of(self) -> tuple[Any, ...]:
        """All that decides what the network says of the slice on show."""
        source = self.source
        return (source.identity, source.pixel_um, self.shown, *_of_network(self.request))


class LiveTuning(QObject):
    """Shows on the slice on show what the sliders say, in the labels or in a preview.

    The network's answer to that slice is asked of the worker once, which knows it from
    the run; then it is shaped in this process, on a thread, at each move of a slider. Where
    labels are there for the slice they change, around the human's work; when the slider
    is released, the slices of the whole result follow.

    Parameters
    ----------
    viewer
        Where the labels are.
    runs
        The runs of the viewer.
    section
        The sliders.
    ask
        Returns what the form asks for.
    links
        Cut when the panel closes.
    """

    _arrived = Signal(object, object)  # ShapeJob and labels, on the thread of the window

    def __init__(
        self,
        viewer: ViewerModel,
        runs: TunedRuns,
        section: TuneSection,
        ask: Callable[[], Asked],
        links: Links,
    ) -> None:
        super().__init__(runs)
        self._runs, self._section, self._ask = runs, section, ask
        self._preview = PreviewLayer(viewer)
        self._tuner = Tuner()
        self._newest: ShapeJob | None = None
        self._refused: tuple[Any, ...] = ()  # of what the network's answer cannot be had
        self._known: tuple[Any, ...] = ()
        self._activations: NDArray[Any] | None = None
        self._wanted: Asked | None = None  # whose activations are on their way
        self._late: tuple[Asked, NDArray[Any]] | None = None  # shaped while a run was ending
        links.at_end(self._tuner.close)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.timeout.connect(self._look)
        # Not through the inbox, whose ticks are for results that nobody waits for.
        self._arrived.connect(self._on_shaped)
        links.connect(self._tuner.shaped, self._pass_on)
        section.touched.connect(self._on_touch)
        section.settled.connect(self._on_settled)
        section.neared.connect(self._on_near)
        section.preview_toggled.connect(self._on_preview)
        runs.peeked.connect(self._on_peek)
        runs.changed.connect(self._on_runs)

    def _pass_on(self, job: ShapeJob, values: NDArray[Any]) -> None:
        """Bring labels from the tuner's thread to this one."""
        self._newest = job
        self._arrived.emit(job, values)

    def follow(self) -> None:
        """Look again, after the form or the sliders under the image have changed."""
        if self._section.preview:
            self._pause.start(PAUSE_MS)

    def close(self) -> None:
        """Wait for nothing more."""
        self._pause.stop()
        self._wanted = None
        self._tuner.close()

    def _on_touch(self) -> None:
        asked = self._asked()
        if asked is None or not self._place(asked):
            return
        self._runs.interrupt_tuning()
        self._shape_or_ask(asked)

    def _on_near(self) -> None:
        asked = self._asked()
        if asked is not None and self._place(asked) and asked.of != self._known:
            self._shape_or_ask(asked, shape=False)

    def _on_settled(self) -> None:
        asked = self._asked()
        target = None if asked is None else self._target(asked)
        if asked is None or target is None:
            return
        indices = visiting_order(tuple(sorted(target.done)), asked.shown)
        self._runs.tune(asked.image, asked.source, replace(asked.request, indices=indices), target)

    def _on_preview(self, on: bool) -> None:  # noqa: FBT001 - a slot of Qt's
        if on:
            self._refused = ()  # it may work by now
            self._look()
        else:
            self._pause.stop()
            self._preview.remove()

    def _on_runs(self) -> None:
        if self._runs.running and not self._runs.tuning:
            self._preview.remove()
            self._late = None
        elif not self._runs.running and self._late is not None:
            (asked, values), self._late = self._late, None
            self._write(asked, values)

    def _look(self) -> None:
        """Show the preview of the slice on show, where it is wanted."""
        asked = self._asked() if self._section.preview else None
        if asked is None or self._runs.running:
            return
        if self._target(asked) is not None:
            self._preview.remove()
        else:
            self._shape_or_ask(asked)

    def _asked(self) -> Asked | None:
        try:
            return self._ask()
        except SlicewiseError:
            return None

    def _target(self, asked: Asked) -> ResultLayer | None:
        """Return the result that has the slice on show by the same network, if there is one."""
        targets = self._runs.targets(asked.image, asked.source, asked.request.output)
        if not targets or asked.shown not in targets[0].done:
            return None
        same = _of_network(targets[0].request) == _of_network(asked.request)
        return targets[0] if same else None

    def _place(self, asked: Asked) -> bool:
        return self._target(asked) is not None or self._section.preview

    def _shape_or_ask(self, asked: Asked, *, shape: bool = True) -> None:
        if asked.of == self._known and self._activations is not None:
            if shape:
                self._shape(asked)
            return
        if self._refused == asked.of or (self._wanted is not None and self._wanted.of == asked.of):
            return
        peek = replace(asked.request, indices=(asked.shown,), output="activations")
        if self._runs.peek(peek, asked.source):
            self._wanted = asked

    def _on_peek(self, request: Request, answer: SliceResult | RunReport) -> None:
        wanted = self._wanted
        if wanted is None or request.indices != (wanted.shown,):
            return
        self._wanted = None
        if not isinstance(answer, SliceResult):
            if answer.outcome == "failed":
                self._refuse(wanted, answer)
            return
        self._known, self._activations = wanted.of, answer.values
        now = self._asked()
        if now is not None and now.of == self._known and self._place(now):
            self._shape(now)

    def _refuse(self, wanted: Asked, answer: RunReport) -> None:
        """Say why there is nothing to see at once, and do not ask again at each move."""
        self._refused = wanted.of
        if self._section.preview:
            self._section.set_preview(on=False)
            self._runs.troubled.emit(f"{answer.message} {answer.hint}".strip())
        else:
            self._runs.said.emit(f"Seen when the slider is released: {answer.message}")

    def _shape(self, asked: Asked) -> None:
        request = asked.request
        chosen = request.objects.threshold
        threshold = asked.spec.threshold if chosen is None else chosen
        options = shape_options(request, asked.spec.output, threshold)
        if options is not None and self._activations is not None:
            self._tuner.submit(ShapeJob(self._activations, options, asked))

    def _on_shaped(self, job: ShapeJob, values: NDArray[Any]) -> None:
        if job is not self._newest:  # the next one is there already
            return
        asked: Asked = job.ticket
        now = self._asked()
        if now is None or now.of != asked.of:
            return
        if self._runs.running:  # a run over the stack is ending
            self._late = (asked, values) if self._runs.tuning else None
            return
        self._write(asked, values)

    def _write(self, asked: Asked, values: NDArray[Any]) -> None:
        target = self._target(asked)
        if target is not None:
            self._preview.remove()
            target.tune(asked.shown, values)
        elif self._section.preview:
            self._preview.show(asked.image, asked.source, asked.shown, values)


def _of_network(request: Request) -> tuple[Any, ...]:
    """Return what of a request decides what the network says, and nothing else."""
    return (
        *(request.model, request.answers, request.precision, request.device),
        *(request.intensity_range, request.tile, request.rescale),
    )
