"""Whether a file is still the one that was opened: layers live longer than that is certain."""

from __future__ import annotations

from pathlib import Path

from napari_slicewise.errors import ImageError
from napari_slicewise.io.tiff_damage import short_name

__all__ = ["FileStamp", "changed"]


class FileStamp:
    """What the system said of a file at one time.

    Parameters
    ----------
    path
        The file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._seen = _look(path)

    def still_holds(self) -> bool:
        """Whether the file is the same and was not written to; False when it is gone."""
        return self._seen is not None and _look(self.path) == self._seen

    def is_gone(self) -> bool:
        """Whether the file was there, and is not any more."""
        return self._seen is not None and _look(self.path) is None

    def may_have_grown(self, older: FileStamp) -> bool:
        """Whether this is the same file as before with more in it, as while it is recorded."""
        new, old = self._seen, older._seen
        return new is not None and old is not None and new[0] == old[0] and new[1] >= old[1]


def changed(path: str) -> ImageError:
    """Return the error for a file that is another now."""
    said = f"{short_name(path)} has changed since it was opened."
    return ImageError(said, "Close its layers and open it again.")


def _look(path: str) -> tuple[int, int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
