"""Keeping what a human corrected: a journal for each session, and the file of the user's choice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from psygnal import Signal

from napari_slicewise.app.errands import Errands
from napari_slicewise.editing.identity import ImageIdentity
from napari_slicewise.editing.journal import Journal, JournalWarning
from napari_slicewise.editing.journal_folder import discard_journal
from napari_slicewise.editing.listening import Change, SessionListener
from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.session import EditSession
from napari_slicewise.errors import SlicewiseError
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.outputs import write_labels
from napari_slicewise.io.read_back import same_as_file
from napari_slicewise.io.source import SliceIndex

__all__ = ["KeepState", "Keeper", "SaveTarget"]


@dataclass(frozen=True)
class SaveTarget:
    """Where labels are saved by themselves, and with what.

    Parameters
    ----------
    path
        TIFF or OME-Zarr.
    axes
        Of the labels' array.
    provenance
        How the labels were made.
    inputs
        Files that must survive.
    """

    path: Path
    axes: tuple[Axis, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeepState:
    """How safe the corrections of one layer are.

    Parameters
    ----------
    kept
        Whether edits reach the journal.
    unsaved
        Edits since the last save that is known to hold everything.
    file
        The file of that save; None before the first one.
    saved_at
        When, in seconds of ``time.monotonic``.
    saving
        Whether a file is being written.
    trouble
        Why edits cannot be kept or saved, for as long as that is so.
    """

    kept: bool = False
    unsaved: int = 0
    file: Path | None = None
    saved_at: float = 0.0
    saving: bool = False
    trouble: str = ""


class Keeper:
    """Writes what happens in one session to a journal, and its labels to a file when asked.

    Files are touched on other threads only. ``changed`` is emitted on any thread.

    Parameters
    ----------
    session
        The session.
    identify
        Looks at the image that the labels belong to; called on another thread.
    errands
        The threads.
    details
        What a restored layer needs; see :class:`Journal`.
    attach
        Makes a listener hear of the session.
    states, edits
        Of the journal that the session was restored from.
    replaces
        That journal; it goes to the trash once the new one is complete on the disk.
    folder
        Where journals lie; None for the user's folder.
    """

    changed = Signal()
    freed = Signal()  # the journal that this one replaces is put away

    def __init__(
        self,
        session: EditSession,
        identify: Callable[[], ImageIdentity],
        errands: Errands,
        *,
        details: Mapping[str, Any],
        attach: Callable[[SessionListener], None],
        states: Mapping[str, Any] | None = None,
        edits: int = 0,
        replaces: Path | None = None,
        folder: Path | None = None,
    ) -> None:
        self.session = session
        self.image: ImageIdentity | None = None
        self._identify, self._errands, self._attach = identify, errands, attach
        self._details, self._folder, self._replaces = details, folder, replaces
        self._states = dict(states or {})
        self._edits = edits
        self._journal: Journal | None = None
        self._lock = threading.Lock()
        self._ended = False
        self._told = 0  # changes of any kind, to see whether a file holds the latest
        self._state = KeepState(unsaved=edits)
        attach(self)
        errands.journals.submit(self._open)

    @property
    def state(self) -> KeepState:
        """How safe the corrections are now."""
        return self._state

    @property
    def states(self) -> dict[str, Any]:
        """What was noted besides labels and locks."""
        return dict(self._states)

    @property
    def journal(self) -> Path | None:
        """The file of the journal; None before it is begun and after its end."""
        return None if self._journal is None else self._journal.path

    @property
    def edits(self) -> int:
        """Edits by hand that the labels hold, those of earlier journals included."""
        return self._edits

    def note(self, key: str, value: Any, *, by_hand: bool = True) -> None:
        """Write something down that JSON can hold, unless it was the last time."""
        if key in self._states and self._states[key] == value:
            return
        self._states[key] = value
        if by_hand:
            self._count()
        if (journal := self._journal) is not None:
            journal.state(key, value, by_hand=by_hand)

    def save(self, target: SaveTarget) -> bool:
        """Begin to write the labels to a file; False while one is being written."""
        if self._state.saving:
            return False
        self._update(saving=True)
        self._errands.files.submit(self._save, target)
        return True

    def check(self, path: Path) -> None:
        """Look whether a file that somebody else wrote holds everything."""
        self._errands.files.submit(self._verify, path, self._told, self._state.unsaved)

    def saved_elsewhere(self, path: Path, told: int) -> None:
        """Take note that a session's folder holds all of the first ``told`` changes."""
        if told == self._told:
            self._mark_saved(path)

    @property
    def told(self) -> int:
        """How many changes there were."""
        return self._told

    def end(self, *, discard: bool = False) -> Future[None]:
        """Close the journal; it stays if it holds corrections that were not saved."""
        self._ended = True
        return self._errands.journals.submit(self._close, discard=discard)

    def flush(self) -> bool:
        """Wait until all edits so far are on the disk; for tests and the end of scripts."""
        journal = self._journal
        return journal is not None and journal.flush()

    def edited(self, changes: Sequence[Change], words: str, kind: str) -> None:  # noqa: ARG002
        """Count an edit."""
        self._edits += 1
        self._count()

    def rewritten(self, indices: Sequence[SliceIndex]) -> None:  # noqa: ARG002
        """Take note that a file is behind the labels."""
        self._told += 1

    def replaced(self) -> None:
        """Take note that a file is behind the labels."""
        self._told += 1

    def locked(self, locks: Locks) -> None:  # noqa: ARG002
        """Count other locks as an edit."""
        self._count()

    def _count(self) -> None:
        self._told += 1
        self._update(unsaved=self._state.unsaved + 1)

    def _update(self, **what: Any) -> None:
        with self._lock:
            self._state = replace(self._state, **what)
        self.changed.emit()

    def _open(self) -> None:
        try:
            self.image = self._identify()
            journal = Journal(
                self.session,
                self.image,
                self._folder,
                details=self._details,
                attach=self._attach_journal,
                states=self._states,
                edits=self._edits,
                on_warning=self._on_warning,
                on_resumed=lambda: self._update(kept=True, trouble=""),
            )
        except (SlicewiseError, OSError, ValueError) as error:
            self._update(trouble=f"Edits are not kept on the disk: {error}")
            return
        # What was counted before the journal listened is in its first snapshot.
        journal.changed = journal.changed or self._state.unsaved > 0
        self._journal = journal
        self._update(kept=True)
        if self._replaces is not None and journal.flush(60.0):
            self._trash(self._replaces)

    def _attach_journal(self, journal: SessionListener) -> None:
        if not self._ended:
            self._attach(journal)

    def _on_warning(self, warning: JournalWarning) -> None:
        self._update(kept=False, trouble=str(warning))

    def _close(self, *, discard: bool) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close(delete=True if discard else None)

    def _save(self, target: SaveTarget) -> None:
        told, unsaved = self._told, self._state.unsaved
        try:
            data = self.session.labels.data
            write_labels(target.path, data, target.axes, target.provenance, inputs=target.inputs)
        except (SlicewiseError, OSError, ValueError) as error:
            words = f"The corrections are not saved: {error}"
            self._update(saving=False, trouble=words)
            return
        self._verify(target.path, told, unsaved)
        self._update(saving=False)

    def _verify(self, path: Path, told: int, unsaved: int) -> None:
        """Mark as saved what a file is seen to hold."""
        if self._told != told:  # the next save will have it
            self._update(unsaved=max(self._state.unsaved - unsaved, 1))
        elif same_as_file(self.session.labels.data, path):
            if self._told == told:
                self._mark_saved(path)
        else:
            words = f"{path.name} does not hold what was written. Save again, elsewhere."
            self._update(trouble=words)

    def _mark_saved(self, path: Path) -> None:
        if (journal := self._journal) is not None:
            journal.mark_saved(str(path))
        suspended = journal is not None and journal.suspended
        trouble = self._state.trouble if suspended else ""
        self._update(unsaved=0, file=path, saved_at=time.monotonic(), trouble=trouble)

    def _trash(self, path: Path) -> None:
        try:
            if path.exists():
                discard_journal(path)
            self.freed.emit()
        except OSError as error:
            self._update(trouble=f"{path.name} could not be put away: {error}")
