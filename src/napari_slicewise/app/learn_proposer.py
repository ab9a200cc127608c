"""Looks through a stack for slices that are worth annotating."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from psygnal import Signal

from napari_slicewise.app.learn_proposals import (
    Proposal,
    candidates,
    image_features,
    propose,
    uncertainty,
)
from napari_slicewise.app.segment import SegmentController
from napari_slicewise.inference.request import Request, RunReport, SliceResult
from napari_slicewise.io.source import ArraySource, SliceIndex

__all__ = ["Proposer"]


@dataclass(eq=False)
class _Search:
    request: Request
    source: ArraySource
    seen: tuple[SliceIndex, ...]
    doubts: dict[SliceIndex, float] = field(default_factory=dict)


class Proposer:
    """Has some slices predicted beside the runs, and chooses among them.

    Parameters
    ----------
    segment
        Whose worker process is used.
    do
        Has something done on another thread than the window's.
    """

    found = Signal(object)  # list of Proposal
    failed = Signal(str)

    def __init__(
        self, segment: SegmentController, do: Callable[[Callable[[], None]], None]
    ) -> None:
        self._segment, self._do = segment, do
        self._search: _Search | None = None
        segment.peeked.connect(self._on_peek)

    @property
    def busy(self) -> bool:
        """Whether it is looking."""
        return self._search is not None

    def start(self, model: str, source: ArraySource, seen: Sequence[SliceIndex]) -> bool:
        """Begin to look; answered by ``found`` or ``failed``.

        Parameters
        ----------
        model
            Name of a bundled model, or a file.
        source
            The stack.
        seen
            Its slices that are annotated.

        Returns
        -------
        bool
            Whether there will be an answer: not while a run is going on, and not where
            every slice is annotated.
        """
        chosen = candidates(list(source.indices()), seen)
        if not chosen:
            return False
        request = Request(model, chosen, output="probability")
        self._search = _Search(request, source, tuple(seen))
        if not self._segment.peek(request, source):
            self._search = None
            return False
        return True

    def close(self) -> None:
        """Hear nothing more."""
        self._search = None
        self._segment.peeked.disconnect(self._on_peek)

    def _on_peek(self, request: Request, answer: SliceResult | RunReport) -> None:
        search = self._search
        if search is None or request is not search.request:
            return
        if isinstance(answer, SliceResult):
            search.doubts[answer.index] = uncertainty(answer.values)
            if len(search.doubts) < len(request.indices):
                return
        elif answer.outcome == "failed" or not search.doubts:
            self._search = None
            self.failed.emit(answer.message or "Something else was asked for; look again.")
            return
        self._search = None
        self._do(lambda: self._choose(search))

    def _choose(self, search: _Search) -> None:
        features = {i: image_features(search.source.read_slice(i)) for i in search.doubts}
        seen = [image_features(search.source.read_slice(i)) for i in search.seen]
        found: list[Proposal] = propose(search.doubts, features, seen)
        self.found.emit(found)
