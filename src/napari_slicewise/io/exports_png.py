"""Labels as a folder of PNG files of 16 bits, one a slice."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from napari_slicewise.errors import OutputError
from napari_slicewise.io.atomic_file import explain_output
from napari_slicewise.io.atomic_folder import FolderDraft
from napari_slicewise.io.source import ArraySource

__all__ = ["write_png_stack"]

_LARGEST = 2**16 - 1


def write_png_stack(
    folder: Path, labels: ArraySource, *, inputs: Sequence[str | os.PathLike[str]] = ()
) -> Path:
    """Write a new folder of label maps: grey values are the objects' numbers.

    Parameters
    ----------
    folder
        The folder; it must not be there, or be empty. Files in it are called
        ``labels_0003.png`` after the slice, ``labels_0001_0003.png`` with two leading axes.
    labels
        The labels.
    inputs
        Files that must survive.

    Raises
    ------
    OutputError
        When the folder is there, cannot be written, or a number does not fit.
    """
    from imagecodecs import png_encode

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} is there already.", "Choose the name of a new folder.")
    if any(folder.resolve() == Path(name).resolve() for name in inputs):
        raise OutputError(f"{folder.name} is the input.", "Choose another name.")
    if not folder.parent.is_dir():
        raise OutputError(f"There is no folder {folder.parent}.", "Create it, or choose another.")
    with closing(FolderDraft(folder)) as draft:
        for index in labels.indices():
            values = labels.read_slice(index)[0]
            if int(values.max(initial=0)) > _LARGEST:
                raise OutputError(
                    f"Object {int(values.max())} does not fit 16 bits.",
                    "Relabel the objects sequentially first.",
                )
            name = "_".join(["labels", *(f"{i:04d}" for i in index)])
            data = png_encode(np.ascontiguousarray(values.astype(np.uint16)))
            with explain_output(folder):
                (draft.folder / f"{name}.png").write_bytes(data)
        draft.commit()
    return folder
