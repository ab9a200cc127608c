"""Where the models lie that were trained here, and under which names."""

from __future__ import annotations

import os
import re
from pathlib import Path

from napari_slicewise.errors import OutputError

__all__ = ["free_title", "model_path", "models_folder"]

_UNFIT = re.compile(r"[^\w .()+-]+")
_LONGEST = 80


def models_folder() -> Path:
    """Return the folder of the user's own models, in the user's data folder.

    The variable ``SLICEWISE_MODELS`` of the environment names another one.
    """
    if chosen := os.environ.get("SLICEWISE_MODELS"):
        return Path(chosen)
    from platformdirs import user_data_path

    return user_data_path("napari-slicewise", appauthor=False) / "models"


def model_path(title: str) -> Path:
    """Return the file of a new model of this title.

    Raises
    ------
    OutputError
        When no file can have this name, or one has it already.
    """
    stem = _UNFIT.sub("_", title).strip(" .")[:_LONGEST]
    if not stem:
        raise OutputError("The model has no name.", "Give it one.")
    path = models_folder() / f"{stem}.safetensors"
    if path.exists() or path.with_suffix(".md").exists():
        raise OutputError(f"There is a model named {stem!r} already.", "Choose another name.")
    return path


def free_title(wanted: str) -> str:
    """Return a title like the wanted one that no model has, with a number where needed."""
    title, number = wanted, 1
    while True:
        try:
            model_path(title)
        except OutputError:
            if not wanted.strip(" ."):
                wanted = title = "model"
                continue
            number += 1
            title = f"{wanted} {number}"
        else:
            return title
