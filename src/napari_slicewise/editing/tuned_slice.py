"""One slice whose objects are drawn anew at each move of a slider, in the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.editing.numbering import same_objects
from napari_slicewise.editing.session import EditSession
from napari_slicewise.io.source import SliceIndex

__all__ = ["TunedSlice"]


class TunedSlice:
    """Remembers what each object of a slice was called while its settings are being tried.

    An object that a setting takes away and another one brings back has the number and the
    colour that it had; the same setting gives the same numbers again.

    Parameters
    ----------
    session
        To which the slice belongs; a run has written it.
    index
        The slice.
    """

    def __init__(self, session: EditSession, index: SliceIndex) -> None:
        self.session, self.index = session, index
        self._seen = session.ownership.machine.get(index)

    def write(self, values: NDArray[Any]) -> None:
        """Write the slice around what a human did there.

        Parameters
        ----------
        values
            ``(y, x)``: its objects, in numbers that mean nothing.

        Raises
        ------
        WideningError
            When a number does not fit the labels; nothing was written. Change the labels
            by :meth:`EditSession.use`, and write again.
        """
        session = self.session
        session.begin_run()
        if session.renumber:
            pairs = same_objects(values, self._seen)
            session.numbering.match(pairs, session.locks.objects)
        drawn = session.merge(self.index, values)
        fresh = (self._seen == 0) & (drawn != 0)
        if fresh.any():
            self._seen = np.where(fresh, drawn, self._seen)
