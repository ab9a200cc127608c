"""The first record of a journal, and the records that say all over again what a session knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from napari_slicewise.editing.identity import ImageIdentity
from napari_slicewise.editing.journal_format import VERSION, Record
from napari_slicewise.editing.session import EditSession
from napari_slicewise.editing.session_state import state_of
from napari_slicewise.io.source import SliceIndex

__all__ = ["JournalHead", "saved_record", "slice_records"]


@dataclass(frozen=True)
class JournalHead:
    """What a journal says of itself.

    Parameters
    ----------
    image
        The image that the labels belong to.
    details
        What else is needed to go on, for JSON.
    created
        When the journal was begun, ISO 8601.
    """

    image: ImageIdentity
    details: Mapping[str, Any] = field(default_factory=dict)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def record(self, session: EditSession, edits: int) -> Record:
        """Return the record.

        Parameters
        ----------
        session
            Whose labels they are.
        edits
            Edits by hand that the slices hold already, which follow as a whole.
        """
        labels = session.labels
        fields = {
            "version": VERSION,
            "image": self.image.plain(),
            "labels": {
                "shape": [int(n) for n in labels.data.shape],
                "dtype": str(labels.dtype),
                "plane": list(labels.plane),
                "channel_axis": labels.channel_axis,
                "objects": session.renumber,
            },
            "created": self.created,
            "edits": edits,
            "details": dict(self.details),
        }
        return Record("head", fields)


def slice_records(
    session: EditSession, indices: Iterable[SliceIndex]
) -> Iterator[tuple[SliceIndex, Record]]:
    """Describe slices as they are now; those that hold nothing are left out."""
    for index in sorted(indices):
        state = state_of(session, index)
        if not state.blank:
            yield index, state.record()


def saved_record(file: str) -> Record:
    """Return the record that says that a file of the user's holds everything before it."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Record("saved", {"file": file, "time": now})
