"""The labels layer that a run fills, slice by slice."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
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
    has_history,
    painted_numbers,
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

    Raises
    ------
    OutputError
        When there is no space for the labels.
    """

    def __init__(
        self, viewer: ViewerModel, image: Image, source: ArraySource, request: Request
    ) -> None:
        self.image = image
        self.done: set[SliceIndex] = set()
        self._viewer = viewer
        self._source = source
        self._request = request
        objects = request.output == "labels"
        placement = Placement(image, source)
        array = create_labels(placement.shape, np.dtype(np.uint32 if objects else np.uint8))
        self._view = placement.view(array)
        self._session = EditSession(self._view, renumber=objects)
        self._largest_painted = 0
        self._offset = 0
        self._stale = False
        self._refreshed = 0.0
        self.labels: Labels = placement.make_layer(array, f"{image.name} labels")
        self._own_number = int(self.labels.selected_label)
        self.labels.events.paint.connect(self._on_paint)
        viewer.add_layer(self.labels)

    def takes(self, image: Image, source: ArraySource, request: Request) -> bool:
        """Whether a further run belongs here: the same in all but its slices, all still blank."""
        return (
            image is self.image
            and self.labels in self._viewer.layers
            and self.labels.data is self._view.data
            and source == replace(self._source, data=source.data)
            and source.data is self._source.data
            and replace(request, indices=self._request.indices) == self._request
            and self.done.isdisjoint(request.indices)
            and Placement(image, source).still_fits(self.labels)
        )

    def begin(self) -> None:
        """Make ready for a run: its objects get numbers that nothing here has yet."""
        self.labels.visible = True
        self._offset = max(self._session.next_free - 1, self._largest_painted) if self.done else 0

    def write(self, result: SliceResult) -> None:
        """Write one finished slice around the strokes that are there.

        Raises
        ------
        OSError
            When the labels are on a disk that is full or gone.
        """
        values = result.values
        if self._offset and self._request.output == "labels":
            values = np.where(values > 0, values + np.uint32(self._offset), 0)
        if has_history(self.labels):
            before = self._view.read_slice(result.index)[0].copy()
            self._session.merge(result.index, values)
            self._mend_history(result.index, before, values)
        else:
            self._session.merge(result.index, values)
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
        parameters = asdict(replace(self._request, indices=((),)))
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

    def _mend_history(self, index: SliceIndex, before: Any, values: Any) -> None:
        """Let undo bring back the machine's labels, numbered as they were written."""
        merged = self._view.read_slice(index)[0]
        written = np.zeros(int(values.max(initial=0)) + 1, merged.dtype)
        blank = (before == 0) & (values > 0)
        written[values[blank]] = merged[blank]
        fill_blanks_under_strokes(self.labels, self._view, index, written[values])

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
        if self._largest_painted or self._request.output != "labels":
            return
        number = self._session.next_free
        if self.labels.selected_label == self._own_number != number:
            self._own_number = number
            self.labels.selected_label = self._own_number

    def _on_paint(self, event: Any) -> None:
        numbers = painted_numbers(event.value)
        self._largest_painted = max(self._largest_painted, *numbers, 0)


def _plain(value: Any) -> Any:
    """Return what JSON can hold."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, str | int | float | bool | None) else str(value)
