"""A folder that is either complete or not there: built beside its name, then renamed."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from napari_slicewise.errors import OutputError
from napari_slicewise.io.atomic_file import ENDING, explain_output, is_alive, sync

__all__ = ["Draft", "FolderDraft", "check_output_folder", "put_in_place", "remove_leftovers"]


class Draft(Protocol):
    """Where a folder is built before it gets its name."""

    folder: Path

    def commit(self) -> None:
        """Give the folder its name."""

    def close(self) -> None:
        """Remove what is temporary; without a commit, what had the name before stays."""


def check_output_folder(path: Path, inputs: Sequence[str | os.PathLike[str]]) -> None:
    """Refuse what would destroy an input, or anything that is no zarr folder.

    Parameters
    ----------
    path
        The folder to be written.
    inputs
        Files and folders that must survive.

    Raises
    ------
    OutputError
        When the folder is or holds an input, or is there and no zarr.
    """
    if not path.parent.is_dir() and path.parent.name != "labels":
        raise OutputError(f"There is no folder {path.parent}.", "Create it, or choose another.")
    own = path.resolve()
    for source in map(Path, inputs):
        other = source.resolve()
        within = own.is_relative_to(other) and own.parent != other / "labels"
        if other == own or other.is_relative_to(own) or within:
            raise OutputError(
                f"{path.name} is the input or a part of it; the result must not replace it.",
                "Choose another name.",
            )
    marks = ("zarr.json", ".zgroup", ".zattrs")
    strange = path.is_file() or (
        path.is_dir() and any(path.iterdir()) and not any((path / mark).exists() for mark in marks)
    )
    if strange:
        raise OutputError(f"{path} is there and no zarr folder.", "Choose another name.")


class FolderDraft:
    """A folder under a temporary name, which gets its true name when it is complete.

    Parameters
    ----------
    path
        The true name.

    Raises
    ------
    OutputError
        When it cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with explain_output(path):
            path.parent.mkdir(exist_ok=True)
            remove_leftovers(path)
            self.folder = path.with_name(f".{path.name}.{os.getpid()}{ENDING}")
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir()

    def commit(self) -> None:
        """Make sure of the bytes, and rename; the folder that was there before goes last.

        Raises
        ------
        OutputError
            When the folder system refuses.
        """
        put_in_place(self.folder, self.path)

    def close(self) -> None:
        """Remove the temporary folder; without a commit, what was there before stays."""
        shutil.rmtree(self.folder, ignore_errors=True)


def put_in_place(folder: Path, path: Path) -> None:
    """Make sure of the bytes of a folder, and give it a name; what had the name goes last.

    Parameters
    ----------
    folder
        The folder, complete, on the same disk.
    path
        Its name.

    Raises
    ------
    OutputError
        When the file system refuses.
    """
    with explain_output(path):
        for file in folder.rglob("*"):
            if file.is_file():
                sync(file)
        old = path.with_name(f".{path.name}.{os.getpid()}.old{ENDING}")
        shutil.rmtree(old, ignore_errors=True)
        if path.exists():
            path.rename(old)
        try:
            folder.rename(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
        sync(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def remove_leftovers(path: Path) -> None:
    """Remove what killed programs left; one killed between two renames left the old folder.

    Parameters
    ----------
    path
        The name under which the folder was to appear.
    """
    pattern = re.compile(re.escape(f".{path.name}.") + r"(\d+)(\.old)?" + re.escape(ENDING))
    for candidate in list(path.parent.iterdir()):
        found = pattern.fullmatch(candidate.name)
        if not found or is_alive(int(found[1])):
            continue
        if found[2] and not path.exists():
            candidate.rename(path)
        else:
            shutil.rmtree(candidate, ignore_errors=True)
