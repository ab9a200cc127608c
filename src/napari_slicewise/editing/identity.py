"""By what an image is known again."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_slicewise.io.source import SliceIndex, SliceSource

__all__ = ["ImageIdentity"]


@dataclass(frozen=True)
class ImageIdentity:
    """What tells one image from another without reading all of it.

    Parameters
    ----------
    shape
        Leading axes, rows and columns.
    dtype
        Type of a pixel.
    digest
        SHA-256 of the first, the middle and the last slice.
    path
        The file; empty where there is none.
    size
        Bytes of the file; -1 where not known.
    modified
        When it was last changed, seconds since 1970; -1 where not known.
    """

    shape: tuple[int, ...]
    dtype: str
    digest: str
    path: str = ""
    size: int = -1
    modified: float = -1.0

    @classmethod
    def of(cls, source: SliceSource, path: Path | str | None = None) -> ImageIdentity:
        """Look at an image.

        Raises
        ------
        ImageError
            When a slice cannot be read.
        """
        shape = (*source.leading_shape, *source.slice_shape)
        digest = hashlib.sha256()
        for index in _samples(source.leading_shape):
            digest.update(np.ascontiguousarray(source.read_slice(index)).tobytes())
        size, modified = -1, -1.0
        if path is not None and Path(path).is_file():
            state = Path(path).stat()
            size, modified = state.st_size, state.st_mtime
        name = "" if path is None else str(path)
        return cls(shape, str(source.dtype), digest.hexdigest(), name, size, modified)

    def difference(self, other: ImageIdentity) -> str:
        """Return in what another image differs, as a sentence; empty when it is the same.

        A file may be moved and copied: what counts are its pixels.
        """
        if self.shape != other.shape:
            return f"One image has the shape {self.shape}, the other {other.shape}."
        if self.dtype != other.dtype:
            return f"One image is of type {self.dtype}, the other of {other.dtype}."
        if self.digest != other.digest:
            return "The pixels of the two images differ."
        return ""

    def plain(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {**asdict(self), "shape": list(self.shape)}

    @classmethod
    def of_plain(cls, document: dict[str, Any]) -> ImageIdentity:
        """Return what :meth:`plain` described."""
        return cls(
            tuple(int(n) for n in document["shape"]),
            str(document["dtype"]),
            str(document["digest"]),
            str(document.get("path", "")),
            int(document.get("size", -1)),
            float(document.get("modified", -1.0)),
        )


def _samples(leading: tuple[int, ...]) -> list[SliceIndex]:
    places = [tuple(0 for _ in leading), tuple(n // 2 for n in leading)]
    return list(dict.fromkeys([*places, tuple(n - 1 for n in leading)]))
