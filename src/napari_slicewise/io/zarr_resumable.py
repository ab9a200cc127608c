"""OME-Zarr that is written by runs that may be killed, and go on where they stopped."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_slicewise.io.atomic_file import explain_output
from napari_slicewise.io.kept_draft import KeptDraft
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.zarr_document import Version
from napari_slicewise.io.zarr_levels import StoredSlice, ZarrLevels, open_levels
from napari_slicewise.io.zarr_writer import ZarrWriter

__all__ = ["ResumableZarrWriter"]

_READY = "ready"


class ResumableZarrWriter(ZarrWriter):
    """A :class:`ZarrWriter` whose finished slices are found again by the same run.

    Parameters
    ----------
    path, picture, dtype, inputs, version
        See :class:`ZarrWriter`.
    identity
        All that decides the result, as plain values.
    restart
        Whether what an earlier run has finished is thrown away.

    Raises
    ------
    OutputError
        See :class:`ZarrWriter` and :class:`~napari_slicewise.io.kept_draft.KeptDraft`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        picture: Picture,
        dtype: DTypeLike,
        identity: Mapping[str, Any],
        inputs: Sequence[str | os.PathLike[str]] = (),
        version: Version = "0.5",
        *,
        restart: bool = False,
    ) -> None:
        self._identity = {**identity, "axes": [repr(axis) for axis in picture.axes]}
        self._restart = restart
        self._notes: dict[tuple[int, ...], dict[str, Any]] = {}
        super().__init__(path, picture, dtype, inputs, version)

    @property
    def finished(self) -> Mapping[tuple[int, ...], dict[str, Any]]:
        """The slices that are written and whole, with what was noted of each."""
        return self._notes

    @property
    def draft(self) -> KeptDraft:
        """Where the folder is built; other processes write into it through its path."""
        return self._kept

    def read(self, index: tuple[int, ...]) -> NDArray[Any]:
        """Read a slice that is finished."""
        with explain_output(self.path):
            return self._levels.read(index)

    def finish(
        self,
        index: tuple[int, ...],
        values: NDArray[Any],
        note: Mapping[str, Any],
        confidence: Mapping[int, float] | None = None,
    ) -> None:
        """Write one slice for good.

        Parameters
        ----------
        index, values, confidence
            The slice; see :meth:`ZarrWriter.write`.
        note
            Plain values to be had back with it by a run that goes on.

        Raises
        ------
        OutputError, ValueError
            See :meth:`ZarrWriter.write`.
        """
        self.write(index, values, confidence)
        self.note_finished(self._stored[tuple(index)], note)

    def note_finished(self, stored: StoredSlice, note: Mapping[str, Any]) -> None:
        """Take notice of a slice that was written, perhaps by another process."""
        entry = {
            "index": stored.index,
            "sums": stored.sums,
            "limits": stored.limits,
            "note": dict(note),
            "confidence": self._sure.get(stored.index, ""),
        }
        with explain_output(self.path):
            self._kept.note(entry)
        self._stored[stored.index] = stored
        self._notes[stored.index] = dict(note)

    def _begin(self) -> KeptDraft:
        self._kept = KeptDraft(self.path, self._identity, restart=self._restart)
        return self._kept

    def _open_levels(self, dtype: np.dtype[Any]) -> ZarrLevels:
        try:
            if any(_READY in entry for entry in self._kept.entries):
                levels = open_levels(self._kept.folder, self.picture)
                self._recall(levels)
                return levels
            shutil.rmtree(self._kept.folder)
            self._kept.folder.mkdir()
            levels = super()._open_levels(dtype)
            self._kept.note({_READY: len(levels.arrays)})
        except BaseException:
            self._kept.close()
            raise
        return levels

    def _recall(self, levels: ZarrLevels) -> None:
        """Find the finished slices that are still as they were written."""
        for entry in self._kept.entries:
            if "index" in entry:
                limits = entry["limits"] and (entry["limits"][0], entry["limits"][1])
                stored = StoredSlice(tuple(entry["index"]), tuple(entry["sums"]), limits)
                self._stored[stored.index] = stored
                self._notes[stored.index] = entry["note"]
                self._sure[stored.index] = entry.get("confidence", "")
        for index, stored in list(self._stored.items()):
            if not levels.holds(stored):
                del self._stored[index], self._notes[index]
