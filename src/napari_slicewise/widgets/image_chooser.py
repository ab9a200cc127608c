"""The rows of the panel that say which image is segmented, and which of its channels."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtCore import QSignalBlocker, Signal

from napari_slicewise.errors import ImageError, SlicewiseError
from napari_slicewise.inference.pixel_size import find_rescaling
from napari_slicewise.io.source import ArraySource
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.widgets.channel_rows import ChannelRows
from napari_slicewise.widgets.layer_source import (
    ChannelChoice,
    channel_axes,
    data_position,
    full_resolution,
    layer_source,
    named_channel_axis,
)
from napari_slicewise.widgets.rescale_box import RescaleBox
from napari_slicewise.widgets.rows import Choice, Line, Rows, side_by_side

__all__ = ["ImageChooser", "describe_image"]

_DTYPE_WORDS = {"u": "bit", "i": "bit signed", "f": "bit float"}


class ImageChooser(Rows):
    """Chooser of an image layer; follows the viewer's layers.

    Parameters
    ----------
    viewer
        Whose images are listed.
    """

    changed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._combo = Choice(
            "image_layer", "Image", "The image that is segmented.\nAdd images with File > Open."
        )
        self._facts = Line("image_facts", "Size and type of the image.")
        self._pixel = Line("image_pixel", "Size of a pixel or voxel; what the file tells of it.")
        self._axis = Choice(
            "channel_axis",
            "Channel axis",
            "Which axis of the image holds channels.\n"
            "Stacks and time series have none: every slice is segmented by itself.",
        )
        self._number = Choice("channel", "Channel", "Which channel is segmented, counted from 0.")
        self.add("Image", self._combo)
        for line in (self._facts, self._pixel):
            line.dim()
            self.add_below(line)
        for narrow in (self._axis, self._number):  # they share a row
            narrow.setMinimumWidth(64)
        self._channel_fields = side_by_side(self._axis, self._number)
        self._rescale = RescaleBox()
        self.add_below(self._rescale)
        self._channel_label = self.add("Channels", self._channel_fields)
        self._feeds = ChannelRows(viewer)
        self.add_across(self._feeds)
        self._spec: ModelSpec | None = None
        self._watched: Image | None = None
        self._combo.currentIndexChanged.connect(self._on_image)
        self._axis.currentIndexChanged.connect(self._on_axis)
        self._number.currentIndexChanged.connect(self._on_number)
        self._rescale.toggled.connect(self._on_number)
        self._feeds.changed.connect(self._on_number)
        self._fill_axes()
        self.follow_layers()

    @property
    def image(self) -> Image | None:
        """The chosen layer; None where there is none."""
        layer = self._combo.currentData()
        return layer if layer in self._viewer.layers else None

    @property
    def channels(self) -> ChannelChoice:
        """The chosen channels."""
        return ChannelChoice(self._axis.currentData(), self._number.currentData())

    @property
    def rescale(self) -> bool:
        """Whether slices may be brought to the model's pixel size."""
        return self._rescale.isChecked()

    def source(self) -> ArraySource:
        """Return what the model gets: slices of the image, perhaps with other layers' channels.

        Raises
        ------
        SlicewiseError
            When there is no image, or it cannot be fed to the model.
        """
        image = self.image
        if image is None:
            raise ImageError("Open an image to begin.", "File > Open, or File > Open Sample.")
        source = self._feeds.feed(layer_source(image, self._viewer.dims, self.channels))
        if self._spec is not None and self.rescale:
            find_rescaling(self._spec, source.slice_shape, source.pixel_um)
        return source

    def follow_model(self, spec: ModelSpec | None) -> None:
        """Offer what the model leaves to choose; None while it is not known."""
        self._spec = spec
        self._fit_to_model()

    def follow_layers(self) -> None:
        """List the images that the viewer has now, the topmost first."""
        images = [layer for layer in reversed(self._viewer.layers) if isinstance(layer, Image)]
        self._combo.fill([(image.name, image) for image in images])
        self._show_facts()
        self._fit_to_model()

    def choose(self, image: Image) -> None:
        """Choose an image of the viewer."""
        self._combo.choose(image)

    def watch(self, image: Image | None) -> None:
        """Hear when this image gets other data or axes, and no other's."""
        for emitters, act in (
            (_emitters(self._watched), "disconnect"),
            (_emitters(image), "connect"),
        ):
            for emitter in emitters:
                getattr(emitter, act)(self._on_other_data)
        self._watched = image

    def _on_image(self) -> None:
        self.watch(self.image)
        with QSignalBlocker(self._axis), QSignalBlocker(self._number):
            self._axis.clear()
            self._number.clear()
        self._on_other_data()

    def _on_other_data(self, _event: Any = None) -> None:
        """Show what the image is now; choices that still exist stay."""
        self._show_facts()
        self._fill_axes()
        self._fit_to_model()
        self.changed.emit()

    def _on_axis(self) -> None:
        with QSignalBlocker(self._number):
            self._number.clear()
        self._fill_numbers()
        self._fit_to_model()
        self.changed.emit()

    def _on_number(self) -> None:
        self.changed.emit()

    def _fit_to_model(self) -> None:
        """Show the choices that image and model leave together."""
        image, axis = self.image, self._axis.currentData()
        spec = self._spec
        self._feeds.fit(image, axis, 1 if spec is None else spec.in_channels)
        self._number.setVisible(axis is not None and not self._feeds.active)
        try:
            dims = self._viewer.dims
            source = None if image is None else layer_source(image, dims, self.channels)
        except SlicewiseError:
            source = None
        self._rescale.fit(spec, source)

    def _show_facts(self) -> None:
        image = self.image
        self._facts.say("" if image is None else describe_image(image))
        self._pixel.say("" if image is None else describe_pixel(image))
        name = "" if image is None else f"\nNow: {image.name}"
        self._combo.explain(
            f"The image that is segmented; follows the layer that you select.{name}"
        )

    def _fill_axes(self) -> None:
        image = self.image
        axes = () if image is None else channel_axes(image)
        items = [("none", None)]
        if image is not None:
            shape = full_resolution(image).shape
            items += [(f"{_axis_name(image, axis)} ({shape[axis]})", axis) for axis in axes]
        with QSignalBlocker(self._axis):
            fresh = not self._axis.count()
            self._axis.fill(items)
            if fresh and image is not None and (named := named_channel_axis(image)) is not None:
                self._axis.choose(named)
        self._channel_fields.setVisible(bool(axes))
        self._channel_label.setVisible(bool(axes))
        self._fill_numbers()

    def _fill_numbers(self) -> None:
        image, axis = self.image, self._axis.currentData()
        with QSignalBlocker(self._number):
            fresh = not self._number.count()
            if image is None or axis is None:
                self._number.clear()
                return
            count = full_resolution(image).shape[axis]
            self._number.fill([*((str(i), i) for i in range(count)), ("all", None)])
            if fresh:
                self._number.setCurrentIndex(self._channel_on_show(image, axis))

    def _channel_on_show(self, image: Image, axis: int) -> int:
        others = [other for other in range(image.ndim) if other != axis]
        return data_position(image, self._viewer.dims, (others[-2], others[-1]))[axis]


def describe_image(image: Image) -> str:
    """Say an image's size and type in words, without reading it."""
    data = full_resolution(image)
    dtype = np.dtype(data.dtype)
    shape = "×".join(str(int(n)) for n in data.shape[: image.ndim])
    words = _DTYPE_WORDS.get(dtype.kind)
    kind = dtype.name if words is None else f"{8 * dtype.itemsize} {words}"
    return f"{shape} · {f'RGB, {kind}' if image.rgb else kind}"


def describe_pixel(image: Image) -> str:
    """Say the size of a pixel or voxel; neighbouring axes of one unit name it once."""
    if {str(unit) for unit in image.units} == {"pixel"}:
        return "pixel size not known"
    axes = [(f"{size:.3g}", unit) for size, unit in zip(image.scale, image.units, strict=True)]
    groups = groupby((axis for axis in axes if str(axis[1]) != "pixel"), key=itemgetter(1))
    return " · ".join(f"{'×'.join(size for size, _ in group)} {unit:~P}" for unit, group in groups)


def _emitters(image: Image | None) -> list[Any]:
    """List what tells that an image has changed in a way that the panel shows."""
    if image is None:
        return []
    return [getattr(image.events, what) for what in ("data", "axis_labels", "units", "scale")]


def _axis_name(image: Image, axis: int) -> str:
    """Name an axis as its label does, or by its position where it has none."""
    label = image.axis_labels[axis]
    return f"axis {axis}" if label.lstrip("-").isdigit() else label
