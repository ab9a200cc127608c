"""From an Image layer and the viewer's sliders to slices that can be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.components import Dims
from napari.layers import Image, Layer
from numpy.typing import NDArray

from napari_slicewise.errors import ImageError
from napari_slicewise.io.source import ArraySource, SliceIndex
from napari_slicewise.widgets.stack_facts import pixel_um

__all__ = [
    "ChannelChoice",
    "channel_axes",
    "data_position",
    "displayed_plane",
    "full_resolution",
    "layer_source",
    "named_channel_axis",
    "pixels_to_world",
    "shown_index",
    "world_to_pixels",
]

CHANNEL_NAMES = frozenset({"c", "ch", "channel", "channels"})
MOST_CHANNELS = 16  # a longer axis without a name is no axis of channels


@dataclass(frozen=True)
class ChannelChoice:
    """Which axis of a layer holds channels, and which of them is wanted.

    Parameters
    ----------
    axis
        Position in the layer's shape; None where every slice is one channel.
    number
        The one channel to read; None reads all.
    """

    axis: int | None = None
    number: int | None = None


def full_resolution(layer: Layer) -> Any:
    """Return a layer's array; of a pyramid, its finest level."""
    return layer.data[0] if layer.multiscale else layer.data


def named_channel_axis(layer: Layer) -> int | None:
    """Find the axis that the layer itself calls a channel axis."""
    if getattr(layer, "rgb", False):
        return None
    for axis, label in enumerate(layer.axis_labels):
        if label.casefold() in CHANNEL_NAMES and layer.ndim > 2:
            return axis
    return None


def channel_axes(layer: Layer) -> tuple[int, ...]:
    """List the axes that a user may want to call channels; none of a colour picture."""
    if getattr(layer, "rgb", False) or layer.ndim < 3:
        return ()
    named = named_channel_axis(layer)
    if named is not None:
        return (named,)
    shape = full_resolution(layer).shape
    return tuple(axis for axis in range(layer.ndim) if 1 < shape[axis] <= MOST_CHANNELS)


def layer_source(layer: Image, dims: Dims, channels: ChannelChoice) -> ArraySource:
    """Describe a layer as slices over the plane on show.

    The plane is the last two axes, or the displayed ones where the user has rolled
    them, in the array's order: transposing the view changes nothing in the result.

    Parameters
    ----------
    layer
        An image in the viewer.
    dims
        The viewer's sliders.
    channels
        Of :func:`channel_axes`; left out of account for a colour picture.

    Raises
    ------
    ImageError
        When the layer has no slices to give.
    """
    data = full_resolution(layer)
    if layer.rgb:
        plane = _plane(layer, dims, None)
        size = pixel_um(layer, plane)
        return ArraySource(data, plane, channel_axis=layer.ndim, rgb=True, pixel_um=size)
    plane = _plane(layer, dims, channels.axis)
    size = pixel_um(layer, plane)
    return ArraySource(data, plane, channels.axis, channels.number, pixel_um=size)


def shown_index(layer: Layer, source: ArraySource, dims: Dims) -> SliceIndex:
    """Return the index of the slice that the sliders stand on."""
    position = data_position(layer, dims, source.plane)
    return tuple(position[axis] for axis in source.leading_axes)


def data_position(layer: Layer, dims: Dims, plane: tuple[int, int]) -> tuple[int, ...]:
    """Return where the sliders stand, in a layer's own pixels; 0 on the axes of the plane.

    Positions outside the layer are moved to its border.
    """
    point = np.array(dims.point[-layer.ndim :], dtype=float)
    point[list(plane)] = 0.0
    shape = full_resolution(layer).shape[: layer.ndim]
    position = np.round(world_to_pixels(layer, dims, point))
    clipped = np.clip(position, 0, np.array(shape) - 1).astype(int)
    return tuple(0 if axis in plane else int(clipped[axis]) for axis in range(layer.ndim))


def world_to_pixels(layer: Layer, dims: Dims, point: Sequence[float]) -> NDArray[np.float64]:
    """Return a point of the viewer's world in a layer's own pixels.

    Sliders and mouse count in world units, which are those of the finest layer: napari
    converts them to the layer's own units before it slices, ``Layer.world_to_data``
    does not. Layers share the trailing axes.
    """
    own_point = np.array(point[-layer.ndim :], dtype=float) * _own_units(layer, dims)
    return np.asarray(layer.world_to_data(own_point), dtype=float)


def pixels_to_world(layer: Layer, dims: Dims, position: Sequence[float]) -> NDArray[np.float64]:
    """Return where a layer's pixel lies in the viewer's world, on the axes that the layer has."""
    world = np.asarray(layer.data_to_world(np.asarray(position, dtype=float)), dtype=float)
    return world / _own_units(layer, dims)


def _own_units(layer: Layer, dims: Dims) -> NDArray[np.float64]:
    """Return for each axis of a layer how many of its units a unit of the world is."""
    world_units = getattr(dims, "units", None)  # since napari 0.9
    if world_units is None or len(world_units) < layer.ndim:
        return np.ones(layer.ndim)
    pairs = zip(world_units[-layer.ndim :], layer.units, strict=True)
    return np.array([(1 * world).to(own).magnitude for world, own in pairs])


def displayed_plane(layer: Layer, dims: Dims, channel_axis: int | None) -> tuple[int, int] | None:
    """Return a layer's last two axes on show, in the array's order; None if there are not two."""
    order = [axis - (dims.ndim - layer.ndim) for axis in dims.order]
    shown = [axis for axis in order if axis >= 0 and axis != channel_axis][-2:]
    return (min(shown), max(shown)) if len(shown) == 2 else None


def _plane(layer: Image, dims: Dims, channel_axis: int | None) -> tuple[int, int]:
    plane = displayed_plane(layer, dims, channel_axis)
    if plane is None:
        raise ImageError(
            f"The image {layer.name!r} has too few axes for slices.",
            "Choose an image with rows and columns, or no axis of channels.",
        )
    return plane
