"""Where journals lie, and how a session gets one of its own."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

from napari_slicewise.editing.errors import JournalError
from napari_slicewise.editing.file_lock import FileLock

__all__ = [
    "delete_journal",
    "discard_journal",
    "empty_trash",
    "idle_journals",
    "journal_folder",
    "reserved_journal",
]

TRASH_DAYS = 30
_TRASH = "trash"
_DAY_S = 86400


def journal_folder() -> Path:
    """Return the folder of the journals, in the user's data folder.

    The variable ``SLICEWISE_JOURNALS`` of the environment names another one.
    """
    if chosen := os.environ.get("SLICEWISE_JOURNALS"):
        return Path(chosen)
    from platformdirs import user_data_path

    return user_data_path("napari-slicewise", appauthor=False) / "journals"


def reserved_journal(folder: Path) -> tuple[Path, FileLock]:
    """Choose a name in a folder that no other panel or process has, and lock it.

    Raises
    ------
    JournalError
        When no file can be made there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
            path = folder / f"{stamp}-{uuid.uuid4().hex[:8]}.journal"
            lock = FileLock(path.with_suffix(".lock"))
            if not path.exists() and lock.acquire():
                return path, lock
    except OSError as error:
        raise JournalError(
            f"No journal can be kept in {folder}: {error.strerror or error}.",
            "Edits are not kept on the disk; save the labels often.",
        ) from error


def idle_journals(folder: Path) -> Generator[Path]:
    """Yield the journals that nobody writes, each locked while the caller looks at it."""
    for path in folder.glob("*.journal"):
        lock = FileLock(path.with_suffix(".lock"))
        try:
            if not lock.acquire():
                continue  # some panel is writing it
        except OSError:
            continue
        try:
            yield path
        finally:
            lock.release()


def delete_journal(path: Path) -> None:
    """Remove a journal that nobody writes, and what lies beside it."""
    for file in (path, path.with_suffix(".lock"), path.with_suffix(".new")):
        file.unlink(missing_ok=True)


def discard_journal(path: Path) -> Path:
    """Move a journal that nobody writes to the trash beside it; return where it is now.

    Raises
    ------
    OSError
        When it cannot be moved.
    """
    trash = path.parent / _TRASH
    trash.mkdir(exist_ok=True)
    kept = trash / path.name
    path.replace(kept)
    os.utime(kept)  # its days in the trash count from now on
    for suffix in (".lock", ".new"):
        path.with_suffix(suffix).unlink(missing_ok=True)
    return kept


def empty_trash(folder: Path, days: float = TRASH_DAYS) -> None:
    """Remove what has been in the trash for longer than some days."""
    oldest = time.time() - days * _DAY_S
    for path in (folder / _TRASH).glob("*.journal"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.unlink()
