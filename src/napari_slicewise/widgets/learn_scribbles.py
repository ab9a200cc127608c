"""Strokes to learn from: a labels layer in which 1 is background, 2 and more are objects."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_slicewise.app.learn_lessons import BACKGROUND_STROKE, OBJECT_STROKE
from napari_slicewise.io.label_store import create_labels
from napari_slicewise.io.source import ArraySource
from napari_slicewise.widgets.placement import Placement

__all__ = ["ScribbleButtons", "find_scribbles", "is_scribbles", "make_scribbles"]

_NOTE = "slicewise_scribbles"  # in a layer's metadata: the name of its image
_OWNERS: WeakKeyDictionary[Labels, ref[Image]] = WeakKeyDictionary()  # whatever their names are
_BRUSH = 5  # px
_BACKGROUND_COLOUR, _OBJECT_COLOUR = "#4a90d9", "#f5a623"
_FURTHER_COLOURS = ("#7ed321", "#d0559f", "#9b7be0", "#50c8c8")


def is_scribbles(layer: Any) -> bool:
    """Whether a layer holds strokes to learn from."""
    return isinstance(layer, Labels) and _NOTE in layer.metadata


def find_scribbles(viewer: ViewerModel, image: Image) -> Labels | None:
    """Find the strokes that belong to an image."""
    for layer in reversed(viewer.layers):
        if is_scribbles(layer) and _owned_by(layer, image, viewer):
            _own(layer, image)
            return layer
    return None


def _owned_by(layer: Labels, image: Image, viewer: ViewerModel) -> bool:
    """Whether strokes are those of an image; its name decides once their own image is gone."""
    known = _OWNERS.get(layer)
    owner = None if known is None else known()
    if owner is not None and owner in viewer.layers:
        return owner is image
    return bool(layer.metadata[_NOTE] == image.name)


def _own(layer: Labels, image: Image) -> None:
    """Remember whose strokes they are, under the name that the image has now."""
    _OWNERS[layer] = ref(image)
    layer.metadata[_NOTE] = image.name


def make_scribbles(viewer: ViewerModel, image: Image, source: ArraySource) -> Labels:
    """Return the strokes that belong to an image; an empty layer is added where there is none.

    Raises
    ------
    OutputError
        When there is no room for the layer.
    """
    found = find_scribbles(viewer, image)
    if found is not None:
        return found
    placement = Placement(image, source)
    layer = placement.make_layer(
        create_labels(placement.shape, np.uint8), f"{image.name} scribbles"
    )
    _own(layer, image)
    further = {OBJECT_STROKE + 1 + i: colour for i, colour in enumerate(_FURTHER_COLOURS)}
    layer.colormap = DirectLabelColormap(
        color_dict={
            None: _OBJECT_COLOUR,
            0: "transparent",
            BACKGROUND_STROKE: _BACKGROUND_COLOUR,
            OBJECT_STROKE: _OBJECT_COLOUR,
            **further,
        }
    )
    layer.brush_size = _BRUSH
    layer.visible = True
    viewer.add_layer(layer)
    return layer


class ScribbleButtons(QWidget):
    """Two buttons: paint strokes of an object, or of the background.

    Parameters
    ----------
    viewer
        Whose active layer they follow.
    """

    wanted = Signal(int)  # the value to paint with

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._watched: Labels | None = None
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self._buttons = {
            OBJECT_STROKE: _button("scribble_object", "Object", "Paint strokes inside objects"),
            BACKGROUND_STROKE: _button(
                "scribble_background", "Background", "Paint strokes on the background"
            ),
        }
        for value, button in self._buttons.items():
            button.clicked.connect(lambda _checked=False, value=value: self.wanted.emit(value))
            layout.addWidget(button, 1)
        self.setToolTip(self._buttons[OBJECT_STROKE].toolTip())

    def allow(self, *, possible: bool) -> None:
        """Grey the buttons out where there is no image to paint on."""
        for button in self._buttons.values():
            button.setEnabled(possible)

    def begin(self, layer: Labels, value: int) -> None:
        """Take a layer into the brush."""
        self._viewer.layers.selection.active = layer
        layer.selected_label = value
        layer.mode = "paint"
        self.follow()

    def follow(self, *_: Any) -> None:
        """Press the button whose stroke would be painted now."""
        layer = self._viewer.layers.selection.active
        self._watch(layer if is_scribbles(layer) else None)
        painting = self._watched is not None and str(layer.mode) == "paint"
        for value, button in self._buttons.items():
            pressed = painting and (
                layer.selected_label == value
                or (value == OBJECT_STROKE and layer.selected_label > value)
            )
            with QSignalBlocker(button):
                button.setChecked(bool(pressed))

    def close_down(self) -> None:
        """Hear of no layer any more."""
        self._watch(None)

    def _watch(self, layer: Labels | None) -> None:
        if layer is self._watched:
            return
        for old, act in ((self._watched, "disconnect"), (layer, "connect")):
            if old is not None:
                getattr(old.events.mode, act)(self.follow)
                getattr(old.events.selected_label, act)(self.follow)
        self._watched = layer


def _button(name: str, title: str, what: str) -> QPushButton:
    button = QPushButton(title)
    button.setObjectName(name)
    button.setAccessibleName(f"{title} stroke")
    button.setCheckable(True)
    button.setToolTip(
        f"{what}, in a layer of their own.\n"
        "Pixels without a stroke are not learned from. A few short strokes on each kind\n"
        "of place are enough."
    )
    return button
