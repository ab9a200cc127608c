"""The tools in napari's own menu, Layers > Annotate: found by those who do not know the panel."""

from __future__ import annotations

from napari.viewer import Viewer

from napari_slicewise.widgets.panel import SegmentPanel

__all__ = ["delete", "fill", "interpolate", "lock", "merge", "restore", "review", "split"]


def merge(viewer: Viewer) -> None:
    """Choose the tool that makes one object of several."""
    _choose(viewer, "merge")


def split(viewer: Viewer) -> None:
    """Choose the tool that cuts objects along a line."""
    _choose(viewer, "split")


def delete(viewer: Viewer) -> None:
    """Choose the tool that deletes objects."""
    _choose(viewer, "delete")


def fill(viewer: Viewer) -> None:
    """Choose the tool that fills holes."""
    _choose(viewer, "fill")


def interpolate(viewer: Viewer) -> None:
    """Choose the tool that draws an object between two slices."""
    _choose(viewer, "interpolate")


def lock(viewer: Viewer) -> None:
    """Choose the tool that locks objects."""
    _choose(viewer, "lock")


def restore(viewer: Viewer) -> None:
    """Choose the tool that brings the machine's version back."""
    _choose(viewer, "restore")


def review(viewer: Viewer) -> None:
    """Go to what is most likely wrong."""
    panel = _panel(viewer)
    if panel.correct is not None:
        panel.correct.review()


def _choose(viewer: Viewer, name: str) -> None:
    panel = _panel(viewer)
    corrector = None if panel.correct is None else panel.correct.corrector
    if corrector is not None and (corrector.tool is None or corrector.tool.name != name):
        corrector.press_button(name)


def _panel(viewer: Viewer) -> SegmentPanel:
    """Open the panel, or find it, with its Correct tab in front."""
    panel: SegmentPanel
    _, panel = viewer.window.add_plugin_dock_widget("napari-slicewise", "Segment")
    panel.show_tab("Correct")
    return panel
