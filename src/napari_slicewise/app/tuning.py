"""The shaping of one slice, again and again, while a slider is dragged."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_slicewise.instances.pipeline import ShapeOptions, foreground_distance, shape_slice
from napari_slicewise.instances.tuned import TunedObjects

__all__ = ["ShapeJob", "Tuner"]


@dataclass(frozen=True, eq=False)
class ShapeJob:
    """One slice to shape.

    Parameters
    ----------
    activations
        ``(head, y, x)``; not changed by anybody.
    options
        How.
    ticket
        Given back with the answer.
    """

    activations: NDArray[np.float32]
    options: ShapeOptions
    ticket: Any = None


class Tuner:
    """Shapes slices on a thread of its own; of jobs that wait, only the latest is done.

    What a change leaves as it is, is not computed again: the splitting and the sizes of
    objects need no new landscape. The thread begins with the first job.
    """

    shaped = Signal(ShapeJob, object)  # the labels, (y, x)

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._job: ShapeJob | None = None
        self._closed = False
        self._thread: threading.Thread | None = None
        self._tuned: TunedObjects | None = None
        self._of: tuple[Any, ...] = ()

    def submit(self, job: ShapeJob) -> None:
        """Shape this next; one that still waits is forgotten."""
        with self._wake:
            self._job = job
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(
                    target=self._work, name="slicewise-tune", daemon=True
                )
                self._thread.start()
            self._wake.notify()

    def close(self) -> None:
        """End the thread."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(timeout=2.0)

    def shape(self, job: ShapeJob) -> NDArray[Any]:
        """Return the labels of a job, ``(y, x)``: those of :func:`shape_slice`."""
        options = job.options
        if options.output != "labels":
            return shape_slice(job.activations, options)
        tuned, of = self._tuned, (job.activations, options.heads)
        # By the array itself: another one may lie where it lay.
        if tuned is None or self._of[0] is not of[0] or self._of[1] != of[1]:
            tuned = TunedObjects(*foreground_distance(*of))
            self._tuned, self._of = tuned, of
        return tuned.labels(options.objects)

    def _work(self) -> None:
        while True:
            with self._wake:
                while self._job is None and not self._closed:
                    self._wake.wait()
                if self._closed:
                    return
                job, self._job = self._job, None
            if job is not None:
                self.shaped.emit(job, self.shape(job))
