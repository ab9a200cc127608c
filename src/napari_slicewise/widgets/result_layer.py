"""The labels layer that a run fills, slice by slice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels
from numpy.typing import NDArray

from napari_slicewise.editing.continuation import continue_neighbours
from napari_slicewise.editing.errors import WideningError
from napari_slicewise.editing.least_depth import ObjectDepths
from napari_slicewise.editing.session import EditSession
from napari_slicewise.editing.tuned_slice import TunedSlice
from napari_slicewise.inference.request import Output, Request, RunReport, SliceResult
from napari_slicewise.io.label_store import create_labels
from napari_slicewise.io.source import ArraySource, SliceIndex
from napari_slicewise.widgets.class_layer import show_classes
from napari_slicewise.widgets.edit_layer import EditLayer, edit_layer_of
from napari_slicewise.widgets.placement import Placement
from napari_slicewise.widgets.result_notes import described, layer_name, parameters_of
from napari_slicewise.widgets.slice_on_show import is_on_show
from napari_slicewise.widgets.undo_history import (
    fill_blanks_under_strokes,
    has_history,
    painted_numbers,
    rename_in_history,
    unfinished_stroke,
)

__all__ = ["ResultLayer"]

REFRESH_3D_S = 1.0  # between two drawings of a volume, which is uploaded whole


class ResultLayer:
    """Labels over an image, and what it takes to write into them while a human paints.

    Any number of runs writes here, each around what the human did and around what is
    locked; an object that is found again keeps its number and colour. Undoing a stroke
    that came before a run shows the machine's labels under it.

    Parameters
    ----------
    viewer
        Where the layer is added.
    image
        The image that the labels belong to.
    source
        Its slices, as the run reads them.
    request
        What is asked for.
    earlier
        What the image's other results were asked for with: the name says what differs.
    edits
        Of a layer that is there already, restored for instance; None makes a new one.

    Raises
    ------
    OutputError
        When there is no space for the labels.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        image: Image,
        source: ArraySource,
        request: Request,
        earlier: Sequence[Request] = (),
        *,
        edits: EditLayer | None = None,
    ) -> None:
        self.image = image
        self.written: set[SliceIndex] = set()  # by the latest run
        self._viewer = viewer
        self._source = source
        self.request = request
        self._depths = ObjectDepths()
        self._tuned: TunedSlice | None = None
        self._asked: frozenset[SliceIndex] = frozenset()
        self._stale, self._refreshed = False, 0.0
        self._earlier = tuple(earlier)
        self._edits = edits or self._make_layer()  # the Correct tab's tools and undo
        self.labels: Labels = self._edits.layer
        show_classes(self.labels, request.output)
        self._session = self._edits.session
        self.done: set[SliceIndex] = set(self._session.ownership.machine)  # by any run
        self._own_number = int(self.labels.selected_label) if edits is None else None
        self._named = ""  # a name that the user gave stays
        self.labels.events.paint.connect(self._on_paint)
        if edits is None:
            viewer.add_layer(self.labels)
            self._named = self.labels.name

    def _make_layer(self) -> EditLayer:
        objects = self.request.output == "labels"
        placement = Placement(self.image, self._source)
        array = create_labels(placement.shape, np.dtype(np.uint32 if objects else np.uint8))
        session = EditSession(placement.view(array), renumber=objects)
        name = layer_name(self.image, self.request, self._earlier)
        edits = edit_layer_of(placement.make_layer(array, name), session)
        edits.made_from = self.image, self._source
        return edits

    def takes(self, image: Image, source: ArraySource, output: Output) -> bool:
        """Whether a further run can be written here: the same slices, objects or classes alike."""
        return (
            image is self.image
            and self.labels in self._viewer.layers
            and not self.replaced
            and source == self._source
            and output == self.request.output
            and Placement(image, source).still_fits(self.labels)
        )

    @property
    def session(self) -> EditSession:
        """Whose the voxels are, and what is locked."""
        return self._session

    @property
    def edits(self) -> EditLayer:
        """The corrections of the layer."""
        return self._edits

    @property
    def replaced(self) -> bool:
        """Whether the layer has got other labels than those that are written here.

        The same labels in another type are still those.
        """
        return self._edits.session is not self._session

    @property
    def untouched(self) -> bool:
        """Whether neither the machine nor a human has put anything into the layer."""
        return not (self.done or self.replaced or has_history(self.labels))

    def begin(self, request: Request | None = None) -> None:
        """Make ready for a run, whose numbers mean nothing yet.

        Parameters
        ----------
        request
            What is asked for; None for what the layer was made for.
        """
        self.request = request or self.request
        self._edits.asked = parameters_of(self.request)
        self._asked = frozenset(self.request.indices)
        self.written = set()
        self._depths = ObjectDepths()
        self._session.begin_run()
        self._tuned = None
        if self.labels.name == self._named:  # not the user's own name for it
            name = layer_name(self.image, self.request, self._earlier)
            if not self._named.startswith(name):
                self.labels.name = name
                self._named = self.labels.name
        if not self.labels.visible:  # or else it is drawn again
            self.labels.visible = True
        self._viewer.layers.selection.active = self.labels  # ready for the brush

    def write(self, result: SliceResult) -> None:
        """Write one finished slice around the strokes that are there.

        Raises
        ------
        OSError
            When the labels are on a disk that is full or gone.
        """
        self._reserve(unfinished_stroke(self.labels))
        self._rename(result.renamed)
        objects = self.request.output == "labels"
        session, index = self._session, result.index
        machine = self._fitting(lambda: session.merge(index, result.values))
        if objects:
            self._depths.add(index, result.values, result.renamed)
            sure = {session.numbering.written(n): mean for n, mean in result.confidence.items()}
            session.ownership.confidence.put(index, sure)
            beside = self._beside(index) if self.request.objects.link else []
            changed = continue_neighbours(
                session, index, result.values, beside, join=index not in self.done
            )
            self._note_changed(changed)
            machine = session.ownership.machine.get(index) if changed else machine
        if has_history(self.labels):
            fill_blanks_under_strokes(self.labels, self._session.labels, result.index, machine)
        self.done.add(result.index)
        self.written.add(result.index)
        self._note_changed([result.index])

    def tune(self, index: SliceIndex, values: NDArray[Any]) -> None:
        """Write a slice that was shaped anew, and draw it at once.

        Parameters
        ----------
        index
            A slice that a run has written.
        values
            ``(y, x)``: its objects, in numbers that mean nothing.
        """
        self._reserve(unfinished_stroke(self.labels))
        tuned = self._tuned
        if tuned is None or tuned.index != index:
            tuned = self._tuned = TunedSlice(self._session, index)
        self._fitting(partial(tuned.write, values))
        self._offer_free_number()
        self.labels.refresh(thumbnail=False, highlight=False, extent=False)

    def take_out_shallow(self, least: int) -> Iterator[int]:
        """Take objects of fewer slices out, a slice at a time; yields how many are out so far."""
        for changed in self._depths.take_out(self._session, least):
            self._note_changed(changed)
            yield self._depths.removed

    def _fitting(self, write: Callable[[], Any]) -> Any:
        """Call what writes a slice; labels whose type is too small for its numbers widen."""
        try:
            return write()
        except WideningError as error:
            self._edits.widen(error.needed)
            return write()

    def _beside(self, index: SliceIndex) -> list[SliceIndex]:
        """Return the neighbours of a slice that an earlier run wrote and this one does not."""
        near = [(*index[:-1], index[-1] + step) for step in (-1, 1)] if index else []
        return [other for other in near if other in self.done and other not in self._asked]

    def _note_changed(self, indices: Iterable[SliceIndex]) -> None:
        viewer, view = self._viewer, self._session.labels
        shown = (is_on_show(viewer, self.labels, view, index) for index in indices)
        self._stale = self._stale or any(shown)

    def _rename(self, mapping: Mapping[int, int]) -> None:
        """Give objects that turned out to be one the same number, in strokes and history too."""
        if not mapping:
            return
        numbering = self._session.numbering
        written = {
            numbering.written(old): numbering.written(new)
            for old, new in mapping.items()
            if numbering.knows(old)
        }
        changed = self._session.rename(mapping)
        rename_in_history(self.labels, written)
        selected = int(self.labels.selected_label)
        if selected in written:
            self.labels.selected_label = written[selected]
        self._note_changed(changed)

    def refresh_if_due(self) -> None:
        """Draw the layer again, if what is on show has changed and not too often."""
        self._offer_free_number()
        pause = REFRESH_3D_S if self._viewer.dims.ndisplay == 3 else 0.0
        if self._stale and time.monotonic() - self._refreshed > pause:
            self.labels.refresh(thumbnail=False, highlight=False, extent=False)
            self._stale = False
            self._refreshed = time.monotonic()

    def close(self, report: RunReport) -> None:
        """End a run: draw everything, and describe it in the layer's metadata.

        A run that brought nothing to the result of an earlier one leaves its description.
        """
        show_classes(self.labels, self.request.output, report.details.get("class_names"))
        self._stale = False
        self._offer_free_number()
        self.labels.refresh()
        if not self.written and "slicewise" in self.labels.metadata:
            return
        # Changed in place: assigning to ``layer.metadata`` what it returned empties it.
        self.labels.metadata["slicewise"] = described(
            self.image, self._source, self.request, report, self.done, self.written
        )

    def _offer_free_number(self) -> None:
        """Select a number that no object has, until the user chooses or paints one."""
        self._reserve(unfinished_stroke(self.labels))
        number = self._session.next_free
        if self.request.output != "labels" or self._own_number in (None, number):
            return
        if self.labels.selected_label == self._own_number:
            self._own_number = number
            self.labels.selected_label = number

    def _on_paint(self, event: Any) -> None:
        self._reserve(event.value)

    def _reserve(self, stroke: list[Any]) -> None:
        """Leave the numbers of a stroke to the human."""
        for number in painted_numbers(stroke):
            self._session.reserve(number)
            self._own_number = None  # from now on the user chooses
