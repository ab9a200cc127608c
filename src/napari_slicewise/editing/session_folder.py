"""A session as one folder of open formats: OME-Zarr for arrays, JSON for the rest."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.editing.errors import EditError
from napari_slicewise.editing.identity import ImageIdentity
from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.session import EditSession
from napari_slicewise.editing.session_state import SliceState, count_anew, put_state, state_of
from napari_slicewise.errors import OutputError
from napari_slicewise.io.atomic_file import explain_output
from napari_slicewise.io.atomic_folder import FolderDraft
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.label_store import create_labels
from napari_slicewise.io.outputs import open_writer, write_labels
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.source import ArraySource, SliceIndex

__all__ = ["SavedSession", "read_session", "reopen", "save_session"]

_FORMAT = "napari-slicewise session"
_VERSION = 1
_DOCUMENT = "session.json"
_LABELS, _MACHINE, _EDITED = "labels.ome.zarr", "machine.ome.zarr", "edited.ome.zarr"


@dataclass(frozen=True)
class SavedSession:
    """What a session's folder says, its arrays aside.

    Parameters
    ----------
    folder
        The folder.
    image
        The image that the labels belong to.
    shape, dtype, plane
        The labels' array, and its axes of rows and columns.
    model
        Name or path of the model; may be empty.
    parameters
        What the model was run with.
    locks
        What is locked.
    states
        Other things, by their key; the review's decisions among them.
    runs
        Slices that a run has written.
    renumber
        Whether the values number objects.
    channel_axis
        Axis of the labels that holds channels, one position long; None where there is none.
    """

    folder: Path
    image: ImageIdentity
    shape: tuple[int, ...]
    dtype: str
    plane: tuple[int, int]
    model: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    locks: Locks = field(default_factory=Locks)
    states: Mapping[str, Any] = field(default_factory=dict)
    runs: frozenset[SliceIndex] = frozenset()
    renumber: bool = True
    channel_axis: int | None = None

    def document(self) -> dict[str, Any]:
        """Return what goes into the JSON file."""
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "image": self.image.plain(),
            "labels": {
                "shape": list(self.shape),
                "dtype": self.dtype,
                "plane": list(self.plane),
                "channel_axis": self.channel_axis,
                "objects": self.renumber,
            },
            "model": self.model,
            "parameters": dict(self.parameters),
            "locks": self.locks.plain(),
            "states": dict(self.states),
            "machine_slices": sorted(list(index) for index in self.runs),
        }


def save_session(
    path: Path,
    session: EditSession,
    image: ImageIdentity,
    *,
    axes: Sequence[Axis] | None = None,
    model: str = "",
    parameters: Mapping[str, Any] | None = None,
    states: Mapping[str, Any] | None = None,
    inputs: Sequence[str | os.PathLike[str]] = (),
) -> SavedSession:
    """Write a session's folder; it appears, or replaces an older one, when it is complete.

    Parameters
    ----------
    path
        The folder; by custom its name ends in ``.slicewise``.
    session
        The session.
    image
        The image that the labels belong to.
    axes
        The axes of the labels' array; None for pixels.
    model, parameters, states
        See :class:`SavedSession`.
    inputs
        Files and folders that must survive.

    Raises
    ------
    OutputError
        When it cannot be written, is an input, or is a folder of something else.
    """
    labels = session.labels
    shape = tuple(int(n) for n in labels.data.shape)
    runs = frozenset(session.ownership.machine)
    saved = SavedSession(
        path, image, shape, str(labels.dtype), labels.plane, model, dict(parameters or {}),
        session.locks, dict(states or {}), runs, session.renumber,
        labels.channel_axis,
    )  # fmt: skip
    text = json.dumps(saved.document(), indent=2)
    _check_place(path, [*inputs, *([image.path] if image.path else [])])
    described = tuple(axes) if axes is not None else _plain_axes(shape)
    notes = {"image_path": image.path, "model": model, "parameters": dict(parameters or {})}
    with closing(FolderDraft(path)) as draft:
        write_labels(draft.folder / _LABELS, labels.data, described, notes)
        if runs:
            _write_slices(draft.folder / _MACHINE, labels, np.uint32, session.ownership.machine.get)
        _write_slices(
            draft.folder / _EDITED, labels, np.uint8, lambda i: state_of(session, i).edited
        )
        with explain_output(path):
            (draft.folder / _DOCUMENT).write_text(text, "utf-8")
        draft.commit()
    return saved


def read_session(path: Path) -> SavedSession:
    """Read what a session's folder says, without its arrays.

    Raises
    ------
    EditError
        When it is no such folder, damaged, or of a version that cannot be read.
    """
    try:
        document = json.loads((path / _DOCUMENT).read_text("utf-8"))
        if document["format"] != _FORMAT:
            raise EditError(f"{path.name} is no session of this plugin.", "Choose another folder.")
        if document["version"] != _VERSION:
            raise EditError(
                f"{path.name} is of version {document['version']}, this plugin reads {_VERSION}.",
                "Open it with the version of the plugin that wrote it.",
            )
        labels = document["labels"]
        return SavedSession(
            path,
            ImageIdentity.of_plain(document["image"]),
            tuple(int(n) for n in labels["shape"]),
            str(np.dtype(labels["dtype"])),
            (int(labels["plane"][0]), int(labels["plane"][1])),
            str(document["model"]),
            dict(document["parameters"]),
            Locks.of_plain(document["locks"]),
            dict(document["states"]),
            frozenset(tuple(int(i) for i in index) for index in document["machine_slices"]),
            bool(labels["objects"]),
            None if labels.get("channel_axis") is None else int(labels["channel_axis"]),
        )
    except OSError as error:
        raise EditError(
            f"{path.name} is no session of this plugin: {error.strerror or error}.",
            f"Choose a folder that holds a {_DOCUMENT}.",
        ) from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise EditError(f"{path.name} is damaged: its {_DOCUMENT} cannot be read.") from error


def reopen(saved: SavedSession) -> EditSession:
    """Return the session with labels, locks, and whose each voxel is.

    Raises
    ------
    EditError
        When an array is missing or has another shape.
    OutputError
        When there is no room for the labels.
    """
    stored = _open(saved, _LABELS)
    if tuple(stored.shape) != saved.shape:
        raise EditError(f"{saved.folder.name} is damaged: its labels have another shape.")
    machine = _open(saved, _MACHINE) if saved.runs else None
    edited = _open(saved, _EDITED)
    axis = saved.channel_axis
    channel = None if axis is None else 0
    array = create_labels(saved.shape, np.dtype(saved.dtype))
    labels = ArraySource(array, saved.plane, axis, channel)
    source = ArraySource(stored, saved.plane, axis, channel)
    session = EditSession(labels, renumber=saved.renumber)
    try:
        for index in labels.indices():
            own = (
                np.asarray(machine[index]) if machine is not None and index in saved.runs else None
            )
            marked = np.asarray(edited[index]) > 0
            values = source.read_slice(index)[0].astype(saved.dtype)
            state = SliceState(index, values, own, marked)
            if not state.blank:
                put_state(session, state)
    except (OSError, ValueError, IndexError) as error:
        raise EditError(f"{saved.folder.name} is damaged: {error}") from error
    session.locks = saved.locks
    count_anew(session)
    return session


def _open(saved: SavedSession, name: str) -> Any:
    import zarr  # half a second to import

    try:
        return zarr.open_array(str(saved.folder / name / "0"), mode="r")
    except (OSError, ValueError, KeyError) as error:
        raise EditError(f"{saved.folder.name} is damaged: {name} is missing in it.") from error


def _write_slices(
    path: Path,
    labels: ArraySource,
    dtype: Any,
    read: Callable[[SliceIndex], NDArray[Any]],
) -> None:
    """Write slices in the order of the slice's axes."""
    shape = (*labels.leading_shape, *labels.slice_shape)
    with open_writer(path, Picture(_plain_axes(shape)), np.dtype(dtype)) as writer:
        for index in labels.indices():
            writer.write(index, read(index).astype(dtype))


def _plain_axes(shape: tuple[int, ...]) -> tuple[Axis, ...]:
    names = "stzyx"[-len(shape) :] if len(shape) <= 5 else ""
    if not names:
        raise OutputError(f"Labels of {len(shape)} axes do not fit OME-Zarr.", "Save fewer axes.")
    return tuple(Axis(name, size) for name, size in zip(names, shape, strict=True))


def _check_place(path: Path, inputs: Sequence[str | os.PathLike[str]]) -> None:
    if not path.parent.is_dir():
        raise OutputError(f"There is no folder {path.parent}.", "Create it, or choose another.")
    own = path.resolve()
    for other in (Path(name).resolve() for name in inputs):
        if other == own or other.is_relative_to(own) or own.is_relative_to(other):
            raise OutputError(
                f"{path.name} is the input, or holds it; the session must not replace it.",
                "Choose another name.",
            )
    if path.is_file() or (path.is_dir() and any(path.iterdir()) and not _is_session(path)):
        raise OutputError(f"{path} is there and no session.", "Choose another name.")


def _is_session(path: Path) -> bool:
    try:
        read_session(path)
    except EditError:
        return False
    return True
