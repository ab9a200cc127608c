"""The labels layers of one viewer whose corrections are kept."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from napari.layers import Labels, Layer
from psygnal import Signal as PlainSignal
from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QWidget

from napari_slicewise.app.errands import Errands
from napari_slicewise.app.keeping import Keeper, KeepState, SaveTarget
from napari_slicewise.editing.identity import ImageIdentity
from napari_slicewise.editing.listening import SessionListener
from napari_slicewise.errors import SlicewiseError
from napari_slicewise.io.layer_writer import layer_axes
from napari_slicewise.io.plain_values import plain
from napari_slicewise.io.saved_labels import SAVED
from napari_slicewise.widgets.edit_layer import (
    EditLayer,
    edit_layer_of,
    known_edits,
    reason_against_editing,
)
from napari_slicewise.widgets.inbox import Inbox
from napari_slicewise.widgets.keep_before import Before
from napari_slicewise.widgets.keep_places import details_of, identify, image_of, layer_path
from napari_slicewise.widgets.links import Links

__all__ = ["AUTOSAVE_S", "Keeping"]

AUTOSAVE_S = 120.0
LOOK_MS = 500  # how often names, notes and decisions are looked at

_OPEN: list[weakref.ref[Keeping]] = []


@dataclass(eq=False)
class _Kept:
    """One layer whose corrections are kept."""

    layer: Labels
    edits: EditLayer
    keeper: Keeper
    listening: list[SessionListener]
    watch: Callable[..., None]
    target: Path | None = None
    waiting_since: float | None = None  # of corrections for the next save
    made: Any = None  # the note of a run that was written down last


class _Voice:
    """Lets other threads have something done on the GUI's."""

    asked = PlainSignal(object)


class Keeping(QObject):
    """Keeps the corrections of a viewer's labels, whether or not the panel is on show.

    Layers of a run are kept from the beginning, others from the moment when the Correct tab
    takes them. It ends with the window.

    Parameters
    ----------
    viewer
        The viewer itself, no proxy.
    """

    changed = Signal()  # how safe a layer is
    freed = Signal()  # a journal was closed
    said = Signal(str)
    troubled = Signal(str)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = weakref.ref(viewer)
        self._kept: dict[Any, _Kept] = {}
        self.before: dict[Any, Before] = {}
        self.identities: dict[Any, ImageIdentity] = {}  # of layers, before any edit
        self.links = Links()
        self._errands = Errands()
        self._voice = _Voice()
        self._inbox = Inbox(self.links, self)
        self._inbox.connect(self._voice.asked, lambda act: act())
        self._looker = QTimer(self)
        self._looker.timeout.connect(self.look)
        self._looker.start(LOOK_MS)
        self.links.at_end(self._end)
        self.links.connect(SAVED.written, self._on_written)
        self.links.connect(viewer.layers.events.inserted, self.look)
        self.links.connect(viewer.layers.events.removed, self._on_removed)
        _OPEN.append(weakref.ref(self))

    @classmethod
    def of(cls, viewer: ViewerModel, panel: QWidget) -> Keeping:
        """Return what keeps a viewer's corrections, the same each time.

        Parameters
        ----------
        viewer
            The viewer itself, no proxy.
        panel
            With what it ends where the viewer has no window.
        """
        _OPEN[:] = [known for known in _OPEN if known() is not None]
        for known in _OPEN:
            keeping = known()
            if keeping is not None and keeping.links.open and keeping.viewer is viewer:
                return keeping
        keeping = cls(viewer)
        window = getattr(getattr(viewer, "window", None), "_qt_window", None)
        keeping.links.end_with(panel if window is None else window)
        return keeping

    @property
    def viewer(self) -> ViewerModel | None:
        """The viewer; None once it is gone."""
        return self._viewer()

    def keep(self, layer: Labels) -> None:
        """Begin to keep the corrections of a layer, unless somebody does."""
        if not self.links.open or layer.unique_id in self._kept or reason_against_editing(layer):
            return
        edits = edit_layer_of(layer)
        if any(isinstance(listener, Keeper) for listener in edits.listeners):
            return  # it is on show in another viewer too
        before = self.before.pop(layer.unique_id, Before())
        image, source = edits.made_from or (image_of(layer, self._viewer()), None)
        listening: list[SessionListener] = []

        def attach(listener: SessionListener) -> None:
            listening.append(listener)
            edits.listeners.append(listener)

        keeper = Keeper(
            edits.session,
            self._known_by(layer if image is None else image),
            self._errands,
            details=details_of(layer, image, source),
            attach=attach,
            states=before.states,
            edits=before.edits,
            replaces=before.journal,
        )

        def watch(*_: Any) -> None:
            if edits.session is not keeper.session:  # another array: another journal
                self._leave(layer)
                self.keep(layer)

        edits.changed.connect(watch)
        path = Path(saved) if (saved := before.states.get("save_to")) else None
        self._kept[layer.unique_id] = _Kept(layer, edits, keeper, listening, watch, path)
        keeper.changed.connect(self._on_keeper)
        keeper.freed.connect(self._on_freed)
        self.changed.emit()

    def kept(self, layer: Any) -> tuple[EditLayer, Keeper] | None:
        """Return who keeps a layer; None where nobody does."""
        found = self._kept.get(getattr(layer, "unique_id", None))
        return None if found is None else (found.edits, found.keeper)

    def state_of(self, layer: Any) -> tuple[KeepState, Path | None] | None:
        """Return how safe a layer's corrections are, and where they are saved to."""
        found = self._kept.get(getattr(layer, "unique_id", None))
        return None if found is None else (found.keeper.state, found.target)

    @property
    def troubles(self) -> list[str]:
        """What is wrong at the moment, each thing once."""
        words = [kept.keeper.state.trouble for kept in self._kept.values()]
        return list(dict.fromkeys(word for word in words if word))

    def save_to(self, layer: Labels, path: Path) -> None:
        """Save a layer's labels, and again whenever there are new corrections for a while."""
        self.keep(layer)
        if (kept := self._kept.get(layer.unique_id)) is not None:
            kept.target = path
            kept.keeper.note("save_to", str(path), by_hand=False)
            self._save(kept)

    def run(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Do something with files on another thread, and something with its result on this one."""

        def errand() -> None:
            try:
                result = work()
            except (SlicewiseError, OSError, ValueError, MemoryError) as error:
                words = str(error)
                self._voice.asked.emit(lambda: self.troubled.emit(words))
            else:
                self._voice.asked.emit(lambda: then(result))

        if self.links.open:
            self._errands.files.submit(errand)

    def look(self, *_: Any) -> None:
        """Take what is new, layers, names, notes and decisions; save where it is time."""
        viewer = self._viewer()
        if viewer is None:
            return
        for layer in viewer.layers:
            if (edits := known_edits(layer)) is not None and edits.corrected:
                self.keep(layer)
        for kept in list(self._kept.values()):
            self._note(kept)
            if not kept.keeper.state.unsaved or kept.target is None:
                kept.waiting_since = None
            elif kept.waiting_since is None:
                kept.waiting_since = time.monotonic()
            elif time.monotonic() - kept.waiting_since >= AUTOSAVE_S:
                self._save(kept)

    def _known_by(self, layer: Layer) -> Callable[[], ImageIdentity]:
        known = self.identities.get(layer.unique_id)
        return identify(layer) if known is None else lambda: known

    def _note(self, kept: _Kept) -> None:
        keeper, layer = kept.keeper, kept.layer
        notes = {"name": layer.name, "asked": kept.edits.asked}
        if (made := layer.metadata.get("slicewise")) is not kept.made:
            kept.made = made
            sure = kept.edits.session.ownership.confidence
            notes.update(made=plain(made), confidence=sure.plain())
        for key, value in notes.items():
            keeper.note(key, value, by_hand=False)
        review = kept.edits.review.plain()
        if review["decided"] or "review" in keeper.states:
            keeper.note("review", review)

    def _save(self, kept: _Kept) -> None:
        layer, viewer = kept.layer, self._viewer()
        if kept.target is None or viewer is None:
            return
        meta = {"scale": layer.scale, "units": layer.units, "axis_labels": layer.axis_labels}
        made = layer.metadata.get("slicewise")
        provenance = {"name": layer.name, **({"slicewise": plain(made)} if made else {})}
        inputs = tuple(layer_path(i) for i in viewer.layers if not isinstance(i, Labels))
        axes = layer_axes(meta, layer.data.shape)
        target = SaveTarget(kept.target, axes, provenance, tuple(i for i in inputs if i))
        if kept.keeper.save(target):
            kept.waiting_since = None

    def _leave(self, layer: Layer) -> None:
        kept = self._kept.pop(layer.unique_id, None)
        if kept is None:
            return
        keeper = kept.keeper
        self._note(kept)
        kept.edits.changed.disconnect(kept.watch)
        if keeper.state.unsaved and keeper.session is kept.edits.session:  # it may come back
            self.before[layer.unique_id] = Before(keeper.states, keeper.edits, keeper.journal)
        closed = keeper.end()
        # Not before: what the journal was told is in its queue, and it listens no more.
        gone = {id(listener) for listener in kept.listening}
        kept.edits.listeners = [i for i in kept.edits.listeners if id(i) not in gone]
        closed.add_done_callback(self._on_freed)
        self.changed.emit()

    def _on_keeper(self) -> None:
        self._voice.asked.emit(self.changed.emit)

    def _on_freed(self, *_: Any) -> None:
        self._voice.asked.emit(self.freed.emit)

    def _on_removed(self, event: Any) -> None:
        self._leave(event.value)

    def _on_written(self, data: Any, path: Path) -> None:
        for kept in self._kept.values():
            if kept.layer.data is data:
                kept.keeper.check(path)

    def _end(self) -> None:
        self._looker.stop()
        for kept in list(self._kept.values()):
            self._leave(kept.layer)
        self._errands.end()
        self._inbox.close()
