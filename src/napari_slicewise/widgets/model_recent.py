"""Files with weights that were used before, kept in the user's configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import QSettings

__all__ = ["RecentModel", "recent_models", "remember_model"]

_MOST = 8


@dataclass(frozen=True)
class RecentModel:
    """A file that was used before.

    Parameters
    ----------
    path
        The file, or the folder of a package.
    title
        As the model named itself then.
    there
        Whether it is still there.
    """

    path: str
    title: str
    there: bool


def recent_models() -> tuple[RecentModel, ...]:
    """Return the files that were used before, the latest first; also those that are gone.

    A file on a disk that is not plugged in comes back with it.
    """
    paths, titles = _read("files"), _read("titles")
    titles += [""] * (len(paths) - len(titles))  # written by an earlier version
    return tuple(
        RecentModel(path, title or Path(path).name, _is_there(Path(path)))
        for path, title in zip(paths, titles, strict=False)
    )


def remember_model(path: str, title: str) -> None:
    """Put a file first among those that were used before; the oldest beyond eight is forgotten."""
    others = [recent for recent in recent_models() if recent.path != path]
    kept = [(path, title), *((recent.path, recent.title) for recent in others)][:_MOST]
    settings = _settings()
    settings.setValue("files", [path for path, _ in kept])
    settings.setValue("titles", [title for _, title in kept])


def _settings() -> QSettings:
    return QSettings(
        QSettings.Format.IniFormat, QSettings.Scope.UserScope, "napari-slicewise", "models"
    )


def _read(name: str) -> list[str]:
    """Read a list; Qt gives a list of one as the one."""
    value = _settings().value(name, [])
    return [value] if isinstance(value, str) else [str(entry) for entry in value or []]


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that this system cannot have
        return False
