"""What tifffile complains of in its log while it opens a file, as warnings of ours."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Complaints", "listening"]

_TAG = re.compile(r"TiffTag (\d+) @\d+> (?:invalid|raised)")
_NAMES = {
    256: "width",
    257: "length",
    258: "bits",
    259: "compression",
    262: "colours",
    270: "description",
    273: "places of the strips",
    277: "samples",
    278: "rows of a strip",
    279: "lengths of the strips",
    284: "planes",
    317: "predictor",
    320: "palette",
    322: "tile width",
    323: "tile length",
    324: "places of the tiles",
    325: "lengths of the tiles",
    330: "pyramid",
    339: "kind of numbers",
    33628: "MetaMorph",
    33629: "MetaMorph",
    34412: "Zeiss",
    50838: "ImageJ",
    50839: "ImageJ",
    51123: "Micro-Manager",
}
"""Tags without which an image may be another."""


class Complaints(logging.Handler):
    """Collects the messages of one thread."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()
        self._codes: list[int] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Note a message if it is about a tag that matters."""
        found = _TAG.search(record.getMessage()) if record.thread == self._thread else None
        if found and int(found[1]) in _NAMES and int(found[1]) not in self._codes:
            self._codes.append(int(found[1]))

    def told(self) -> tuple[str, ...]:
        """Return what was heard, in at most one sentence."""
        if not self._codes:
            return ()
        names = ", ".join(f"{code} ({_NAMES[code]})" for code in self._codes[:4])
        return (f"Tags that cannot be read are left out: {names}",)


@contextmanager
def listening() -> Iterator[Complaints]:
    """Collect tifffile's complaints; where nobody listens to its log, nothing is printed."""
    log = logging.getLogger("tifffile")
    if not log.handlers:
        log.addHandler(logging.NullHandler())
        log.propagate = False
    complaints = Complaints()
    log.addHandler(complaints)
    try:
        yield complaints
    finally:
        log.removeHandler(complaints)
