"""A folder draft that outlives the program: what was finished is found again."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_slicewise.errors import OutputError
from napari_slicewise.io.atomic_file import explain_output
from napari_slicewise.io.atomic_folder import put_in_place, remove_leftovers
from napari_slicewise.io.folder_lock import FolderLock
from napari_slicewise.io.run_record import RunRecord

__all__ = ["KeptDraft", "draft_place"]

_FORMAT = 1


def draft_place(path: Path) -> Path:
    """Return the hidden folder in which the folder ``path`` is built."""
    return path.with_name(f".{path.name}.slicewise-draft")


class KeptDraft:
    """A folder under construction, with a record of what is finished and of which run it is.

    It gets its true name when it is complete. When the program ends before, by whatever
    cause, the draft stays, and the same run finds it again; it is removed only when
    nothing was finished.

    Parameters
    ----------
    path
        The true name.
    identity
        All that decides the result, as plain values. The draft of another run is
        never continued.
    restart
        Whether a draft that is there is thrown away, whatever run it is of.

    Raises
    ------
    OutputError
        When a draft of another run is there, another process is writing it, or it
        cannot be created.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any], *, restart: bool = False) -> None:
        self.path = path
        self.place = draft_place(path)
        self.folder = self.place / "store"
        self.work = self.place / "work"
        with explain_output(path):
            path.parent.mkdir(exist_ok=True)
            self.place.mkdir(exist_ok=True)
            self._committed = False
            self._lock = FolderLock(self.place / "lock", path.name)
            try:
                remove_leftovers(path)
                self._record = RunRecord(self.place / "record.jsonl")
                self.entries = self._continue_or_begin(dict(identity), restart=restart)
            except BaseException:
                self._lock.release()
                raise

    def note(self, entry: Mapping[str, Any]) -> None:
        """Add a line to the record; it is on the disk when this returns.

        Raises
        ------
        OSError
            When the disk is full.
        """
        self._record.add(entry)
        self.entries.append(dict(entry))

    def commit(self) -> None:
        """Give the folder its name.

        Raises
        ------
        OutputError
            When the file system refuses; the draft stays then.
        """
        for torn in self.folder.rglob("*.partial"):  # zarr's own half-written files
            torn.unlink(missing_ok=True)
        put_in_place(self.folder, self.path)
        self._committed = True

    def close(self) -> None:
        """Let others have the draft; a complete one, or one with nothing finished, goes."""
        if self._committed or not _begun(self.entries):
            for thing in (self.folder, self.work):
                shutil.rmtree(thing, ignore_errors=True)
            with contextlib.suppress(OSError):
                self._record.path.unlink(missing_ok=True)
            self._lock.release()
            shutil.rmtree(self.place, ignore_errors=True)
        self._lock.release()

    def _continue_or_begin(
        self, identity: dict[str, Any], *, restart: bool
    ) -> list[dict[str, Any]]:
        entries = self._record.read()
        header = entries[0] if entries else {}
        if not self.folder.exists() and _begun(entries) and self.path.exists():
            # Killed between the end of its work and that of its draft: look at it again.
            self.path.rename(self.folder)
        there = self.folder.exists() and header.get("format") == _FORMAT
        if there and _begun(entries) and not restart:
            if header.get("identity") == identity:
                return entries[1:]
            raise OutputError(
                f"An unfinished run to {self.path.name} is there, which was another one "
                f"({_difference(header.get('identity'), identity)}).",
                "Repeat that one to go on with it, or give --restart to throw it away.",
            )
        for thing in (self.folder, self.work):
            shutil.rmtree(thing, ignore_errors=True)
        self._record.path.unlink(missing_ok=True)
        self._record.add({"format": _FORMAT, "identity": identity})
        self.folder.mkdir()
        return []


def _begun(entries: Sequence[Mapping[str, Any]]) -> bool:
    """Whether anything is finished."""
    return any("index" in entry or "local" in entry for entry in entries)


def _difference(before: Any, now: Mapping[str, Any]) -> str:
    """Say in words how two runs differ."""
    before = before if isinstance(before, dict) else {}
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    said = []
    for name in names:
        pair = f"{before.get(name)}", f"{now.get(name)}"
        long = any(len(text) > 30 for text in pair)
        said.append(f"another {name}" if long else f"{name} {pair[0]}, now {pair[1]}")
    return "; ".join(said)
