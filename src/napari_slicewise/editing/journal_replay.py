"""Taking up a session again from its journal."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_slicewise.editing.errors import JournalError
from napari_slicewise.editing.identity import ImageIdentity
from napari_slicewise.editing.journal_folder import idle_journals
from napari_slicewise.editing.journal_format import Record, head_of, patches_of, read_records
from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.session import EditSession
from napari_slicewise.editing.session_state import SliceState, count_anew, put_state

__all__ = ["JournalInfo", "Replay", "journal_info", "replay", "restorable"]


_NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class JournalInfo:
    """What a journal holds, to be shown before it is restored.

    Parameters
    ----------
    path
        The file.
    image
        The image that its labels belong to; None when it cannot be read.
    shape, dtype, plane
        The labels' array, and its axes of rows and columns.
    created
        When it was begun, ISO 8601.
    changed
        When it was last written to, in UTC.
    channel_axis
        Axis of the labels that holds channels, one position long; None where there is none.
    objects
        Whether the values number objects.
    edits
        Edits by hand, those that were taken back and done again included.
    slices
        Slices that hold anything.
    lost
        Records at the end that are damaged.
    details
        What the panel noted (names, parameters).
    saved
        The user's file that holds all of it; empty when there is none.
    problem
        Why it cannot be restored; empty when it can.
    """

    path: Path
    image: ImageIdentity | None = None
    shape: tuple[int, ...] = ()
    dtype: str = "uint32"
    plane: tuple[int, int] = (-2, -1)
    channel_axis: int | None = None
    objects: bool = True
    created: str = ""
    changed: datetime = _NEVER
    edits: int = 0
    slices: int = 0
    lost: int = 0
    details: dict[str, Any] = field(default_factory=dict)
    saved: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Replay:
    """How a restoring went.

    Parameters
    ----------
    records
        Records that were read, the head not counted.
    lost
        Records at the end that were damaged, and are lost.
    states
        What was noted besides labels and locks, by its key.
    """

    records: int
    lost: int
    states: dict[str, Any]

    @property
    def words(self) -> str:
        """What happened, as a sentence."""
        if not self.lost:
            return "All edits are restored."
        what = "The last record" if self.lost == 1 else f"The last {self.lost} records"
        return f"{what} of the journal could not be read; everything before is restored."


def restorable(folder: Path) -> list[JournalInfo]:
    """List the journals of sessions that are not running any more, the latest first.

    Files that cannot be restored are listed too; their ``problem`` says why.
    """
    if not folder.is_dir():
        return []
    with closing(idle_journals(folder)) as paths:
        found = [journal_info(path) for path in paths]
    return sorted(found, key=lambda info: (info.changed, info.path.name), reverse=True)


def journal_info(path: Path) -> JournalInfo:
    """Describe a journal; one that cannot be restored says why in ``problem``."""
    try:
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        fields = head_of(path).fields
        labels = fields["labels"]
        axis = labels.get("channel_axis")
        info = JournalInfo(
            path,
            ImageIdentity.of_plain(fields["image"]),
            shape=tuple(int(n) for n in labels["shape"]),
            dtype=str(np.dtype(labels["dtype"])),
            plane=(int(labels["plane"][0]), int(labels["plane"][1])),
            channel_axis=None if axis is None else int(axis),
            objects=bool(labels.get("objects", True)),
            created=str(fields.get("created", "")),
            changed=changed,
            edits=int(fields.get("edits", 0)),
            details=dict(fields.get("details") or {}),
        )
        return _with_contents(info)
    except (OSError, JournalError) as error:
        return JournalInfo(path, problem=str(error))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        return JournalInfo(path, problem=f"{path.name} does not say what it holds: {error!r}.")


def _with_contents(info: JournalInfo) -> JournalInfo:
    edits, lost, saved = info.edits, 0, ""
    slices: set[tuple[int, ...]] = set()
    for found in read_records(info.path):
        if isinstance(found, int):
            lost = found
            continue
        if found.kind == "saved":
            saved = str(found.fields.get("file", ""))
        elif found.kind != "head" and found.fields.get("by_hand", True):
            saved = ""
        if found.kind == "edit":
            edits += 1
        elif found.kind == "slice":
            slices.add(tuple(found.fields["index"]))
    return replace(info, edits=edits, lost=lost, slices=len(slices), saved=saved)


def replay(path: Path, session: EditSession, image: ImageIdentity) -> Replay:
    """Bring a session to where a journal ends.

    Parameters
    ----------
    path
        The journal.
    session
        A new session over blank labels of the journal's shape, without a listener.
    image
        The image that is open.

    Raises
    ------
    JournalError
        When the journal belongs to another image or to other labels, or cannot be read.
        Nothing was written then.
    """
    head = head_of(path)
    _check(path, head, session, image)
    records, lost = -1, 0
    states: dict[str, Any] = {}
    for found in read_records(path):
        if isinstance(found, int):
            lost = found
            break
        try:
            _take(found, session, states)
        except (ValueError, KeyError, IndexError, TypeError, RuntimeError, OverflowError):
            lost = 1  # whole by its sum, but it contradicts itself: it ends what can be trusted
            break
        records += 1
    count_anew(session)
    return Replay(records, lost, states)


def _check(path: Path, head: Record, session: EditSession, image: ImageIdentity) -> None:
    try:
        difference = ImageIdentity.of_plain(head.fields["image"]).difference(image)
        labels = head.fields["labels"]
        shape = tuple(int(n) for n in labels["shape"])
        plane = tuple(labels["plane"])
        fits = np.can_cast(np.dtype(labels["dtype"]), session.labels.dtype)
    except (KeyError, TypeError, ValueError) as error:
        raise JournalError(f"{path.name} does not say what it holds.") from error
    if difference:
        raise JournalError(
            f"These edits belong to another image. {difference}",
            "Open the image that they were made on.",
        )
    if shape != tuple(session.labels.data.shape) or plane != session.labels.plane or not fits:
        raise JournalError(
            f"The edits are on labels of shape {shape} and type {labels['dtype']}, these have "
            f"{tuple(session.labels.data.shape)} and {session.labels.dtype}.",
            "Restore into new labels.",
        )


def _take(record: Record, session: EditSession, states: dict[str, Any]) -> None:
    if record.kind == "edit":
        for patch, bits in patches_of(record):
            patch.put(session.labels.data, patch.new)
            session.ownership.set_bits(patch, bits)
    elif record.kind == "slice":
        put_state(session, SliceState.of_record(record))
    elif record.kind == "locks":
        session.locks = Locks.of_plain(record.fields)
    elif record.kind == "state":
        states[str(record.fields["key"])] = record.fields["value"]
