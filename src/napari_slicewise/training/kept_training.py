"""A training on the disk: what was asked for, the slices, the state to go on from.

No torch here: the desktop imports this.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_slicewise.editing.file_lock import FileLock
from napari_slicewise.errors import OutputError, SlicewiseError
from napari_slicewise.training.request import Annotation, LearnRequest

__all__ = ["KeptTraining", "learning_folder", "unfinished_trainings"]

_KEPT_TRAININGS = 4
_LOCK, _NOTE, _STATE, _DRAFT = "training.lock", "training.json", "state.pt", "model.safetensors"


def learning_folder() -> Path:
    """Return where trainings are kept, in the user's data folder.

    The variable ``SLICEWISE_LEARNING`` of the environment names another one.
    """
    if chosen := os.environ.get("SLICEWISE_LEARNING"):
        return Path(chosen)
    from platformdirs import user_data_path

    return user_data_path("napari-slicewise", appauthor=False) / "learning"


@dataclass(frozen=True)
class KeptTraining:
    """A folder with one training, which goes on after a Stop, a crash or a kill.

    Parameters
    ----------
    folder
        The folder; made when something is written.
    """

    folder: Path

    @classmethod
    def fresh(cls, parent: Path) -> KeptTraining:
        """Return a new folder's training; the oldest ones that nobody holds are removed."""
        for old in sorted(_trainings(parent), reverse=True)[_KEPT_TRAININGS - 1 :]:
            if not old.held:
                shutil.rmtree(old.folder, ignore_errors=True)
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        return cls(parent / f"{stamp}-{uuid.uuid4().hex[:6]}")

    def __lt__(self, other: KeptTraining) -> bool:
        """Sort by age, the oldest first: names begin with the time."""
        return self.folder.name < other.folder.name

    @property
    def state(self) -> Path:
        """Where the state lies that a training goes on from."""
        return self.folder / _STATE

    @property
    def draft(self) -> Path:
        """Where the best weights lie."""
        return self.folder / _DRAFT

    @property
    def held(self) -> bool:
        """Whether a worker is at it."""
        lock = FileLock(self.folder / _LOCK)
        try:
            free = lock.acquire()
        except OSError:
            return False
        lock.release()
        return not free

    @property
    def note(self) -> dict[str, Any]:
        """What was noted of it; empty where that cannot be read."""
        try:
            found = json.loads((self.folder / _NOTE).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def can_go_on(self) -> bool:
        """Whether there is a state to go on from, and something left to do."""
        return self.state.is_file() and not self.note.get("finished", True)

    def hold(self) -> FileLock:
        """Make the folder and keep others away from it.

        Raises
        ------
        OutputError
            When it cannot be made, or somebody else is at it.
        """
        lock = FileLock(self.folder / _LOCK)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if lock.acquire():
                return lock
        except OSError as error:
            raise _unwritten(self.folder, error) from error
        raise OutputError(
            "Another napari goes on with this training.", "Press Learn to begin a new one."
        )

    def write_note(self, request: LearnRequest, *, finished: bool, **facts: Any) -> None:
        """Note what was asked for, and whether it is done."""
        text = json.dumps({**facts, "request": asdict(request), "finished": finished})
        part = self.folder / f"{_NOTE}.part"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            part.write_text(text, "utf-8")
            part.replace(self.folder / _NOTE)
        except OSError as error:
            raise _unwritten(self.folder, error) from error

    def request(self) -> LearnRequest:
        """Return what was asked for.

        Raises
        ------
        OutputError
            When that cannot be read.
        """
        try:
            values = dict(self.note["request"])
            for key in ("held_out", "class_names"):
                values[key] = None if values[key] is None else tuple(values[key])
            return LearnRequest(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise OutputError(
                f"What was to be learned cannot be read from {self.folder}.",
                "Press Learn to begin a new training.",
            ) from error

    def keep(self, annotation: Annotation) -> None:
        """Write an annotated slice, in place of the one of its name.

        Raises
        ------
        OutputError
            When it cannot be written.
        """
        path = self._slice_path(annotation.name)
        part = path.with_suffix(".part")
        known = np.zeros(0, bool) if annotation.known is None else np.asarray(annotation.known)
        about = {"name": annotation.name, "group": annotation.group, "rgb": annotation.rgb}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                np.savez(
                    file,
                    image=np.asarray(annotation.image),
                    labels=np.asarray(annotation.labels),
                    known=np.packbits(known),
                    about=np.frombuffer(json.dumps(about).encode(), np.uint8),
                )
            part.replace(path)
        except OSError as error:
            raise _unwritten(path, error) from error
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def annotations(self) -> tuple[Annotation, ...]:
        """Read the slices that were kept; one that is damaged is left out."""
        return tuple(sorted(self._read(), key=lambda found: found.name))

    def _read(self) -> Iterator[Annotation]:
        for path in (self.folder / "slices").glob("*.npz"):
            damage = suppress(OSError, ValueError, KeyError, SlicewiseError, zipfile.BadZipFile)
            with damage, path.open("rb") as file, np.load(file, allow_pickle=False) as found:
                about = json.loads(found["about"].tobytes())
                labels, bits = found["labels"], found["known"]
                known = None
                if bits.size:
                    known = np.unpackbits(bits, count=labels.size).astype(bool)
                    known = known.reshape(labels.shape)
                yield Annotation(
                    str(about["name"]),
                    found["image"],
                    labels,
                    known,
                    group=str(about["group"]),
                    rgb=bool(about["rgb"]),
                )

    def _slice_path(self, name: str) -> Path:
        digest = hashlib.blake2b(name.encode(), digest_size=12).hexdigest()
        return self.folder / "slices" / f"{digest}.npz"


def unfinished_trainings(parent: Path) -> list[KeptTraining]:
    """Return the trainings that can go on and that nobody is at, the latest first."""
    found = [one for one in _trainings(parent) if one.can_go_on and not one.held]
    return sorted(found, reverse=True)


def _trainings(parent: Path) -> list[KeptTraining]:
    if not parent.is_dir():
        return []
    return [KeptTraining(path) for path in parent.iterdir() if (path / _NOTE).is_file()]


def _unwritten(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path} could not be written: {error.strerror or error}.",
        "Is there space left, and may you write in this folder?",
    )
