"""The labels layer that the tools act on, as slices in the plane on show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels

from napari_slicewise.app.correct import Aim, Where
from napari_slicewise.editing.edits import Edit
from napari_slicewise.editing.errors import EditError
from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.pulse import Pulse
from napari_slicewise.editing.workpiece import Workpiece
from napari_slicewise.io.source import ArraySource, SliceIndex
from napari_slicewise.widgets.edit_layer import EditLayer, edit_layer_of
from napari_slicewise.widgets.layer_source import (
    displayed_plane,
    pixels_to_world,
    shown_index,
    world_to_pixels,
)
from napari_slicewise.widgets.tool_mouse import number_at

__all__ = ["Target", "go_to"]


class Target:
    """One labels layer in one viewer: what is on show of it, and where its objects are.

    Parameters
    ----------
    layer
        A layer that can be corrected.
    viewer
        Where it is.
    """

    def __init__(self, layer: Labels, viewer: ViewerModel) -> None:
        self.layer = layer
        self.edits: EditLayer = edit_layer_of(layer)
        self.edits.corrected = True
        self._viewer = viewer
        self._work: Workpiece | None = None

    @property
    def labels(self) -> ArraySource:
        """The labels in the plane on show; the session's own slices where that is theirs."""
        own = self.edits.session.labels
        plane = displayed_plane(self.layer, self._viewer.dims, own.channel_axis)
        if plane is None or set(plane) == set(own.plane):
            return own
        return replace(own, plane=plane)

    @property
    def rolled(self) -> bool:
        """Whether the plane on show is another one than the session's slices have."""
        return self.labels is not self.edits.session.labels

    @property
    def index(self) -> SliceIndex:
        """The slice on show."""
        return shown_index(self.layer, self.labels, self._viewer.dims)

    @property
    def flat(self) -> bool:
        """Whether there is one slice only."""
        return not any(size > 1 for size in self.labels.leading_shape)

    @property
    def volume_on_show(self) -> bool:
        """Whether the view is one of a volume, where a click has no slice."""
        return bool(self._viewer.dims.ndisplay == 3)

    def work(self) -> Workpiece:
        """Return what tools work on; it remembers where objects are until they change."""
        labels, session = self.labels, self.edits.session
        known = self._work
        if known is None or known.labels != labels or known.labels.data is not labels.data:
            known = self._work = Workpiece(labels)
        known.locks = session.locks if not self.rolled else Locks(session.locks.objects)
        known.taken = session.next_free - 1
        return known

    def forget(self, slices: set[SliceIndex] | None) -> None:
        """Look at some slices again before the next tool; None for all."""
        if self._work is not None:
            self._work.objects.forget(None if self.rolled else slices)

    def begin_anew(self) -> None:
        """Remember nothing of where objects are."""
        self._work = None

    def require_unlocked(self, edit: Edit) -> None:
        """Refuse an edit in a rolled plane that reaches into locked slices.

        Raises
        ------
        EditError
            When it does.
        """
        locks = self.edits.session.locks
        if self.rolled and (locks.slices or locks.done):
            touched = edit.slices(self.edits.session.labels)
            if any(locks.holds_slice(index) for index in touched):
                raise EditError("This would change slices that are locked.", "Unlock them first.")

    def point(self, position: tuple[int, ...]) -> tuple[int, int]:
        """Return row and column of a voxel on its slice."""
        rows, columns = self.labels.plane
        return position[rows], position[columns]

    def seed(self, position: tuple[int, ...]) -> tuple[SliceIndex, tuple[int, int]]:
        """Return the slice of a voxel, and row and column there."""
        return tuple(position[axis] for axis in self.labels.leading_axes), self.point(position)

    def numbers_along(self, path: list[tuple[int, ...]]) -> tuple[int, ...]:
        """Return the objects under a drawn line, in its order."""
        found: list[int] = []
        for start, end in pairwise(path):
            length = max(abs(b - a) for a, b in zip(start, end, strict=True)) + 1
            for point in np.linspace(start, end, length):
                number = number_at(self.layer, tuple(int(n) for n in np.floor(point + 0.5)))
                if number and number not in found:
                    found.append(number)
        return tuple(found)

    def under_cursor(self) -> tuple[tuple[int, ...] | None, int]:
        """Return the voxel under the mouse and its label; None where it is not on the canvas."""
        viewer = self._viewer
        if self.volume_on_show or not viewer.mouse_over_canvas:
            return None, 0
        point = world_to_pixels(self.layer, viewer.dims, viewer.cursor.position)
        position = tuple(int(n) for n in np.floor(point + 0.5))
        return position, number_at(self.layer, position)

    def aim(self, where: Where, pixels: int, **what: Any) -> Aim:
        """Return what the user points at, with the rest of what a tool needs."""
        if self.volume_on_show and where == "slice":
            where = "stack"
        return Aim(self.index, where=where, pixels=pixels, steps=self._steps(), **what)

    def _steps(self) -> tuple[float, float, float]:
        labels, layer = self.labels, self.layer
        axes = [*labels.leading_axes[-1:], *labels.plane]
        if len(axes) < 3 or len({str(layer.units[axis]) for axis in axes}) > 1:
            return 1.0, 1.0, 1.0
        z, y, x = (float(abs(layer.scale[axis])) for axis in axes)
        return z, y, x

    def restore(self, aim: Aim, position: tuple[int, ...] | None, pulse: Pulse) -> Edit:
        """Return the edit that brings the machine's version back where the user points.

        Raises
        ------
        EditError
            When nothing was changed there.
        """
        session, number = self.edits.session, aim.number
        own, labels = session.ownership, session.labels
        if not number and position is not None:  # an object that was erased, or left out
            at = tuple(position[axis] for axis in labels.leading_axes)
            row, column = (position[axis] for axis in labels.plane)
            if all(0 <= p < n for p, n in zip(position, labels.data.shape, strict=True)):
                number = int(own.machine.get(at)[row, column])
                left_out = own.left_out.at(at, row, column)
                if not number and left_out:
                    return own.left_out.brought_back(labels, session.locks, [left_out])
        if not number:
            raise EditError("The machine drew nothing there.", "Click on what was changed by hand.")
        slices = None if self.rolled else aim.slices(self.work())
        places = list(labels.indices()) if slices is None else slices
        return session.restore(pulse.over(places), number=number)


def go_to(viewer: ViewerModel, layer: Labels, position: Sequence[float]) -> None:
    """Move sliders and camera to a voxel of a layer."""
    dims = viewer.dims
    world = pixels_to_world(layer, dims, position)
    point = list(dims.point)
    offset = dims.ndim - layer.ndim
    for axis in range(layer.ndim):
        if axis + offset not in dims.displayed:
            point[axis + offset] = world[axis]
    dims.point = tuple(point)
    shown = [axis - offset for axis in dims.displayed if axis >= offset]
    camera = viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera
    centre = list(camera.center)
    centre[-len(shown) :] = [world[axis] for axis in shown]
    camera.center = tuple(centre)
