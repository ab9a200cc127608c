"""Which image a labels layer belongs to, and where a restored layer lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from numpy.typing import NDArray

from napari_slicewise.editing.identity import ImageIdentity
from napari_slicewise.errors import ImageError
from napari_slicewise.io.plain_values import plain
from napari_slicewise.io.source import ArraySource, SliceIndex
from napari_slicewise.widgets.edit_layer import known_edits
from napari_slicewise.widgets.layer_source import full_resolution
from napari_slicewise.widgets.placement import Placement
from napari_slicewise.widgets.stack_facts import pixel_um

__all__ = ["details_of", "identify", "image_of", "labels_layer", "layer_path", "source_of"]


def layer_path(layer: Layer) -> str:
    """Return the file of a layer; empty where there is none."""
    return "" if layer.source.path is None else str(layer.source.path)


def identify(layer: Layer) -> Callable[[], ImageIdentity]:
    """Return what looks at a layer's pixels, to be called on another thread.

    What it says does not depend on the channel or the plane that the panel shows. The slices
    of a labels layer are taken at once: it is edited while the other thread looks.
    """
    data = full_resolution(layer)
    path = layer_path(layer) or None
    if isinstance(layer, Labels) and isinstance(data, np.ndarray):
        taken = _Taken.of(ArraySource(data))
        return lambda: ImageIdentity.of(taken, path)
    rgb = bool(getattr(layer, "rgb", False))
    source = ArraySource(
        data, (layer.ndim - 2, layer.ndim - 1), channel_axis=layer.ndim if rgb else None, rgb=rgb
    )
    return lambda: ImageIdentity.of(source, path)


def image_of(layer: Labels, viewer: ViewerModel) -> Image | None:
    """Find the image that labels belong to: the one they were made from, or one that fits."""
    fitting = [
        other
        for other in reversed(viewer.layers)
        if isinstance(other, Image) and _fits(tuple(layer.data.shape), other)
    ]
    edits = known_edits(layer)
    origin = None if edits is None or edits.made_from is None else edits.made_from[0]
    if any(image is origin for image in fitting):  # it may have another name by now
        return origin
    note = layer.metadata.get("slicewise")
    name = note.get("image") if isinstance(note, dict) else None
    return next((image for image in fitting if image.name == name), next(iter(fitting), None))


def details_of(layer: Labels, image: Layer | None, source: ArraySource | None) -> dict[str, Any]:
    """Return what it takes to make a layer like this one again, for JSON."""
    details: dict[str, Any] = {
        "name": layer.name,
        "image_name": "" if image is None else image.name,
        "placement": {
            "scale": [float(n) for n in layer.scale],
            "translate": [float(n) for n in layer.translate],
            "rotate": np.asarray(layer.rotate, float).tolist(),
            "shear": np.asarray(layer.shear, float).tolist(),
            "affine": np.asarray(layer.affine.affine_matrix, float).tolist(),
            "units": [str(unit) for unit in layer.units],
            "axis_labels": [str(label) for label in layer.axis_labels],
        },
    }
    if source is not None:
        details["source"] = {
            "plane": list(source.plane),
            "channel_axis": source.channel_axis,
            "channel": source.channel,
        }
    if isinstance(layer.metadata.get("slicewise"), dict):
        details["made"] = plain(layer.metadata["slicewise"])
    return details


def labels_layer(
    labels: Any, details: Mapping[str, Any], states: Mapping[str, Any], image: Layer | None
) -> Labels:
    """Return a labels layer that lies where its image lies now, or else where it lay.

    Parameters
    ----------
    labels
        The array.
    details, states
        What was noted with it.
    image
        The image on show.
    """
    name = str(states.get("name", details.get("name", "labels")))
    layer = _over_image(labels, details, image, name)
    if layer is None:
        place = details.get("placement")
        layer = Labels(labels, name=name, **(place if isinstance(place, dict) else {}))
    layer.visible = True
    made = states.get("made", details.get("made"))
    if isinstance(made, dict):
        layer.metadata["slicewise"] = made
    return layer


def source_of(image: Layer | None, details: Mapping[str, Any]) -> ArraySource | None:
    """Return an image's slices as a run read them, as far as that was noted and fits."""
    noted = details.get("source", details.get("made"))
    if not isinstance(image, Image) or not isinstance(noted, dict):
        return None
    try:
        plane = (int(noted["plane"][0]), int(noted["plane"][1]))
        return ArraySource(
            full_resolution(image),
            plane,
            channel_axis=noted["channel_axis"],
            channel=noted["channel"],
            rgb=bool(image.rgb),
            pixel_um=pixel_um(image, plane),
        )
    except (ImageError, KeyError, IndexError, TypeError, ValueError):
        return None


def _over_image(
    labels: Any, details: Mapping[str, Any], image: Layer | None, name: str
) -> Labels | None:
    source = source_of(image, details)
    if source is None or not isinstance(image, Image):
        return None
    placement = Placement(image, source)
    return placement.make_layer(labels, name) if placement.shape == labels.shape else None


def _fits(shape: tuple[int, ...], image: Image) -> bool:
    """Whether labels of a shape can lie over an image: the same but for an axis of channels."""
    full = tuple(int(n) for n in full_resolution(image).shape[: image.ndim])
    if shape in (full, full[1:]):
        return True
    return len(shape) == len(full) and all(a in (b, 1) for a, b in zip(shape, full, strict=True))


@dataclass(frozen=True)
class _Taken:
    """Copies of the slices by which an image is known."""

    leading_shape: tuple[int, ...]
    slice_shape: tuple[int, int]
    dtype: np.dtype[Any]
    channels: int
    slices: Mapping[SliceIndex, NDArray[Any]]
    rgb: bool = False

    @classmethod
    def of(cls, source: ArraySource) -> _Taken:
        leading = source.leading_shape
        places = {tuple(0 for _ in leading), tuple(n // 2 for n in leading)}
        places.add(tuple(n - 1 for n in leading))
        slices = {index: np.array(source.read_slice(index)) for index in places}
        return cls(leading, source.slice_shape, source.dtype, source.channels, slices)

    def read_slice(self, index: SliceIndex) -> NDArray[Any]:
        return self.slices[index]
