"""Trainings that were stopped or cut off, and can go on."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from napari_slicewise.errors import SlicewiseError
from napari_slicewise.training.kept_training import (
    KeptTraining,
    learning_folder,
    unfinished_trainings,
)

__all__ = ["Unfinished", "latest_unfinished"]


@dataclass(frozen=True)
class Unfinished:
    """A training that can go on.

    Parameters
    ----------
    kept
        Where it is kept.
    words
        What it is about.
    seconds, minutes
        Time spent, and time that it was to take.
    """

    kept: KeptTraining
    words: str
    seconds: float
    minutes: float


def latest_unfinished() -> Unfinished | None:
    """Return the latest training that can go on; one that cannot be read is passed over."""
    for kept in unfinished_trainings(learning_folder()):
        with suppress(SlicewiseError, KeyError, TypeError, ValueError):
            note = kept.note
            minutes = kept.request().minutes
            return Unfinished(kept, str(note["words"]), float(note["seconds"]), minutes)
    return None
