"""The rows of the panel that say which layer or channel feeds which input of a model.

They stand in the image's section (``image_chooser.py``), which shows them for models that
take several channels, and hides them for all others and for pictures in colour.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QLabel

from napari_slicewise.errors import ImageError
from napari_slicewise.io.source import ArraySource
from napari_slicewise.widgets.layer_source import (
    MOST_CHANNELS,
    ChannelChoice,
    full_resolution,
    layer_source,
    named_channel_axis,
)
from napari_slicewise.widgets.rows import Choice, Rows

__all__ = ["ChannelRows"]


@dataclass(frozen=True)
class Feed:
    """A layer, or one channel of it."""

    layer: Image
    channel: ChannelChoice

    @property
    def title(self) -> str:
        """What the user reads."""
        number = self.channel.number
        return self.layer.name if number is None else f"{self.layer.name} · channel {number}"


class ChannelRows(Rows):
    """One chooser for each input of a model.

    Parameters
    ----------
    viewer
        Whose images are listed.
    """

    changed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._rows: list[tuple[QLabel, Choice]] = []
        self._inputs = 0
        self._of: tuple[Image | None, int | None, int] = (None, None, 0)
        self.setVisible(False)

    @property
    def active(self) -> bool:
        """Whether the rows decide what the model gets."""
        return self._inputs > 0

    def fit(self, image: Image | None, axis: int | None, inputs: int) -> None:
        """List what can be chosen; what was chosen for this image and model stays.

        Parameters
        ----------
        image
            The image that the labels will belong to.
        axis
            Its axis of channels.
        inputs
            Channels that the model takes.
        """
        feeds = [] if image is None or image.rgb else self._feeds(image, axis)
        self._inputs = inputs if inputs > 1 and len(feeds) > 1 else 0
        self.setVisible(self.active)
        for number in range(len(self._rows), self._inputs):
            self._add_row(number)
        for number, (label, choice) in enumerate(self._rows):
            label.setVisible(number < self._inputs)
            choice.setVisible(number < self._inputs)
        if not self.active or image is None:
            self._of = (None, None, 0)
            return
        usual = self._usual(feeds, inputs)
        fresh, self._of = self._of != (image, axis, inputs), (image, axis, inputs)
        for number, (_, choice) in enumerate(self._rows[: self._inputs]):
            with QSignalBlocker(choice):
                choice.fill([("choose a layer", None), *((feed.title, feed) for feed in feeds)])
                if fresh or choice.currentData() is None:
                    choice.choose(usual[number] if number < len(usual) else None)

    def feed(self, source: ArraySource) -> ArraySource:
        """Return what the model gets, over the slices of the image.

        Parameters
        ----------
        source
            The image's slices.

        Raises
        ------
        ImageError
            When an input has no layer, or one of another shape.
        """
        if not self.active:
            return source
        chosen = [choice.currentData() for _, choice in self._rows[: self._inputs]]
        if chosen[0] is not None and chosen == [chosen[0]] * 3:  # grey for a model of colour
            return replace(source, parts=(self._part(chosen[0], source),))
        parts = []
        for number, feed in enumerate(chosen, start=1):
            if feed is None:
                raise ImageError(
                    f"Input {number} of the model has no layer.",
                    "Choose one below the image; it must have the image's shape.",
                )
            parts.append(self._part(feed, source))
        return replace(source, parts=tuple(parts))

    def _part(self, feed: Feed, source: ArraySource) -> ArraySource:
        part = layer_source(feed.layer, self._viewer.dims, feed.channel)
        if part.stack_shape != source.stack_shape:
            shapes = ["×".join(map(str, s.stack_shape)) for s in (part, source)]
            raise ImageError(
                f"{feed.layer.name!r} has the shape {shapes[0]}, the image {shapes[1]}.",
                "Choose layers of one shape for the model's inputs.",
            )
        return part

    def _feeds(self, image: Image, axis: int | None) -> list[Feed]:
        """List layers and their channels, the image's first, then the topmost."""
        others = [
            layer
            for layer in reversed(self._viewer.layers)
            if isinstance(layer, Image) and layer is not image and not layer.rgb
        ]
        feeds = _feeds_of(image, axis)
        for layer in others:
            feeds += _feeds_of(layer, named_channel_axis(layer))
        return feeds

    def _usual(self, feeds: list[Feed], inputs: int) -> list[Feed]:
        """Return what feeds the inputs where nobody says: channels of one shape, in order."""
        if inputs == 3 and feeds[0].channel.axis is None:  # perhaps a model of colour
            return [feeds[0]] * 3
        shapes = [self._stack_shape(feed) for feed in feeds]
        return [feed for feed, shape in zip(feeds, shapes, strict=True) if shape == shapes[0]]

    def _stack_shape(self, feed: Feed) -> tuple[int, ...] | None:
        try:
            return layer_source(feed.layer, self._viewer.dims, feed.channel).stack_shape
        except ImageError:  # it has no slices
            return None

    def _add_row(self, number: int) -> None:
        choice = Choice(
            f"input_{number}",
            f"Input {number + 1} of the model",
            f"The layer, or channel, that the model gets as its channel {number + 1}.",
        )
        choice.currentIndexChanged.connect(lambda _: self.changed.emit())
        self._rows.append((self.add(f"Input {number + 1}", choice), choice))


def _feeds_of(layer: Image, axis: int | None) -> list[Feed]:
    if axis is None:
        return [Feed(layer, ChannelChoice())]
    count = min(int(full_resolution(layer).shape[axis]), MOST_CHANNELS)
    return [Feed(layer, ChannelChoice(axis, number)) for number in range(count)]
