"""Leads to the slices that are worth annotating next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from napari.components import ViewerModel
from napari.layers import Image

from napari_slicewise.app.learn_proposals import Proposal
from napari_slicewise.app.learn_proposer import Proposer
from napari_slicewise.app.segment import SegmentController
from napari_slicewise.errors import SlicewiseError
from napari_slicewise.io.source import ArraySource, SliceIndex
from napari_slicewise.widgets.inbox import Inbox
from napari_slicewise.widgets.layer_source import data_position, pixels_to_world
from napari_slicewise.widgets.learn_next import NextSlices

__all__ = ["Guide"]


class Guide:
    """Has slices looked for, shows them, and goes to the one that is clicked.

    Parameters
    ----------
    viewer
        Whose sliders move.
    segment
        Of the worker process.
    do
        Has something done on another thread.
    buttons
        Where the slices are shown.
    inbox
        Brings the answer to this thread.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        segment: SegmentController,
        do: Callable[[Callable[[], None]], None],
        buttons: NextSlices,
        inbox: Inbox,
    ) -> None:
        self._viewer, self._buttons = viewer, buttons
        self._proposer = Proposer(segment, do)
        self._of: tuple[Image, ArraySource] | None = None
        inbox.connect(self._proposer.found, self._on_found)
        inbox.connect(self._proposer.failed, buttons.say)
        buttons.chosen.connect(self._go)

    def allow(self, image: bool, model: str) -> None:  # noqa: FBT001 - two plain facts
        """Enable the search where there is something to look through, and by what."""
        reason = "" if model else "Choose a model in the Segment tab."
        self._buttons.allow(reason if image else "Open an image to begin.")

    def look(
        self, model: str, image: Image, source: ArraySource, seen: Sequence[SliceIndex]
    ) -> None:
        """Look through a stack."""
        self._of = (image, source)
        self._buttons.show_proposals([])
        if not source.leading_shape:
            self._buttons.say("There is one slice only.")
            return
        try:
            begun = self._proposer.start(model, source, seen)
        except SlicewiseError as error:
            self._buttons.say(str(error))
            return
        self._buttons.say("Looking…" if begun else "Not while a run is going on.")

    def close(self) -> None:
        """Hear nothing more."""
        self._proposer.close()

    def _on_found(self, proposals: list[Proposal]) -> None:
        self._buttons.show_proposals(proposals)

    def _go(self, index: SliceIndex) -> None:
        if self._of is None or self._of[0] not in self._viewer.layers:
            return
        image, source = self._of
        dims = self._viewer.dims
        position = list(data_position(image, dims, source.plane))
        for axis, value in zip(source.leading_axes, index, strict=True):
            position[axis] = value
        world = pixels_to_world(image, dims, position)
        point = list(dims.point)
        for axis in source.leading_axes:
            point[axis + dims.ndim - image.ndim] = world[axis]
        dims.point = tuple(point)
