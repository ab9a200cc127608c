"""Where a labels layer lies, so that it covers its image exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils.transforms import Affine
from numpy.typing import NDArray

from napari_slicewise.io.source import ArraySource
from napari_slicewise.widgets.layer_source import full_resolution

__all__ = ["Placement"]


@dataclass(frozen=True, eq=False)
class Placement:
    """Shape and place of the labels of an image.

    The axis of an RGB picture's colours is left out. So is a leading axis of channels,
    because napari aligns layers by their trailing axes. Any other axis of channels, and
    a leading one that is rotated or sheared into the others, is kept: one label "pixel"
    long there, as thick as all channels together.

    Parameters
    ----------
    image
        The image.
    source
        Its slices.
    """

    image: Image
    source: ArraySource

    @property
    def channel_axis(self) -> int | None:
        """Position in the image's shape; None for a colour picture."""
        return None if self.image.rgb else self.source.channel_axis

    @property
    def _dropped(self) -> int:
        """Number of leading axes that the labels do not have, 0 or 1."""
        return int(self.channel_axis == 0 and not _couples_first_axis(self.image))

    @property
    def _thick_axis(self) -> int | None:
        return None if self._dropped else self.channel_axis

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the labels."""
        full = [int(n) for n in full_resolution(self.image).shape[: self.image.ndim]]
        if self._thick_axis is not None:
            full[self._thick_axis] = 1
        return tuple(full[self._dropped :])

    def view(self, labels: Any) -> ArraySource:
        """Return the labels array as slices with the image's own indices."""
        rows, columns = self.source.plane
        plane = (rows - self._dropped, columns - self._dropped)
        thick = self._thick_axis
        return ArraySource(labels, plane, channel_axis=thick, channel=None if thick is None else 0)

    def make_layer(self, labels: Any, name: str) -> Labels:
        """Return a labels layer that lies over the image; it is not yet in a viewer.

        It is hidden: napari draws a visible one three times on its way into the viewer,
        which takes seconds where a slice is huge.
        """
        return Labels(labels, name=name, visible=False, **self._where())

    def _where(self) -> dict[str, Any]:
        """Return what tells napari where the labels lie."""
        image, axes = self.image, list(range(self._dropped, self.image.ndim))
        square = np.ix_(axes, axes)
        scale, translate = self._scale_and_translate()
        return {
            "scale": scale[axes],
            "translate": translate[axes],
            "rotate": np.asarray(image.rotate)[square],
            "shear": _shear_matrix(image)[square],
            # The matrix, not the transform: that object would be shared with the image.
            "affine": np.array(image.affine.set_slice(axes).affine_matrix),
            "units": [image.units[axis] for axis in axes],
            "axis_labels": [image.axis_labels[axis] for axis in axes],
        }

    def still_fits(self, labels: Labels) -> bool:
        """Whether a labels layer made earlier lies where the image lies now."""
        if labels.data.shape != self.shape:
            return False
        where = self._where()
        own = Affine(**{key: where[key] for key in ("scale", "translate", "rotate", "shear")})
        matrix = where["affine"] @ own.affine_matrix
        corners = np.vstack([np.zeros(labels.ndim), np.eye(labels.ndim)])
        placed = corners @ matrix[:-1, :-1].T + matrix[:-1, -1]
        return list(labels.units) == where["units"] and np.allclose(_to_world(labels), placed)

    def _scale_and_translate(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Stretch the axis of channels, if it is kept, over all of them."""
        scale, translate = np.array(self.image.scale), np.array(self.image.translate)
        if self._thick_axis is not None:
            length = int(full_resolution(self.image).shape[self._thick_axis])
            to_middle = np.zeros(self.image.ndim)
            to_middle[self._thick_axis] = (length - 1) / 2
            translate = translate + _linear(self.image) @ to_middle
            scale[self._thick_axis] *= length
        return scale, translate


def _linear(layer: Image) -> NDArray[Any]:
    """Matrix from pixels to the layer's own physical axes, without its affine."""
    own = Affine(
        scale=layer.scale, rotate=layer.rotate, shear=_shear_matrix(layer), ndim=layer.ndim
    )
    return np.asarray(own.linear_matrix)


def _shear_matrix(layer: Image) -> NDArray[Any]:
    """Write a layer's shear as a matrix: napari gives the entries above the diagonal."""
    shear = np.asarray(layer.shear, dtype=float)
    if shear.ndim == 2:
        return shear
    matrix = np.eye(layer.ndim)
    matrix[np.triu_indices(layer.ndim, 1)] = shear
    return matrix


def _to_world(layer: Image | Labels) -> NDArray[Any]:
    """Where the origin and the unit steps of a layer's pixels lie in the world."""
    corners = np.vstack([np.zeros(layer.ndim), np.eye(layer.ndim)])
    return np.array([layer.data_to_world(corner) for corner in corners])


def _couples_first_axis(layer: Image) -> bool:
    """Whether moving along the first axis also moves along others, or the reverse."""
    for matrix in (np.asarray(layer.affine.linear_matrix), _linear(layer)):
        if np.any(matrix[0, 1:]) or np.any(matrix[1:, 0]):
            return True
    return False
