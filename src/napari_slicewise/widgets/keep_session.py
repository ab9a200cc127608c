"""Saving a session as a folder, and opening it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from weakref import WeakSet

from napari import current_viewer
from napari.layers import Labels, Layer
from napari.utils.notifications import show_warning
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_slicewise.app.keeping_offers import Restored
from napari_slicewise.editing.identity import ImageIdentity
from napari_slicewise.editing.journal_replay import JournalInfo
from napari_slicewise.editing.session_folder import (
    SavedSession,
    read_session,
    reopen,
    save_session,
)
from napari_slicewise.errors import SlicewiseError
from napari_slicewise.io.layer_writer import layer_axes
from napari_slicewise.io.plain_values import plain
from napari_slicewise.widgets.edit_layer import edit_layer_of
from napari_slicewise.widgets.keep_layers import Keeping
from napari_slicewise.widgets.keep_offers import add_session
from napari_slicewise.widgets.keep_places import details_of, identify, image_of
from napari_slicewise.widgets.reading import PLUGIN

__all__ = [
    "ask_and_open",
    "ask_and_save",
    "open_from_menu",
    "open_session",
    "save_from_menu",
    "save_layer_session",
]

SUFFIX = ".slicewise"

_HEARD: WeakSet[Keeping] = WeakSet()


def save_from_menu() -> None:
    """Ask for a name, and save the selected layer's session, for napari's menu."""
    keeping, window = _of_window()
    if keeping is not None:
        ask_and_save(keeping, window)


def open_from_menu() -> None:
    """Ask for a session's folder, and open it, for napari's menu."""
    keeping, window = _of_window()
    if keeping is not None:
        ask_and_open(keeping, window)


def _of_window() -> tuple[Keeping | None, Any]:
    viewer = current_viewer()
    window = getattr(getattr(viewer, "window", None), "_qt_window", None)
    if viewer is None or window is None:
        return None, None
    keeping = Keeping.of(getattr(viewer, "__wrapped__", viewer), window)
    if keeping not in _HEARD:  # there may be no panel that would say what goes wrong
        _HEARD.add(keeping)
        keeping.troubled.connect(lambda words: show_warning(words))
    return keeping, window


def ask_and_save(keeping: Keeping, parent: QWidget) -> None:
    """Ask for a name, and save the selected layer's session."""
    viewer = keeping.viewer
    layer = None if viewer is None else viewer.layers.selection.active
    if not isinstance(layer, Labels):
        keeping.troubled.emit("Select the labels layer whose session is to be saved.")
        return
    start = f"{layer.name.replace('/', '-')}{SUFFIX}"
    chosen, _ = QFileDialog.getSaveFileName(parent, "Save session", start, f"Session (*{SUFFIX})")
    if chosen:
        path = Path(chosen)
        named = path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)
        save_layer_session(keeping, layer, named)


def ask_and_open(keeping: Keeping, parent: QWidget) -> None:
    """Ask for a session's folder, and open it."""
    chosen = QFileDialog.getExistingDirectory(parent, "Open session")
    if chosen:
        open_session(keeping, Path(chosen))


def save_layer_session(keeping: Keeping, layer: Labels, path: Path) -> None:
    """Write a layer's session to a folder, away from the window.

    Parameters
    ----------
    keeping
        Of the viewer.
    layer
        The labels.
    path
        The folder.
    """
    keeping.keep(layer)
    keeping.look()
    edits = edit_layer_of(layer)
    image, source = edits.made_from or (image_of(layer, keeping.viewer), None)
    known = keeping.identities.get((image or layer).unique_id)
    look = identify(image or layer)
    details = details_of(layer, image, source)
    made = details.get("made") or {}
    parameters = made.get("parameters") or {}
    states = {
        "details": details,
        "review": edits.review.plain(),
        "asked": edits.asked,
        "confidence": edits.session.ownership.confidence.plain(),
    }
    meta = {"scale": layer.scale, "units": layer.units, "axis_labels": layer.axis_labels}
    axes = layer_axes(meta, layer.data.shape)
    found = keeping.kept(layer)
    told = found[1].told if found else 0

    def work() -> SavedSession:
        return save_session(
            path,
            edits.session,
            known or look(),
            axes=axes,
            model=str(parameters.get("model", "")),
            parameters=plain(parameters),
            states=states,
        )

    def then(saved: SavedSession) -> None:
        if found is not None:
            found[1].saved_elsewhere(saved.folder, told)
        keeping.said.emit(f"Session saved to {saved.folder.name}.")

    keeping.said.emit(f"Saving {path.name}…")
    keeping.run(work, then)


def open_session(keeping: Keeping, path: Path) -> None:
    """Open a session's folder: its image, if it is not on show, and a layer with its labels.

    Parameters
    ----------
    keeping
        Of the viewer.
    path
        The folder.
    """
    keeping.said.emit(f"Opening {path.name}…")
    keeping.run(lambda: read_session(path), lambda saved: _find_image(keeping, saved))


def _find_image(keeping: Keeping, saved: SavedSession) -> None:
    viewer = keeping.viewer
    if viewer is None:
        return
    candidates = [layer for layer in viewer.layers if not isinstance(layer, Labels)]
    if saved.image.path and not any(_path(c) == saved.image.path for c in candidates):
        candidates += _opened(keeping, viewer, saved.image.path)
    looks = [(layer, _look(layer)) for layer in candidates]

    def work() -> tuple[Any, Layer | None]:
        image = next((i for i, look in looks if look and _same(look, saved.image)), None)
        return reopen(saved), image

    keeping.run(work, lambda found: _add(keeping, saved, *found))


def _opened(keeping: Keeping, viewer: Any, path: str) -> list[Layer]:
    """Open the image of a session, where it still is."""
    try:
        if not Path(path).exists():
            raise FileNotFoundError(path)
        return list(viewer.open(path, plugin=PLUGIN))
    except (OSError, ValueError, SlicewiseError):
        keeping.troubled.emit(f"The image of this session is not there any more: {path}")
        return []


def _add(keeping: Keeping, saved: SavedSession, session: Any, image: Layer | None) -> None:
    states = dict(saved.states)
    details = states.pop("details", {})
    info = JournalInfo(
        saved.folder,
        saved.image,
        shape=saved.shape,
        dtype=saved.dtype,
        plane=saved.plane,
        channel_axis=saved.channel_axis,
        objects=saved.renumber,
        details=details if isinstance(details, dict) else {},
    )
    add_session(keeping, Restored(info, session, states, ""), image)
    keeping.said.emit(
        f"{saved.folder.name} is open."
        if image is not None
        else f"{saved.folder.name} is open without its image, which was not found."
    )


def _look(layer: Layer) -> Any:
    try:
        return identify(layer)
    except (SlicewiseError, AttributeError, TypeError):  # no picture: points, shapes
        return None


def _same(look: Any, image: ImageIdentity) -> bool:
    try:
        return not look().difference(image)
    except (SlicewiseError, OSError):
        return False


def _path(layer: Layer) -> str:
    return "" if layer.source.path is None else str(layer.source.path)
