"""Journals of sessions that ended without a save, and the images on show that they belong to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_slicewise.app.keeping_notes import JournalNote, note_of
from napari_slicewise.editing.errors import JournalError
from napari_slicewise.editing.identity import ImageIdentity
from napari_slicewise.editing.journal_folder import (
    delete_journal,
    discard_journal,
    empty_trash,
    idle_journals,
    journal_folder,
)
from napari_slicewise.editing.journal_format import head_of
from napari_slicewise.editing.journal_replay import JournalInfo, journal_info, replay
from napari_slicewise.editing.session import EditSession
from napari_slicewise.editing.wording import counted
from napari_slicewise.errors import SlicewiseError
from napari_slicewise.io.label_store import create_labels
from napari_slicewise.io.source import ArraySource

__all__ = ["Findings", "Offer", "Restored", "discard", "find_offers", "restore"]


@dataclass(frozen=True)
class Offer:
    """A journal that can be restored.

    Parameters
    ----------
    info
        What it holds.
    objects
        Objects in its labels; None where the labels are no objects.
    """

    info: JournalInfo
    objects: int | None = None

    @property
    def words(self) -> str:
        """What it is, in one line."""
        when = self.info.changed.astimezone()
        edits = self.info.edits
        strokes = counted(edits, "edit") if edits else "no edits by hand"
        parts = [strokes]
        if self.objects is not None:
            parts.insert(0, counted(self.objects, "object"))
        what = "corrections" if edits else "labels"
        return f"Unsaved {what} of {_date(when)} ({', '.join(parts)})"

    @property
    def more(self) -> str:
        """What it is, in several lines."""
        info = self.info
        shape = " × ".join(str(n) for n in info.shape)
        lines = [
            f"Layer: {info.details.get('name', '')}",
            f"Image: {info.details.get('image_name', '')}",
            f"Labels: {shape}, {info.dtype}",
            f"Last change: {info.changed.astimezone():%d %b %Y %H:%M:%S}",
            f"Journal: {info.path}",
        ]
        if info.image is not None and info.image.path:
            lines.insert(2, f"File: {info.image.path}")
        if info.lost:
            lines.append("Its end is damaged; everything before can be restored.")
        return "\n".join(line for line in lines if not line.endswith(": "))


@dataclass(frozen=True, eq=False)
class Restored:
    """A session as it was.

    Parameters
    ----------
    info
        Of its journal.
    session
        Labels, locks, and whose each voxel is.
    states
        What was noted besides.
    words
        How it went, as a sentence.
    """

    info: JournalInfo
    session: EditSession
    states: dict[str, Any]
    words: str


@dataclass(frozen=True)
class Findings:
    """What lies in the folder of journals for the images on show.

    Parameters
    ----------
    offers
        What can be restored, the latest first.
    notes
        What cannot be: of another version, damaged at the beginning, too large for this machine.
    """

    offers: list[Offer] = field(default_factory=list)
    notes: list[JournalNote] = field(default_factory=list)


def find_offers(
    images: Iterable[ImageIdentity], folder: Path | None = None, known: Sequence[Offer] = ()
) -> Findings:
    """Look for journals of images, the latest first, and tidy up.

    Parameters
    ----------
    images
        The images on show.
    folder
        Where journals lie; None for the user's folder.
    known
        What was found before; journals that did not change since are not read again.
    """
    place = journal_folder() if folder is None else folder
    wanted = list(images)
    found = Findings()
    if not place.is_dir():
        return found
    empty_trash(place)
    with contextlib.closing(idle_journals(place)) as paths:
        for path in paths:
            try:
                offer = _same(path, known) or _offer(path, wanted)
            except SlicewiseError as error:
                note = note_of(path, error.message, wanted) if wanted else None
                found.notes.extend([] if note is None else [note])
            else:
                found.offers.extend([] if offer is None else [offer])
    found.offers.sort(key=lambda offer: (offer.info.changed, offer.info.path.name), reverse=True)
    found.notes.sort(key=lambda note: (note.changed, note.path.name), reverse=True)
    return found


def _same(path: Path, known: Sequence[Offer]) -> Offer | None:
    changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return next((o for o in known if o.info.path == path and o.info.changed == changed), None)


def _offer(path: Path, images: list[ImageIdentity]) -> Offer | None:
    """Return what a journal offers; put away one that holds nothing of value.

    Raises
    ------
    SlicewiseError
        When it cannot be restored; the file stays.
    """
    try:
        own = ImageIdentity.of_plain(head_of(path).fields["image"])
    except (KeyError, TypeError, ValueError) as error:
        raise JournalError(f"{path.name} does not say to which image it belongs.") from error
    image = next((image for image in images if not own.difference(image)), None)
    if image is None:
        return None
    info = journal_info(path)
    if info.problem:
        raise JournalError(info.problem)
    if info.saved and Path(info.saved).exists():
        with contextlib.suppress(OSError):
            discard_journal(path)
        return None
    if not info.edits and not info.slices:
        delete_journal(path)
        return None
    try:
        restored = restore(info, image)
    except MemoryError as error:
        raise JournalError(f"There is no memory for the labels of {path.name}.") from error
    objects = len(restored.session.objects.numbers()) if info.objects else None
    restored.session.close()
    return Offer(info, objects)


def restore(info: JournalInfo, image: ImageIdentity) -> Restored:
    """Bring a session back from its journal, into new labels.

    Raises
    ------
    JournalError
        When the journal belongs to another image, or cannot be read.
    OutputError
        When there is no room for the labels.
    """
    array = create_labels(info.shape, np.dtype(info.dtype))
    axis = info.channel_axis
    labels = ArraySource(array, info.plane, axis, None if axis is None else 0)
    session = EditSession(labels, renumber=info.objects)
    found = replay(info.path, session, image)
    return Restored(info, session, found.states, found.words)


def discard(info: JournalInfo) -> None:
    """Put a journal into the trash, from which it goes after some weeks.

    Raises
    ------
    OSError
        When it cannot be moved.
    """
    discard_journal(info.path)


def _date(when: datetime) -> str:
    return f"{when.day} {when:%b} {when:%H:%M}"
