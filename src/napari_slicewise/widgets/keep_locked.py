"""What a brush painted over something locked is taken back when the stroke ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from napari.layers import Labels
from napari.utils.notifications import show_info
from qtpy.QtCore import QTimer

from napari_slicewise.editing.edits import Edit, Patch
from napari_slicewise.editing.restoring import locked_part
from napari_slicewise.editing.session import EditSession
from napari_slicewise.widgets.undo_history import replace_last_step

__all__ = ["spare_locked"]

WORDS = "What is locked was left as it was."


def spare_locked(layer: Labels, stroke: Edit, session: EditSession) -> Edit:
    """Give locked voxels back what they held; return what is left of a stroke.

    napari's brush knows of no locks. Its step in the history becomes what is left, so that
    Ctrl+Z and Ctrl+Shift+Z do not touch locked voxels either.

    Parameters
    ----------
    layer
        The labels.
    stroke
        The last step of napari's history, of one patch. Polygons and calls from scripts are
        announced before the array holds them.
    session
        What is locked.
    """
    held = locked_part(stroke, session.labels, session.locks)
    if held is None:
        return stroke
    left = _without(stroke, held)
    replace_last_step(layer, left)
    patch = stroke.patches[0]
    if np.array_equal(np.asarray(layer.data[patch.box])[patch.mask], patch.new):
        _give_back(layer, held)
    else:
        QTimer.singleShot(0, lambda: _give_back(layer, held))
    show_info(WORDS)
    return left


def _give_back(layer: Labels, held: Edit) -> None:
    held.apply(layer.data)
    layer.refresh(thumbnail=False, highlight=False, extent=False)


def _without(stroke: Edit, held: Edit) -> Edit:
    patches: list[Patch] = []
    for patch, lost in zip(stroke.patches, held.patches, strict=True):
        free = ~lost.mask[patch.mask]
        if free.any():
            mask = patch.mask & ~lost.mask
            patches.append(Patch(patch.start, mask, patch.old[free], patch.new[free]))
    return replace(stroke, patches=tuple(patches))
