"""A file to which every edit is written as it happens, so that a crash loses none."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_slicewise.editing.errors import JournalWarning
from napari_slicewise.editing.identity import ImageIdentity
from napari_slicewise.editing.journal_file import JournalFile
from napari_slicewise.editing.journal_folder import journal_folder, reserved_journal
from napari_slicewise.editing.journal_format import Record, edit_record
from napari_slicewise.editing.journal_head import JournalHead, saved_record, slice_records
from napari_slicewise.editing.listening import Change, SessionListener
from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.session import EditSession
from napari_slicewise.editing.session_state import state_of
from napari_slicewise.errors import SlicewiseError
from napari_slicewise.io.source import SliceIndex

__all__ = ["Journal", "JournalWarning"]

_SYNC_S = 0.5
_WAITING = 1024
_BOUND = 256 << 20
_MACHINE_S = 0.3  # for so long whole slices wait: a slider that is dragged writes one often


class Journal:
    """Writes down what happens in an edit session; a listener of it.

    Nothing is written on the caller's thread. A record reaches the operating system at once,
    so that only a power cut can take it back, and the disk within a second. It says what
    voxels hold from then on: reading it twice does no harm. When the disk is full the edits
    go on, one warning is given, and once there is room all is written anew.

    Parameters
    ----------
    session
        The session.
    image
        The image that the labels belong to.
    folder
        Where journals lie; see :func:`journal_folder`.
    details
        What else is needed to go on (names, parameters), for JSON.
    attach
        Makes the journal a listener of the session; without it, it becomes the only one.
    states
        What :meth:`state` was told before there was a journal.
    edits
        Edits by hand that the labels hold already.
    on_warning, on_resumed
        Called on the writing thread when the disk cannot be written, once, and when it can be
        again.
    bound
        Bytes from which on the journal is written anew, without what was overtaken.
    retry_s
        Seconds between two attempts while the disk cannot be written.

    Attributes
    ----------
    path
        The file.
    changed
        Whether anything was edited since :meth:`mark_saved`.
    suspended
        Whether the disk cannot be written.

    Raises
    ------
    JournalError
        When no file can be made in the folder.
    """

    def __init__(
        self,
        session: EditSession,
        image: ImageIdentity,
        folder: Path | None = None,
        *,
        details: Mapping[str, Any] | None = None,
        attach: Callable[[SessionListener], None] | None = None,
        states: Mapping[str, Any] | None = None,
        edits: int = 0,
        on_warning: Callable[[JournalWarning], None] | None = None,
        on_resumed: Callable[[], None] | None = None,
        bound: int = _BOUND,
        retry_s: float = 10.0,
    ) -> None:
        self._session = session
        self._head = JournalHead(image, dict(details or {}))
        self._on_warning, self._on_resumed = on_warning, on_resumed
        self._bound, self._retry_s = bound, retry_s
        self._states = dict(states or {})
        self._edits, self._saved = edits, ""
        self._queue: queue.Queue[Callable[[], None] | None] = queue.Queue(_WAITING)
        self._heard: set[SliceIndex] = set()
        self._dirty: set[SliceIndex] = set()
        self._due = 0.0  # when they are written
        self._behind = False  # records were left out: all must be written anew
        self._snapshot_size, self._retry_at = 0, 0.0
        self.suspended = self.changed = False
        self.path, self._lock = reserved_journal(journal_folder() if folder is None else folder)
        self._file = JournalFile(self.path)
        self._put(lambda: self._begin_anew(everything=True))
        # In this order nothing is missed: what is told from here on is written after the
        # first snapshot, which is not yet being made.
        if attach is None:
            session.listener = self
        else:
            attach(self)
        self._locks = session.locks.plain()
        self._thread = threading.Thread(target=self._run, name="slicewise-journal", daemon=True)
        self._thread.start()

    def edited(self, changes: Sequence[Change], words: str, kind: str) -> None:
        """Write an edit down."""
        self.changed = True
        self._edits += 1
        kept = list(changes)
        labels = self._session.labels

        def write() -> None:
            for patch, _ in kept:
                self._heard |= patch.indices(labels)
            self._write(edit_record(kept, words, kind))

        self._put(write)

    def rewritten(self, indices: Sequence[SliceIndex]) -> None:
        """Write whole slices down, as they are when their turn comes."""
        kept = set(indices)
        self._heard |= kept
        self._put(lambda: self._soil(kept))

    def replaced(self) -> None:
        """Begin again, with labels of another type."""
        self._put(lambda: self._begin_anew(everything=False))

    def locked(self, locks: Locks) -> None:
        """Write the locks down."""
        self.changed = True
        plain = self._locks = locks.plain()
        self._put(lambda: self._write(Record("locks", plain)))

    def state(self, key: str, value: Any, *, by_hand: bool = True) -> None:
        """Write something else down that JSON can hold, the review's decisions for instance."""
        self.changed = self.changed or by_hand
        self._states = {**self._states, key: value}
        fields = {"key": key, "value": value, "by_hand": by_hand}
        self._put(lambda: self._write(Record("state", fields)))

    def mark_saved(self, file: str = "") -> None:
        """Say that everything up to now is in a file of the user's."""
        self.changed, self._saved = False, file
        self._put(self._catch_up)
        self._put(lambda: self._write(saved_record(file)))

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all that was told so far is on the disk; False when it cannot be."""
        done = threading.Event()

        def write() -> None:
            self._catch_up()
            self._sync()
            done.set()

        self._queue.put(write)
        return done.wait(timeout_s) and not self.suspended

    def close(self, *, delete: bool | None = None) -> None:
        """Write the rest and end.

        Parameters
        ----------
        delete
            Whether to remove the file; None removes it when nothing was edited since
            :meth:`mark_saved`.
        """
        if self._session.listener is self:
            self._session.listener = None
        if not self._thread.is_alive():
            return
        self._queue.put(None)
        self._thread.join()
        if delete or (delete is None and not self.changed):
            self._file.remove()
        self._lock.release()

    def _put(self, work: Callable[[], None]) -> None:
        """Give work to the thread; when it has too much already, it writes all anew later."""
        try:
            self._queue.put_nowait(work)
        except queue.Full:
            self._behind = True

    def _run(self) -> None:
        try:
            while True:
                with contextlib.suppress(queue.Empty):
                    work = self._queue.get(timeout=self._pause())
                    if work is None:
                        break
                    work()
                if self.suspended and time.monotonic() >= self._retry_at:
                    self._begin_anew(everything=False)
                if self._queue.empty() and (self._behind or time.monotonic() >= self._due):
                    self._catch_up()
                if self._file.unsynced_s > _SYNC_S:
                    self._sync()
                if self._file.size > max(self._bound, 4 * self._snapshot_size):
                    self._begin_anew(everything=False)
            self._catch_up()
            self._sync()
        finally:
            self._file.close()

    def _pause(self) -> float | None:
        """Return for how long there is nothing to do unless somebody calls, in seconds."""
        if self.suspended:
            return max(self._retry_at - time.monotonic(), 0.01)
        pauses = [_SYNC_S] if self._file.unsynced_s > 0 else []
        if self._dirty:
            pauses.append(max(self._due - time.monotonic(), 0.001))
        return min(pauses, default=None)

    def _soil(self, indices: set[SliceIndex]) -> None:
        """Remember slices to be written whole, a moment later."""
        if not self._dirty:
            self._due = time.monotonic() + _MACHINE_S
        self._dirty |= indices

    def _catch_up(self) -> None:
        """Write what was left for when there is nothing else to do."""
        if self._behind:
            self._behind = False
            self._begin_anew(everything=False)
        while self._dirty and not self.suspended:
            index = min(self._dirty)
            self._dirty.discard(index)
            try:
                record = state_of(self._session, index).record()
            except (OSError, SlicewiseError) as error:
                self._suspend(error)
            else:
                self._write(record)

    def _write(self, record: Record) -> None:
        if self.suspended:
            return
        try:
            self._file.append(record)
        except OSError as error:
            self._suspend(error)

    def _sync(self) -> None:
        try:
            self._file.sync()
        except OSError as error:
            self._suspend(error)

    def _suspend(self, error: OSError | SlicewiseError) -> None:
        first, self.suspended = not self.suspended, True
        self._retry_at = time.monotonic() + self._retry_s
        if first and self._on_warning is not None:
            self._on_warning(JournalWarning.of(error, self.path.parent))

    def _begin_anew(self, *, everything: bool) -> None:
        """Write all that the session knows of every slice, or of those that were heard of."""
        session = self._session
        own = session.ownership
        indices = {*own.machine, *own.marked, *self._heard.copy()}
        if everything:
            indices.update(session.labels.indices())
        try:
            with self._file.replacing() as write:
                write(self._head.record(session, self._edits))
                for index, record in slice_records(session, indices):
                    self._heard.add(index)
                    write(record)
                write(Record("locks", self._locks))
                for key, value in self._states.items():
                    write(Record("state", {"key": key, "value": value}))
                if self._saved and not self.changed:
                    write(saved_record(self._saved))
        except (OSError, SlicewiseError) as error:
            self._suspend(error)
            return
        self._dirty.clear()
        self._snapshot_size = self._file.size
        if self.suspended:
            self.suspended = False
            if self._on_resumed is not None:
                self._on_resumed()
