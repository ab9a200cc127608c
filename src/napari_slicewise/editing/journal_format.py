"""The bytes of a journal: records that each say how long they are and whether they are whole.

A file is a magic word and records. A record is two numbers of 32 bits, the length of its
body and the body's CRC-32, and the body: the length of a line of JSON, the line, and the
blocks of bytes whose lengths the line lists under ``blocks``.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_slicewise.editing.compact import pack, unpack
from napari_slicewise.editing.edits import Patch
from napari_slicewise.editing.errors import JournalError
from napari_slicewise.editing.listening import Change

__all__ = [
    "VERSION",
    "Record",
    "edit_record",
    "encode",
    "head_fields",
    "head_of",
    "patches_of",
    "read_records",
]

VERSION = 1
_MAGIC = b"SLICEWISE-JOURNAL\n"
_FRAME = struct.Struct("<II")
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, eq=False)
class Record:
    """One record.

    Parameters
    ----------
    kind
        ``head``, ``edit``, ``slice``, ``locks`` or ``state``.
    fields
        What JSON holds of it.
    blocks
        Compressed arrays.
    """

    kind: str
    fields: dict[str, Any]
    blocks: tuple[bytes, ...] = ()


def encode(record: Record) -> bytes:
    """Return the bytes of a record; the head begins with the magic word."""
    line = {**record.fields, "kind": record.kind, "blocks": [len(b) for b in record.blocks]}
    text = json.dumps(line, separators=(",", ":")).encode()
    body = b"".join([_LENGTH.pack(len(text)), text, *record.blocks])
    framed = _FRAME.pack(len(body), zlib.crc32(body)) + body
    return _MAGIC + framed if record.kind == "head" else framed


def head_of(path: Path) -> Record:
    """Read the first record of a journal.

    Raises
    ------
    JournalError
        When the file is no journal, cut off, or of a version that cannot be read.
    """
    for found in read_records(path):
        if isinstance(found, Record):
            return found
    raise JournalError(f"{path.name} is cut off at its beginning.", "It holds no edits.")


def head_fields(path: Path) -> dict[str, Any]:
    """Return what a journal of any version says of itself; nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                return {}
            body, whole = _body(file, file.read(_FRAME.size))
    except OSError:
        return {}
    record = _decode(body) if whole else None
    return {} if record is None else record.fields


def read_records(path: Path) -> Iterator[Record | int]:
    """Read the records of a journal up to the first that is torn or corrupt.

    Yields
    ------
    Record or int
        The records, the head first; if the end is damaged, at last how many records were
        lost, as far as they can be counted.

    Raises
    ------
    JournalError
        When the file is no journal, or of a version that cannot be read.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise JournalError(f"{path.name} is no journal of edits.", "Choose another file.")
            first = True
            while True:
                frame = file.read(_FRAME.size)
                if not frame:
                    return
                body, whole = _body(file, frame)
                record = _decode(body) if whole else None
                if record is None:
                    yield 1 + _frames_left(file) if len(frame) == _FRAME.size else 1
                    return
                if first:
                    _check_version(record, path)
                first = False
                yield record
    except OSError as error:
        raise JournalError(
            f"{path.name} cannot be read: {error.strerror or error}.", "Check the folder."
        ) from error


def _body(file: Any, frame: bytes) -> tuple[bytes, bool]:
    if len(frame) < _FRAME.size:
        return b"", False
    length, expected = _FRAME.unpack(frame)
    start = file.tell()
    if length > file.seek(0, 2) - start:  # never ask for more memory than the file is long
        return b"", False
    file.seek(start)
    body = file.read(length)
    return body, zlib.crc32(body) == expected


def _frames_left(file: Any) -> int:
    """Count the frames after a damaged one; what follows a torn frame cannot be counted."""
    count = 0
    end = Path(file.name).stat().st_size
    while len(frame := file.read(_FRAME.size)) == _FRAME.size:
        count += 1
        length, _ = _FRAME.unpack(frame)
        if file.tell() + length > end:
            break
        file.seek(length, 1)
    return count


def _decode(body: bytes) -> Record | None:
    try:
        (length,) = _LENGTH.unpack_from(body)
        line = json.loads(body[_LENGTH.size : _LENGTH.size + length])
        place = _LENGTH.size + length
        blocks = []
        for size in line.pop("blocks"):
            blocks.append(body[place : place + size])
            place += size
        return Record(str(line.pop("kind")), line, tuple(blocks))
    except (struct.error, ValueError, KeyError, TypeError, AttributeError):
        return None


def _check_version(record: Record, path: Path) -> None:
    version = record.fields.get("version")
    if record.kind != "head" or not isinstance(version, int):
        raise JournalError(f"{path.name} does not say what it is.", "It cannot be restored.")
    if version != VERSION:
        age = "a newer" if version > VERSION else "an older"
        raise JournalError(
            f"{path.name} was written by {age} version of the plugin (format {version}, "
            f"this one reads {VERSION}).",
            "Open it with that version.",
        )


def edit_record(changes: Sequence[Change], words: str, kind: str) -> Record:
    """Return the record of an edit: for each patch the mask, the new values, whose they are."""
    patches = []
    blocks: list[bytes] = []
    for patch, bits in changes:
        patches.append(
            {
                "start": [int(n) for n in patch.start],
                "shape": list(patch.mask.shape),
                "count": int(patch.new.size),
                "dtype": patch.new.dtype.str,
            }
        )
        blocks += [pack(patch.mask), pack(patch.new), pack(bits)]
    fields = {"words": words, "by": kind, "patches": patches}
    return Record("edit", fields, tuple(blocks))


def patches_of(record: Record) -> list[Change]:
    """Return the patches of an edit's record; their old values are not known.

    Raises
    ------
    ValueError, KeyError, RuntimeError
        When the record contradicts itself.
    """
    found: list[Change] = []
    for number, fields in enumerate(record.fields["patches"]):
        mask, new, bits = record.blocks[3 * number : 3 * number + 3]
        count = (int(fields["count"]),)
        values = unpack(new, np.dtype(fields["dtype"]), count)
        shape = tuple(int(n) for n in fields["shape"])
        start = tuple(int(n) for n in fields["start"])
        patch = Patch(start, unpack(mask, np.dtype(bool), shape), np.zeros_like(values), values)
        found.append((patch, unpack(bits, np.dtype(bool), count)))
    return found
