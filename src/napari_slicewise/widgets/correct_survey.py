"""Measuring all objects and looking for doubts, away from the window."""

from __future__ import annotations

from dataclasses import dataclass

from napari.components import ViewerModel
from napari.layers import Image, Labels
from qtpy.QtCore import QObject, Signal

from napari_slicewise.app.correct import ToolRunner
from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.objects import ObjectTable, measure_objects
from napari_slicewise.editing.review import Doubt, find_doubts
from napari_slicewise.errors import SlicewiseError
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.layer_writer import layer_axes
from napari_slicewise.io.source import ArraySource
from napari_slicewise.widgets.correct_target import Target
from napari_slicewise.widgets.inbox import Inbox
from napari_slicewise.widgets.links import Links

__all__ = ["Findings", "Survey", "image_under"]

OWN_COLUMNS = {"index", "pixels", "touches_border", "state"}  # of a table that we have made


@dataclass(frozen=True, eq=False)
class Findings:
    """What was found in all slices at one moment.

    Parameters
    ----------
    labels
        The labels.
    table
        One row an object.
    doubts
        What to look at, the most urgent first.
    """

    labels: ArraySource
    table: ObjectTable
    doubts: list[Doubt]


class Survey(QObject):
    """Reads a layer once, slice by slice, when it is asked to.

    Parameters
    ----------
    viewer
        Where an image under the labels is looked for.
    links
        Cut when the panel closes.
    parent
        Qt parent.
    """

    found = Signal(object)  # Findings
    failed = Signal(str)
    changed = Signal()  # it began or ended

    def __init__(self, viewer: ViewerModel, links: Links, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._runner = ToolRunner()
        self._inbox = Inbox(links, self)
        self._inbox.connect(self._runner.finished, self._on_finished)
        links.at_end(self.close)

    @property
    def busy(self) -> bool:
        """Whether it is reading."""
        return self._runner.busy

    def start(self, target: Target, states: dict[int, str]) -> None:
        """Begin to read a layer; what was begun before comes to nothing.

        Parameters
        ----------
        target
            The layer.
        states
            What to say of objects in the table, by their numbers.
        """
        session, layer = target.edits.session, target.layer
        labels = session.labels
        locks = Locks(
            set(session.locks.objects), set(session.locks.slices), set(session.locks.done)
        )
        axes = ordered_axes(layer, labels)
        image = image_under(layer, labels, self._viewer)
        states = dict(states)
        sure = session.ownership.confidence.known()

        def read() -> Findings:
            table = measure_objects(
                labels, axes=axes, image=image, confidence=sure, locks=locks, states=states
            )
            return Findings(labels, table, find_doubts(labels, table, locks))

        self._runner.start(read, "survey")
        self.changed.emit()

    def cancel(self) -> None:
        """Wait for nothing."""
        if self.busy:
            self._runner.cancel()
            self.changed.emit()

    def close(self) -> None:
        """End for good."""
        self._runner.cancel()
        self._inbox.close()

    def _on_finished(self, ticket: int, result: object) -> None:
        if not self._runner.take(ticket):
            return
        if isinstance(result, Findings):
            self.found.emit(result)
        elif isinstance(result, SlicewiseError):
            self.failed.emit(str(result))
        self.changed.emit()


def ordered_axes(layer: Labels, labels: ArraySource) -> tuple[Axis, ...]:
    """Return the axes of a layer in the order (leading ..., y, x)."""
    meta = {"scale": layer.scale, "units": layer.units, "axis_labels": layer.axis_labels}
    axes = layer_axes(meta, layer.data.shape)
    return tuple(axes[axis] for axis in (*labels.leading_axes, *labels.plane))


def image_under(layer: Labels, labels: ArraySource, viewer: ViewerModel) -> ArraySource | None:
    """Find the image that the labels belong to: of one shape, the one they were made from first."""
    note = layer.metadata.get("slicewise")
    name = note.get("image") if isinstance(note, dict) else None
    fitting = [
        other
        for other in reversed(viewer.layers)
        if isinstance(other, Image)
        and not (other.rgb or other.multiscale)
        and tuple(other.data.shape) == tuple(labels.data.shape)
    ]
    if not fitting:
        return None
    chosen = next((image for image in fitting if image.name == name), fitting[0])
    return ArraySource(chosen.data, labels.plane, labels.channel_axis, labels.channel)
