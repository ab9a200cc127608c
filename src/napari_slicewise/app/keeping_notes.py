"""Journals that cannot be restored here: what they are is said, and they stay where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_slicewise.editing.identity import ImageIdentity
from napari_slicewise.editing.journal_format import head_fields
from napari_slicewise.editing.wording import counted

__all__ = ["JournalNote", "describe_notes", "note_of"]


@dataclass(frozen=True)
class JournalNote:
    """A journal that cannot be restored.

    Parameters
    ----------
    path
        The file.
    problem
        Why, as a sentence.
    changed
        When it was last written to, in UTC.
    size
        Bytes.
    fields
        What it says of itself, as far as that can be read.
    """

    path: Path
    problem: str
    changed: datetime
    size: int
    fields: dict[str, Any]

    @property
    def more(self) -> str:
        """What is in it and where it lies, in several lines."""
        fields, lines = self.fields, [self.problem]
        details = fields.get("details")
        labels = fields.get("labels")
        if isinstance(details, dict):
            names = [str(details.get(key) or "") for key in ("name", "image_name")]
            lines.append("Of " + ", ".join(filter(None, names)) if any(names) else "")
        if isinstance(labels, dict) and isinstance(labels.get("shape"), list):
            shape = " × ".join(str(n) for n in labels["shape"])
            lines.append(f"Labels: {shape}, {labels.get('dtype', '')}")
        when = self.changed.astimezone()
        lines.append(f"Last change: {when:%d %b %Y %H:%M:%S}, {_bytes(self.size)}")
        lines.append(f"Journal: {self.path}")
        return "\n".join(filter(None, lines))


def note_of(path: Path, problem: str, images: Sequence[ImageIdentity]) -> JournalNote | None:
    """Describe a journal that cannot be restored.

    Parameters
    ----------
    path
        The file; it is read, and not changed.
    problem
        Why it cannot be restored.
    images
        The images on show.

    Returns
    -------
    JournalNote or None
        None where it says that it belongs to another image: it will be spoken of there.
    """
    fields = head_fields(path)
    try:
        own = ImageIdentity.of_plain(fields["image"])
    except (KeyError, TypeError, ValueError, AttributeError):
        own = None  # perhaps one of these images'
    if own is not None and all(own.difference(image) for image in images):
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    changed = datetime.fromtimestamp(found.st_mtime, UTC)
    return JournalNote(path, problem, changed, found.st_size, fields)


def describe_notes(notes: Sequence[JournalNote]) -> str:
    """Say in one line how many journals cannot be restored, and that they stay."""
    if not notes:
        return ""
    latest = max(note.changed for note in notes).astimezone()
    when = f"{latest.day} {latest:%b} {latest:%H:%M}"
    journals = counted(len(notes), "journal")
    of = f"of {when}" if len(notes) == 1 else f"(the latest of {when})"
    return f"{journals} {of} cannot be restored by this version; nothing of it is deleted"


def _bytes(size: int) -> str:
    return f"{size} bytes" if size < 10_000 else f"{size / 1e6:.2g} MB"
