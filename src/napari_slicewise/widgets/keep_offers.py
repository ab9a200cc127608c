"""Looking for journals of the images on show, and bringing their labels back."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from napari.layers import Image, Labels, Layer
from qtpy.QtCore import QObject, QTimer, Signal

from napari_slicewise.app.keeping_notes import JournalNote
from napari_slicewise.app.keeping_offers import (
    Findings,
    Offer,
    Restored,
    discard,
    find_offers,
    restore,
)
from napari_slicewise.editing.confidence import Confidence
from napari_slicewise.editing.identity import ImageIdentity
from napari_slicewise.editing.review import Review
from napari_slicewise.errors import ImageError
from napari_slicewise.widgets.edit_layer import edit_layer_of, known_edits
from napari_slicewise.widgets.keep_before import Before
from napari_slicewise.widgets.keep_layers import Keeping
from napari_slicewise.widgets.keep_places import identify, labels_layer, source_of

__all__ = ["Offers", "add_session"]

SCAN_MS = 200  # until layers that come together are all there


class Offers(QObject):
    """What can be restored onto the images of a viewer.

    Nothing is restored by itself, and nothing onto an image with other pixels.

    Parameters
    ----------
    keeping
        Of the same viewer; its threads are used.
    parent
        Qt parent.
    """

    changed = Signal()

    def __init__(self, keeping: Keeping, parent: QObject) -> None:
        super().__init__(parent)
        self.offers: list[Offer] = []
        self._keeping = keeping
        self._asked: set[Any] = set()
        self._taken: set[Path] = set()
        self._notes: list[JournalNote] = []
        self._seen: set[Path] = set()  # notes that the user has read
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._scan)
        keeping.freed.connect(self.scan_soon)
        viewer = keeping.viewer
        if viewer is not None:
            viewer.layers.events.inserted.connect(self._on_inserted)
            viewer.layers.events.removed.connect(self.scan_soon)
            for layer in viewer.layers:
                self._take_in(layer)

    def close(self) -> None:
        """Look no more."""
        self._timer.stop()
        self._keeping.freed.disconnect(self.scan_soon)
        viewer = self._keeping.viewer
        if viewer is not None:
            viewer.layers.events.inserted.disconnect(self._on_inserted)
            viewer.layers.events.removed.disconnect(self.scan_soon)

    def image_of(self, identity: ImageIdentity | None) -> Layer | None:
        """Return the layer on show that has an image's pixels."""
        viewer = self._keeping.viewer
        for layer in () if viewer is None else viewer.layers:
            own = self._keeping.identities.get(layer.unique_id)
            if identity is not None and own is not None and not own.difference(identity):
                return layer
        return None

    @property
    def notes(self) -> list[JournalNote]:
        """Journals that cannot be restored, and that the user was not yet told of."""
        return [note for note in self._notes if note.path not in self._seen]

    def dismiss_notes(self) -> None:
        """Speak no more of these in this window; the files stay where they are."""
        self._seen.update(note.path for note in self._notes)
        self.changed.emit()

    def restore(self, offer: Offer) -> None:
        """Add a layer with what a journal holds."""
        image = self.image_of(offer.info.image)
        if image is None:
            self._keeping.troubled.emit("Open the image that these corrections were made on.")
            return
        identity = self._keeping.identities[image.unique_id]
        self._withdraw(offer)
        self._keeping.run(
            lambda: restore(offer.info, identity), partial(self._add, offer.info.path, image)
        )

    def discard(self, offer: Offer) -> None:
        """Put a journal into the trash."""
        self._withdraw(offer)
        self._keeping.run(
            lambda: discard(offer.info), lambda _: self._keeping.said.emit("Moved to the trash.")
        )

    def scan_soon(self, *_: Any) -> None:
        """Look for journals, once the layers that come together are there."""
        self._timer.start(SCAN_MS)

    def _add(self, journal: Path, image: Layer, restored: Restored) -> None:
        add_session(self._keeping, restored, image, journal)
        self._keeping.said.emit(restored.words)

    def _on_inserted(self, event: Any) -> None:
        self._take_in(event.value)

    def _take_in(self, layer: Layer) -> None:
        """Look at a layer's pixels; labels that are being corrected are known by their image."""
        edits = known_edits(layer)
        own = edits is not None and edits.corrected
        if not isinstance(layer, Image | Labels) or own:
            return
        try:
            look = identify(layer)
        except ImageError:  # of an array that is no stack of slices
            return
        key = layer.unique_id
        if key not in self._asked:
            self._asked.add(key)
            self._keeping.run(look, lambda identity: self._know(key, identity))

    def _know(self, key: Any, identity: ImageIdentity) -> None:
        self._keeping.identities[key] = identity
        self.scan_soon()

    def _scan(self) -> None:
        viewer = self._keeping.viewer
        if viewer is None:
            return
        known = self._keeping.identities
        images = [known[layer.unique_id] for layer in viewer.layers if layer.unique_id in known]
        earlier = list(self.offers)
        self._keeping.run(lambda: find_offers(images, None, earlier), self._show)

    def _show(self, found: Findings) -> None:
        self._notes = found.notes
        self.offers = [
            offer
            for offer in found.offers
            if offer.info.path not in self._taken and self.image_of(offer.info.image) is not None
        ]
        self.changed.emit()

    def _withdraw(self, offer: Offer) -> None:
        self._taken.add(offer.info.path)
        self.offers = [other for other in self.offers if other is not offer]
        self.changed.emit()


def add_session(
    keeping: Keeping, restored: Restored, image: Layer | None, journal: Path | None = None
) -> Labels:
    """Add a layer with a session that was kept.

    Parameters
    ----------
    keeping
        Of the viewer.
    restored
        The session.
    image
        The image that it belongs to.
    journal
        Where it was kept; it goes once another journal has all of it.
    """
    session, states, details = restored.session, restored.states, restored.info.details
    layer = labels_layer(session.labels.data, details, states, image)
    edits = edit_layer_of(layer, session)
    edits.review = Review.of_plain(states.get("review", {}))
    edits.asked = dict(states.get("asked") or {})
    session.ownership.confidence = Confidence.of_plain(states.get("confidence"))
    if isinstance(image, Image):
        edits.made_from = image, source_of(image, details)
    keeping.before[layer.unique_id] = Before(states, restored.info.edits, journal)
    viewer = keeping.viewer
    if viewer is not None:
        viewer.add_layer(layer)
        viewer.layers.selection.active = layer
    return layer
