"""A file that is either complete or not there: written beside its name, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from napari_slicewise.errors import OutputError

__all__ = ["ENDING", "check_output", "explain_output", "is_alive", "replacing", "sync"]

ENDING = ".slicewise-tmp"
"""Ending of temporary names."""


def check_output(path: Path, inputs: Sequence[str | os.PathLike[str]]) -> None:
    """Refuse what would destroy an input or cannot be written.

    Parameters
    ----------
    path
        Where the result is to go.
    inputs
        Files that must survive.

    Raises
    ------
    OutputError
        When the output is an input, a folder, or lies in no folder.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder.", "Give the name of a file.")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path} is a device or a pipe.", "Give the name of a file.")
    if not path.parent.is_dir():
        raise OutputError(f"There is no folder {path.parent}.", "Create it, or choose another.")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"{path.parent} cannot be written to.", "Choose another folder.")
    for source in map(Path, inputs):
        same = path.resolve() == source.resolve()
        with contextlib.suppress(OSError):
            same = same or (path.exists() and path.samefile(source))
        if same:
            raise OutputError(
                f"{path.name} is the input; the result must not replace it.",
                "Choose another name.",
            )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name in the same folder; on success the file gets its true name.

    On any failure, an interrupt included, the temporary file is removed and what was
    there before stays. What a killed program left behind is removed by the next.

    Parameters
    ----------
    path
        The file to write or replace.

    Raises
    ------
    OutputError
        When there is no space or no permission.
    """
    _remove_leftovers(path)
    temporary = path.with_name(f".{_stem(path)}.{os.getpid()}{ENDING}")
    try:
        with explain_output(path):
            yield temporary
            sync(temporary)
            temporary.replace(path)
            sync(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):  # a read-only folder: then it was never there
            temporary.unlink(missing_ok=True)
        raise


@contextmanager
def explain_output(path: Path) -> Iterator[None]:
    """Turn errors of the file system into :class:`OutputError`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(
                f"No space is left for {path.name} in {path.parent}.", "Free some space there."
            ) from error
        raise OutputError(
            f"{path.name} could not be written: {error.strerror or error}.",
            "Check the folder and its permissions.",
        ) from error


def sync(path: Path) -> None:
    """Make sure that the bytes are on the disk; folders cannot be synced on Windows."""
    if sys.platform == "win32" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _stem(path: Path) -> str:
    """Return what a temporary name is made of: names may have 255 bytes, and it is longer."""
    if len(os.fsencode(path.name)) <= 200:
        return path.name
    return f"{path.name[:40]}~{zlib.crc32(os.fsencode(path.name)):08x}"


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files of programs that were killed while writing this very file."""
    pattern = re.compile(re.escape(f".{_stem(path)}.") + r"(\d+)" + re.escape(ENDING))
    with contextlib.suppress(OSError):
        for candidate in path.parent.iterdir():
            found = pattern.fullmatch(candidate.name)
            if found and not is_alive(int(found[1])):
                with contextlib.suppress(OSError):
                    candidate.unlink()


def is_alive(process: int) -> bool:
    """Whether a process runs; on Windows an open file cannot be removed, so it may be tried."""
    if sys.platform == "win32":
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
