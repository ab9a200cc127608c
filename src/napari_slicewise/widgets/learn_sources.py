"""Which layers can be learned from, and when what they say has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari.components import ViewerModel
from napari.layers import Image, Labels
from qtpy.QtCore import QObject, QTimer, Signal

from napari_slicewise.app.learn_lessons import Lesson
from napari_slicewise.errors import ImageError
from napari_slicewise.io.source import ArraySource
from napari_slicewise.widgets.edit_layer import EditLayer, edit_layer_of, reason_against_editing
from napari_slicewise.widgets.keep_places import image_of
from napari_slicewise.widgets.layer_source import ChannelChoice, full_resolution
from napari_slicewise.widgets.learn_scribbles import find_scribbles, is_scribbles
from napari_slicewise.widgets.links import Links
from napari_slicewise.widgets.stack_facts import pixel_um

__all__ = ["LessonSources", "Teacher", "image_slices"]

PAUSE_MS = 400  # after a change, before what is marked is counted again
LEARNING_PAUSE_MS = 2000  # the same while a training waits for it: strokes come in bursts


@dataclass(frozen=True, eq=False)
class Teacher:
    """A labels layer that can be learned from, and the image that it is about.

    Parameters
    ----------
    layer
        Labels, or strokes where an image has nothing else.
    image
        The image.
    """

    layer: Labels
    image: Image

    @property
    def key(self) -> str:
        """Tells it from the others."""
        return str(self.layer.unique_id)


class LessonSources(QObject):
    """Finds the layers of a viewer to learn from, and hears of every change in them.

    Parameters
    ----------
    viewer
        The viewer itself, no proxy.
    channels
        Which channels are chosen for an image; None where nobody chose.
    links
        Cut when the panel closes.
    parent
        Qt parent.
    """

    changed = Signal()  # what is marked has to be counted again, after a pause
    layers_changed = Signal()  # there are other layers, or other names
    touched = Signal(str, object)  # a lesson's key, empty for any; the slices, or None for all

    def __init__(
        self,
        viewer: ViewerModel,
        channels: Callable[[Image], ChannelChoice | None],
        links: Links,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._channels = viewer, channels
        self.learning = False  # a training takes what is new
        self._chosen: dict[str, bool] = {}  # by the user; else what is visible
        self._watched: dict[str, Labels] = {}  # for whether they are on show
        self._heard: dict[str, tuple[EditLayer, Callable[..., None], Callable[..., None]]] = {}
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.timeout.connect(self.changed.emit)
        events = viewer.layers.events
        for emitter in (events.inserted, events.removed, events.renamed):
            links.connect(emitter, self._on_layers)
        links.at_end(self._forget_all)
        self._on_layers()

    def teachers(self) -> list[Teacher]:
        """List what can be learned from, the topmost layer first."""
        found, taught = [], []
        strokes = []
        for layer in reversed(self._viewer.layers):
            if is_scribbles(layer):
                strokes.append(layer)
            elif isinstance(layer, Labels) and layer.editable and not reason_against_editing(layer):
                image = image_of(layer, self._viewer)
                if image is not None:
                    found.append(Teacher(layer, image))
                    taught.append((image, layer.data.shape))
        for layer in strokes:
            image = self._image_of_strokes(layer)
            if image is not None and (image, layer.data.shape) not in taught:
                found.append(Teacher(layer, image))
        return found

    def is_chosen(self, teacher: Teacher) -> bool:
        """Whether a layer is learned from: those on show are, unless the user says otherwise."""
        return self._chosen.get(teacher.key, bool(teacher.layer.visible))

    def choose(self, teacher: Teacher, *, chosen: bool) -> None:
        """Learn from a layer, or do not."""
        self._chosen[teacher.key] = chosen
        self.look_soon()

    def lessons(self) -> list[Lesson]:
        """Return what the chosen layers teach; one that does not fit its image is left out."""
        found: list[Lesson] = []
        with_strokes: set[Any] = set()
        for teacher in self.teachers():
            if not self.is_chosen(teacher):
                continue
            try:
                lesson = self._lesson(teacher, with_strokes)
            except ImageError:
                continue
            found.append(lesson)
        return found

    def look_soon(self, *_: Any) -> None:
        """Have what is marked counted again, once the hand rests."""
        self._pause.start(LEARNING_PAUSE_MS if self.learning else PAUSE_MS)

    def close(self) -> None:
        """Wait for nothing more."""
        self._pause.stop()

    def _lesson(self, teacher: Teacher, with_strokes: set[Any]) -> Lesson:
        layer, image = teacher.layer, teacher.image
        edits = self._hear(teacher.key, layer)
        session = edits.session
        labels = session.labels
        source = image_slices(image, layer, labels, self._channels(image))
        if is_scribbles(layer):
            return Lesson(teacher.key, layer.name, image.name, source, strokes=labels)
        strokes = find_scribbles(self._viewer, image)
        view = None
        fits = strokes is not None and strokes.data.shape == layer.data.shape
        if fits and image not in with_strokes:
            with_strokes.add(image)
            self._hear(str(strokes.unique_id), strokes)
            view = ArraySource(strokes.data, labels.plane, labels.channel_axis, labels.channel)
        by_machine = len(session.ownership.machine) or "slicewise" in layer.metadata
        whole = not by_machine
        return Lesson(teacher.key, layer.name, image.name, source, session, whole, view)

    def _hear(self, key: str, layer: Labels) -> EditLayer:
        """Hear of the changes of a layer, once."""
        edits = edit_layer_of(layer)
        if key not in self._heard:
            lesson = "" if is_scribbles(layer) else key  # strokes may belong to any

            def on_change(indices: Any) -> None:
                self.touched.emit(lesson, indices)
                self.look_soon()

            def on_locks() -> None:
                on_change(None)

            edits.changed.connect(on_change)
            edits.locks_changed.connect(on_locks)
            self._heard[key] = (edits, on_change, on_locks)
        return edits

    def _image_of_strokes(self, layer: Labels) -> Image | None:
        images = (other for other in self._viewer.layers if isinstance(other, Image))
        return next((i for i in images if find_scribbles(self._viewer, i) is layer), None)

    def _on_layers(self, _event: Any = None) -> None:
        present = {
            str(one.unique_id): one for one in self._viewer.layers if isinstance(one, Labels)
        }
        for key in self._heard.keys() - present.keys():
            self._forget(key)
        for key in self._watched.keys() - present.keys():
            self._watched.pop(key).events.visible.disconnect(self._on_visible)
        for key in present.keys() - self._watched.keys():
            self._watched[key] = present[key]
            present[key].events.visible.connect(self._on_visible)
        self._on_visible()

    def _on_visible(self, _event: Any = None) -> None:
        self.layers_changed.emit()
        self.look_soon()

    def _forget(self, key: str) -> None:
        edits, on_change, on_locks = self._heard.pop(key)
        edits.changed.disconnect(on_change)
        edits.locks_changed.disconnect(on_locks)

    def _forget_all(self) -> None:
        for key in tuple(self._heard):
            self._forget(key)
        while self._watched:
            self._watched.popitem()[1].events.visible.disconnect(self._on_visible)


def image_slices(
    image: Image, layer: Labels, labels: ArraySource, chosen: ChannelChoice | None
) -> ArraySource:
    """Return an image as slices with the same indices as its labels.

    Parameters
    ----------
    image
        The image.
    layer, labels
        Its labels, as a layer and as slices.
    chosen
        Which axis holds channels, and which of them is read; None goes by the labels.

    Raises
    ------
    ImageError
        When there is no way to read them so.
    """
    data = full_resolution(image)
    dropped = image.ndim - layer.ndim
    plane = (labels.plane[0] + dropped, labels.plane[1] + dropped)
    size = pixel_um(image, plane)
    if image.rgb:
        return ArraySource(data, plane, channel_axis=image.ndim, rgb=True, pixel_um=size)
    axis = 0 if dropped else labels.channel_axis
    if axis is None:
        return ArraySource(data, plane, pixel_um=size)
    note = layer.metadata.get("slicewise")
    if isinstance(note, dict) and note.get("image") == image.name:
        number = note.get("channel")
    else:
        number = None if chosen is None or chosen.axis != axis else chosen.number
    return ArraySource(data, plane, channel_axis=axis, channel=number, pixel_um=size)
