"""All that a session knows of its slices, to be kept and to be taken up again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.editing.compact import pack, unpack
from napari_slicewise.editing.journal_format import Record
from napari_slicewise.editing.numbering import distinct
from napari_slicewise.editing.session import EditSession
from napari_slicewise.io.source import SliceIndex

__all__ = ["SliceState", "count_anew", "put_state", "state_of"]


@dataclass(frozen=True, eq=False)
class SliceState:
    """One slice.

    Parameters
    ----------
    index
        The slice.
    labels
        What it holds, ``(y, x)``.
    machine
        The machine's own labels, ``(y, x)``; None where no run has been.
    edited
        Which pixels are the human's, ``(y, x)``.
    """

    index: SliceIndex
    labels: NDArray[Any]
    machine: NDArray[np.uint32] | None
    edited: NDArray[np.bool_]

    @property
    def blank(self) -> bool:
        """Whether there is nothing to keep."""
        return self.machine is None and not self.labels.any() and not self.edited.any()

    def record(self) -> Record:
        """Return it as a journal's record."""
        base = np.zeros_like(self.labels) if self.machine is None else self.machine
        differs = self.labels != base
        fields = {
            "index": list(self.index),
            "shape": list(self.labels.shape),
            "dtype": self.labels.dtype.str,
            "count": int(np.count_nonzero(differs)),
            "machine": self.machine is not None,
        }
        blocks = [pack(self.edited), pack(differs), pack(self.labels[differs])]
        if self.machine is not None:
            blocks.append(pack(self.machine))
        return Record("slice", fields, tuple(blocks))

    @classmethod
    def of_record(cls, record: Record) -> SliceState:
        """Return what :meth:`record` described.

        Raises
        ------
        ValueError, KeyError, RuntimeError, IndexError
            When the record contradicts itself.
        """
        fields = record.fields
        shape = int(fields["shape"][0]), int(fields["shape"][1])
        dtype = np.dtype(fields["dtype"])
        edited = unpack(record.blocks[0], np.dtype(bool), shape)
        differs = unpack(record.blocks[1], np.dtype(bool), shape)
        machine = None
        labels = np.zeros(shape, dtype)
        if fields["machine"]:
            machine = unpack(record.blocks[3], np.dtype(np.uint32), shape)
            labels[:] = np.where(differs, 0, machine)
        labels[differs] = unpack(record.blocks[2], dtype, (int(fields["count"]),))
        return cls(tuple(int(i) for i in fields["index"]), labels, machine, edited)


def state_of(session: EditSession, index: SliceIndex) -> SliceState:
    """Return what a session knows of a slice; may be called from any thread."""
    current = np.array(session.labels.read_slice(index)[0])
    own = session.ownership
    machine = own.machine.get(index) if index in own.machine else None
    return SliceState(index, current, machine, own.edited(index, current))


def put_state(session: EditSession, state: SliceState) -> None:
    """Write a slice into a session's labels, and let it know whose the voxels are."""
    session.labels.write_slice(state.index, state.labels)
    if state.machine is not None:
        session.ownership.machine.put(state.index, state.machine)
    else:
        session.ownership.machine.discard(state.index)
    session.ownership.mark(state.index, state.edited)
    session.objects.forget([state.index])


def count_anew(session: EditSession) -> None:
    """Find out from the slices whose number is whose, after they were put."""
    for index in session.ownership.machine:
        for number in distinct(session.ownership.machine.get(index)):
            session.numbering.written_before(int(number))
    for number in session.objects.numbers():
        session.reserve(number)
    session.begin_run()
    session.history.clear()
