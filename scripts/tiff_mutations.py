"""Random damage to TIFF files, where it hurts: and what is left of their list of pages."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Layout", "lay_out", "mutate"]

SIZES = (0, 1, 2, 3, 4, 8, 1, 2, 4, 8, 4, 8, 4, 4, 2, 8, 8, 8, 8)
"""Bytes of a value, by the type of a tag."""
WIDTH, LENGTH, SAMPLES, DESCRIPTION = 256, 257, 277, 270
GEOMETRY = {
    256,
    257,
    258,
    259,
    262,
    266,
    273,
    274,
    277,
    278,
    279,
    284,
    317,
    322,
    323,
    324,
    325,
    339,
}
MOST_PAGES = 5000


@dataclass(frozen=True)
class Entry:
    """A tag where it lies in the file."""

    code: int
    place: int
    value_place: int
    value_bytes: int


@dataclass
class Layout:
    """The pages of a file: (length, width, samples) of each, and all of their tags."""

    order: str = "<"
    big: bool = False
    pages: list[tuple[int, int, int]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    links: list[int] = field(default_factory=list)
    broken: bool = False


def lay_out(data: bytes) -> Layout:
    """Follow the chain of pages as the format describes it, whatever other readers make of it."""
    found = Layout("<" if data[:2] == b"II" else ">")
    try:
        found.big = struct.unpack_from(found.order + "H", data, 2)[0] == 43
        link = 8 if found.big else 4
        seen: set[int] = set()
        while len(found.pages) < MOST_PAGES:
            found.links.append(link)
            (place,) = struct.unpack_from(found.order + ("Q" if found.big else "I"), data, link)
            if place == 0:
                return found
            if place in seen:
                break
            seen.add(place)
            link = _read_page(data, place, found)
    except struct.error:
        pass
    found.broken = True
    return found


def _read_page(data: bytes, place: int, found: Layout) -> int:
    """Note the tags of a page; return where the link to the next one lies."""
    order, big = found.order, found.big
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, place)
    start, width, room = place + (8 if big else 2), 20 if big else 12, 8 if big else 4
    values: dict[int, int] = {}
    for number in range(min(count, 4096)):
        at = start + number * width
        code, kind, amount = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, at)
        total = amount * (SIZES[kind] if kind < len(SIZES) else 1)
        value_at = at + width - room
        if total > room:
            (value_at,) = struct.unpack_from(order + ("Q" if big else "I"), data, value_at)
        elif kind in (3, 4):
            (values[code],) = struct.unpack_from(
                order + ("H" if kind == 3 else "I"), data, value_at
            )
        found.entries.append(Entry(code, at, value_at, total))
    found.pages.append((values.get(LENGTH, 0), values.get(WIDTH, 0), values.get(SAMPLES, 1)))
    return start + count * width


def mutate(whole: bytes, rng: random.Random) -> tuple[str, bytes]:
    """Damage a file in one to three places of one kind.

    Parameters
    ----------
    whole
        The undamaged file.
    rng
        Where the randomness comes from.

    Returns
    -------
    The kind of damage, and the damaged file.
    """
    kind = rng.choice(tuple(_KINDS))
    data = bytearray(whole)
    layout = lay_out(whole)
    for _ in range(rng.randint(1, 3)):
        data = _KINDS[kind](data, layout, rng)
    return kind, bytes(data)


def _put(data: bytearray, place: int, values: bytes) -> bytearray:
    if 0 <= place <= len(data) - len(values):
        data[place : place + len(values)] = values
    return data


def _header(data: bytearray, _: Layout, rng: random.Random) -> bytearray:
    return _put(data, rng.randrange(min(16, len(data))), rng.randbytes(1))


def _tags(data: bytearray, layout: Layout, rng: random.Random) -> bytearray:
    """Change a byte of a tag: its code, type, count or value."""
    if not layout.entries:
        return _header(data, layout, rng)
    entry = rng.choice(layout.entries)
    return _put(data, entry.place + rng.randrange(20 if layout.big else 12), rng.randbytes(1))


def _offsets(data: bytearray, layout: Layout, rng: random.Random) -> bytearray:
    """Let a link or a value point anywhere: back, past the end, nowhere, close by."""
    places = [entry.place + (12 if layout.big else 8) for entry in layout.entries] + layout.links
    anywhere = (
        0,
        rng.randrange(len(data)),
        len(data) + rng.randrange(1000),
        2**31,
        2**32 - 1,
        rng.choice(layout.links or [4]),
        8,
    )
    form = layout.order + ("Q" if layout.big else "I")
    return _put(data, rng.choice(places or [4]), struct.pack(form, rng.choice(anywhere)))


def _sizes(data: bytearray, layout: Layout, rng: random.Random) -> bytearray:
    """Set what describes the geometry of a page to a number that hurts."""
    entries = [entry for entry in layout.entries if entry.code in GEOMETRY]
    if not entries:
        return _header(data, layout, rng)
    entry = rng.choice(entries)
    number = rng.choice(
        (0, 1, 2, 3, 7, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1, rng.getrandbits(16))
    )
    room = min(4, max(1, entry.value_bytes))
    kept = number & (256**room - 1)
    return _put(
        data, entry.value_place, kept.to_bytes(room, "little" if layout.order == "<" else "big")
    )


def _pixels(data: bytearray, _: Layout, rng: random.Random) -> bytearray:
    """Overwrite some bytes anywhere behind the header."""
    for _number in range(rng.randint(1, 64)):
        data = _put(data, rng.randrange(min(16, len(data) - 1), len(data)), rng.randbytes(1))
    return data


def _description(data: bytearray, layout: Layout, rng: random.Random) -> bytearray:
    """Change the text that OME, ImageJ and others write: a digit, a letter, a whole piece."""
    texts = [e for e in layout.entries if e.code == DESCRIPTION and e.value_bytes > 8]
    if not texts:
        return _tags(data, layout, rng)
    entry = texts[0] if rng.random() < 0.8 else rng.choice(texts)
    start, stop = entry.value_place, min(len(data), entry.value_place + entry.value_bytes)
    if start >= stop:
        return data
    way = rng.random()
    digits = [place for place in range(start, stop) if chr(data[place]).isdigit()]
    if way < 0.5 and digits:
        return _put(data, rng.choice(digits), rng.choice(b"0123456789-.eN").to_bytes(1, "big"))
    place = rng.randrange(start, stop)
    if way < 0.8:
        return _put(data, place, rng.randbytes(1))
    return _put(data, place, bytes(min(stop - place, rng.randint(1, 40))))


def _cut(data: bytearray, _: Layout, rng: random.Random) -> bytearray:
    return data[: rng.randrange(1, len(data))] if len(data) > 1 else data


_KINDS: dict[str, Callable[[bytearray, Layout, random.Random], bytearray]] = {
    "header": _header,
    "tags": _tags,
    "offsets": _offsets,
    "sizes": _sizes,
    "pixels": _pixels,
    "description": _description,
    "cut": _cut,
}
