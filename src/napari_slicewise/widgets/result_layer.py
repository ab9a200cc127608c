"""The labels layer that a run fills, slice by slice."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_slicewise import __version__
from napari_slicewise.editing.session import EditSession
from napari_slicewise.inference.request import Request, RunReport, SliceResult
from napari_slicewise.io.label_store import create_labels
from napari_slicewise.io.source import ArraySource, SliceIndex
from napari_slicewise.widgets.layer_source import displayed_plane, shown_index
from napari_slicewise.widgets.placement import Placement
from napari_slicewise.widgets.undo_history import (
    fill_blanks_under_strokes,
    forget_history,
    has_history,
    painted_numbers,
    unfinished_stroke,
)

__all__ = ["ResultLayer"]

REFRESH_3D_S = 1.0  # between two drawings of a volume, which is uploaded whole


class ResultLayer:
    """Labels over an image, and what it takes to write into them while a human paints.

    Strokes are kept, whichever came first. Undoing a stroke that came first shows the
    machine's labels under it.

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
    ) -> None:
        self.image = image
        self.done: set[SliceIndex] = set()
        self._viewer = viewer
        self._source = source
        self.request = request
        objects = request.output == "labels"
        placement = Placement(image, source)
        array = create_labels(placement.shape, np.dtype(np.uint32 if objects else np.uint8))
        self._view = placement.view(array)
        self._session = EditSession(self._view, renumber=objects)
        self._offset = 0
        self._stale = False
        self._refreshed = 0.0
        self.labels: Labels = placement.make_layer(array, _name(image, request, earlier))
        self._own_number: int | None = int(self.labels.selected_label)
        self.labels.events.paint.connect(self._on_paint)
        self.labels.events.data.connect(self._on_data)
        viewer.add_layer(self.labels)

    def takes(self, image: Image, source: ArraySource, request: Request) -> bool:
        """Whether a further run belongs here: the same in all but its slices, all still blank."""
        return (
            image is self.image
            and self.labels in self._viewer.layers
            and not self.replaced
            and source == replace(self._source, data=source.data)
            and source.data is self._source.data
            and replace(request, indices=self.request.indices) == self.request
            and self.done.isdisjoint(request.indices)
            and Placement(image, source).still_fits(self.labels)
        )

    @property
    def replaced(self) -> bool:
        """Whether the layer has got another array than the one that is written here."""
        return self.labels.data is not self._view.data

    @property
    def untouched(self) -> bool:
        """Whether neither the machine nor a human has put anything into the layer."""
        return not (self.done or self.replaced or has_history(self.labels))

    def begin(self) -> None:
        """Make ready for a run: its objects get numbers that nothing here has yet."""
        if not self.labels.visible:  # or else it is drawn again
            self.labels.visible = True
        self._viewer.layers.selection.active = self.labels  # ready for the brush
        self._offset = self._session.next_free - 1 if self.done else 0

    def write(self, result: SliceResult) -> None:
        """Write one finished slice around the strokes that are there.

        Raises
        ------
        OSError
            When the labels are on a disk that is full or gone.
        """
        self._reserve(unfinished_stroke(self.labels))
        values = result.values
        if self._offset and self.request.output == "labels":
            values = np.where(values > 0, values + np.uint32(self._offset), 0)
        machine = self._session.merge(result.index, values)
        if has_history(self.labels):
            fill_blanks_under_strokes(self.labels, self._view, result.index, machine)
        self.done.add(result.index)
        self._stale = self._stale or self._on_show(result.index)

    def refresh_if_due(self) -> None:
        """Draw the layer again, if what is on show has changed and not too often."""
        self._offer_free_number()
        pause = REFRESH_3D_S if self._viewer.dims.ndisplay == 3 else 0.0
        if self._stale and time.monotonic() - self._refreshed > pause:
            self.labels.refresh(thumbnail=False, highlight=False, extent=False)
            self._stale = False
            self._refreshed = time.monotonic()

    def close(self, report: RunReport) -> None:
        """End a run: draw everything, and describe it in the layer's metadata."""
        self._stale = False
        self._offer_free_number()
        self.labels.refresh()
        # Changed in place: assigning to ``layer.metadata`` what it returned empties it.
        self.labels.metadata["slicewise"] = self._description(report)

    def _description(self, report: RunReport) -> dict[str, Any]:
        parameters = asdict(replace(self.request, indices=((),)))
        del parameters["indices"]
        source = self._source
        description = {
            "plugin": "napari-slicewise",
            "plugin_version": __version__,
            "image": self.image.name,
            "image_path": None if self.image.source.path is None else str(self.image.source.path),
            "plane": list(source.plane),
            "channel_axis": source.channel_axis,
            "channel": source.channel,
            "parameters": parameters,
            "outcome": report.outcome,
            "message": report.message,
            "fallbacks": list(report.fallbacks),
            "slices": [list(index) for index in sorted(self.done)],
            "seconds": round(report.seconds, 3),
            "seconds_per_slice": round(report.seconds / max(report.slices, 1), 4),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        return {**description, **_plain(report.details)}

    def _on_show(self, index: SliceIndex) -> bool:
        """Whether a slice is on the screen; in 3D, or across rolled axes, each one is."""
        dims = self._viewer.dims
        if self.labels not in self._viewer.layers or dims.ndisplay == 3:
            return True
        if displayed_plane(self.labels, dims, self._view.channel_axis) != self._view.plane:
            return True
        return shown_index(self.labels, self._view, dims) == index

    def _offer_free_number(self) -> None:
        """Select a number that no object has, until the user chooses or paints one."""
        self._reserve(unfinished_stroke(self.labels))
        number = self._session.next_free
        if self.request.output != "labels" or self._own_number in (None, number):
            return
        if self.labels.selected_label == self._own_number:
            self._own_number = number
            self.labels.selected_label = number

    def _on_data(self, _event: Any) -> None:
        """Forget strokes on an array that is gone: undoing them would damage the new one."""
        if self.replaced:
            forget_history(self.labels)

    def _on_paint(self, event: Any) -> None:
        self._reserve(event.value)

    def _reserve(self, stroke: list[Any]) -> None:
        """Leave the numbers of a stroke to the human."""
        for number in painted_numbers(stroke):
            self._session.reserve(number)
            self._own_number = None  # from now on the user chooses


def _name(image: Image, request: Request, earlier: Sequence[Request]) -> str:
    """Name a layer after its image, and after what tells it from the earlier ones."""
    words = [image.name, request.output]
    if any(other.threshold != request.threshold for other in earlier):
        words.append(f"at {request.threshold:g}")
    if any(other.model != request.model for other in earlier):
        words.append(f"by {Path(request.model).stem}")
    return " ".join(words)


def _plain(value: Any) -> Any:
    """Return what JSON can hold."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, str | int | float | bool | None) else str(value)
