"""The state of a training in a file: tensors and plain values, nothing that runs code."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from napari_slicewise.errors import ModelError
from napari_slicewise.models.state_file import replace_file

__all__ = ["read_training", "write_training"]

_VERSION = 1


def write_training(path: Path, state: dict[str, Any]) -> None:
    """Write a state; complete or not at all.

    Raises
    ------
    OutputError
        When the file cannot be written; what was there before is then still there.
    """
    buffer = io.BytesIO()
    torch.save({"version": _VERSION, **state}, buffer)
    with replace_file(path) as file:
        file.write(buffer.getbuffer())


def read_training(path: Path) -> dict[str, Any]:
    """Read what :func:`write_training` wrote; code in the file is not run.

    Raises
    ------
    ModelError
        When it is no such file.
    """
    try:
        with path.open("rb") as file:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise ModelError(f"{path} is no saved training: {reason}.", "Begin anew.") from error
    if not isinstance(state, dict) or state.get("version") != _VERSION:
        raise ModelError(f"{path} is no saved training of this version.", "Begin anew.")
    return state
