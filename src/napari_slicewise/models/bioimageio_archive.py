"""The files of a bioimage.io package, a zip or a folder, read without trusting either. No torch.

Nothing is unpacked by the names that an archive gives; what is read, is read by a name
that was looked up, and never more than the archive's list says.
"""

from __future__ import annotations

import io
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import TracebackType
from typing import IO, Self

from napari_slicewise.errors import ModelError

__all__ = ["PackageFiles", "find_description", "is_package"]

_NAMES = ("rdf.yaml", "bioimageio.yaml", "model.yaml")
_HINT = (
    "A bioimage.io package is a .zip or a folder with rdf.yaml or bioimageio.yaml at its top. "
    "Download it whole from bioimage.io."
)
_LARGEST_LIST = 4 << 20  # bytes of an archive's list of entries; a package's has 2,000
_MOST_ENTRIES = 5_000
_FREE_SIZE = 64 << 20  # bytes; below that, a file may be compressed as far as it will go
_LARGEST_RATIO = 20  # above it; weights shrink to nine tenths
_BROKEN = (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error, zlib.error)


def is_package(path: Path) -> bool:
    """Whether a path is meant as a bioimage.io package; whether it is a good one is not asked.

    Parameters
    ----------
    path
        A zip, a folder, or the description (rdf.yaml) within one.
    """
    if path.is_dir():
        return find_description(entry.name for entry in path.iterdir()) is not None
    if path.suffix.lower() in (".yaml", ".yml"):
        return find_description([path.name]) is not None
    if path.exists() and not path.is_file():  # a pipe would be waited for, a device never ends
        return False
    try:
        with _Bounded(path) as file, zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except _BROKEN:
        return path.suffix.lower() == ".zip"
    if find_description(names) is not None:
        return True
    return path.suffix.lower() == ".zip" and not any(n.endswith("data.pkl") for n in names)


def find_description(names: Iterable[str]) -> str | None:
    """Return which of these names is the description's; None where none is."""
    present = sorted(names)
    for wanted in _NAMES:
        for name in present:
            if name == wanted or ("/" not in name and name.endswith(f".{wanted}")):
                return name
    return None


class PackageFiles:
    """A package that is open for reading; close it, or use it as a context manager.

    Parameters
    ----------
    path
        A zip, a folder, or the description within a folder.

    Attributes
    ----------
    path
        As given.
    description
        The name of the description.
    root
        The folder, or the open archive.

    Raises
    ------
    ModelError
        When it is no package, is broken, or is made to harm: entries that lie outside of
        it, that claim to unpack to many times their size, or links.
    """

    root: Path | zipfile.ZipFile

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stack = ExitStack()
        try:
            found = self._open_folder() if _is_folder(path) else self._open_archive()
        except BaseException:
            self._stack.close()
            raise
        self.description = found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the archive."""
        self._stack.close()

    def size(self, name: str) -> int:
        """Return how many bytes a file of the package has, unpacked.

        Raises
        ------
        ModelError
            When there is no such file.
        """
        if isinstance(self.root, Path):
            return self._within(self.root, name).stat().st_size
        return self._entry(self.root, name).file_size

    def read(self, name: str, most: int) -> bytes:
        """Read a whole file.

        Parameters
        ----------
        name
            As the description writes it.
        most
            Bytes; a larger file is refused before it is read.

        Raises
        ------
        ModelError
            When there is none, it is too large, or damaged.
        """
        size = self.size(name)
        if size > most:
            raise ModelError(
                f"{self.path}: its file {name!r} has {size} bytes; {most} are the most for that.",
                _HINT,
            )
        try:
            with self._open(name) as file:
                return file.read(size)
        except _BROKEN as error:
            raise self._damaged(name) from error

    def copy(self, name: str, target: Path) -> None:
        """Copy a file out of the package, piece by piece.

        Raises
        ------
        ModelError
            When there is none, or it is damaged.
        """
        self.size(name)
        try:
            with self._open(name) as file, target.open("wb") as copy:
                shutil.copyfileobj(file, copy, 1 << 20)
        except _BROKEN as error:
            raise self._damaged(name) from error

    def _open_folder(self) -> str:
        folder = self.path if self.path.is_dir() else self.path.parent
        self.root = folder
        try:
            names = [self.path.name] if folder != self.path else [e.name for e in folder.iterdir()]
        except OSError as error:
            raise ModelError(f"{folder} cannot be read: {error.strerror or error}.") from error
        found = find_description(names)
        if found is None:
            raise ModelError(f"{self.path} is no bioimage.io package.", _HINT)
        return found

    def _open_archive(self) -> str:
        try:
            file = self._stack.enter_context(_Bounded(self.path))
            self.root = self._stack.enter_context(zipfile.ZipFile(file))
        except FileNotFoundError as error:
            raise ModelError(f"There is no file {self.path}.", "Was it moved?") from error
        except _BROKEN as error:
            raise ModelError(
                f"{self.path} is a broken or incomplete archive ({error}).",
                "Download or copy it again.",
            ) from error
        _check_entries(self.path, self.root.infolist())
        found = find_description(self.root.namelist())
        if found is None:
            raise ModelError(f"{self.path} holds no description of a model.", _HINT)
        return found

    def _open(self, name: str) -> IO[bytes]:
        if isinstance(self.root, Path):
            return self._within(self.root, name).open("rb")
        return self.root.open(self._entry(self.root, name))

    def _entry(self, archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
        try:
            return archive.getinfo(PurePosixPath(name).as_posix())
        except KeyError as error:
            raise self._missing(name) from error

    def _within(self, folder: Path, name: str) -> Path:
        """Return a file's place in the folder; what leads out of it is refused, links too."""
        found = (folder / name).resolve()
        if _leads_out(name) or not found.is_relative_to(folder.resolve()):
            raise ModelError(f"{self.path}: its file {name!r} lies outside of the package.", _HINT)
        if not found.is_file():
            raise self._missing(name)
        return found

    def _missing(self, name: str) -> ModelError:
        return ModelError(f"{self.path}: its file {name!r} is missing.", _HINT)

    def _damaged(self, name: str) -> ModelError:
        return ModelError(
            f"{self.path}: its file {name!r} is damaged.", "Download or copy the package again."
        )


class _Bounded(io.BufferedReader):
    """A file that gives no more at once than a list of entries may have.

    ``ZipFile`` reads that list whole, as long as the archive says it is.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))

    def read(self, size: int | None = -1, /) -> bytes:
        """Read ``size`` bytes."""
        if size is not None and size > _LARGEST_LIST:
            raise zipfile.BadZipFile(f"a list of entries of {size} bytes")
        return super().read(size)


def _is_folder(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() in (".yaml", ".yml")


def _leads_out(name: str) -> bool:
    """Whether a name, read by the rules of any system, points outside of where it stands."""
    windows = PureWindowsPath(name)
    return ".." in windows.parts or bool(windows.anchor) or name.startswith("/")


def _check_entries(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Refuse archives that no one makes for a model, by their list alone."""
    if len(entries) > _MOST_ENTRIES:
        raise ModelError(f"{path} has {len(entries)} entries, as no package of a model has.", _HINT)
    size = path.stat().st_size
    if sum(entry.compress_size for entry in entries) > size:
        raise ModelError(
            f"{path}: its entries overlap; together they are larger than the file.",
            "The file is damaged, or made to exhaust the memory.",
        )
    for entry in entries:
        reason = _fault(entry)
        if reason:
            raise ModelError(
                f"{path}: its entry {entry.filename!r} {reason}, so it was not unpacked.",
                "No package of a model needs that: do not trust the file.",
            )


def _fault(entry: zipfile.ZipInfo) -> str:
    """Say what is wrong with an entry; nothing where all is well."""
    if _leads_out(entry.filename):
        return "points outside of the package"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a link"
    if entry.flag_bits & 1:
        return "is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in an unusual way"
    most = max(_FREE_SIZE, _LARGEST_RATIO * entry.compress_size)
    if entry.file_size > most:
        return f"claims {entry.file_size} bytes in {entry.compress_size}"
    return ""
