"""Whether a slice of a layer is what the user sees now."""

from __future__ import annotations

from napari.components import ViewerModel
from napari.layers import Labels

from napari_slicewise.io.source import ArraySource, SliceIndex
from napari_slicewise.widgets.layer_source import displayed_plane, shown_index

__all__ = ["is_on_show"]


def is_on_show(viewer: ViewerModel, layer: Labels, labels: ArraySource, index: SliceIndex) -> bool:
    """Whether a slice is on the screen; in 3D, or across rolled axes, each one is.

    Parameters
    ----------
    viewer
        The viewer.
    layer
        The labels layer.
    labels
        Its array as slices.
    index
        The slice.
    """
    dims = viewer.dims
    if layer not in viewer.layers or dims.ndisplay == 3:
        return True
    if displayed_plane(layer, dims, labels.channel_axis) != labels.plane:
        return True
    return shown_index(layer, labels, dims) == index
