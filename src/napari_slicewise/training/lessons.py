"""The annotated slices of a training: those to learn from, those held out, and what is added."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

import numpy as np

from napari_slicewise.errors import RequestError, SlicewiseError
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.training.config import TrainingConfig
from napari_slicewise.training.holding_out import choose_held_out
from napari_slicewise.training.pieces import (
    Intensities,
    Piece,
    cut_pieces,
    read_labels,
)
from napari_slicewise.training.pool import PiecePool
from napari_slicewise.training.request import Annotation
from napari_slicewise.training.truth import Truth, make_truth
from napari_slicewise.training.validation import HeldOut

__all__ = ["Lessons"]


class Lessons:
    """Keeps the annotations apart, and takes new ones between two steps.

    Parameters
    ----------
    annotations
        All of them; each name once.
    held_out
        Names of those to score, see ``holding_out``.

    Raises
    ------
    RequestError
        When there are none, two have one name, or none would be left to learn from.
    """

    intensities: Intensities
    pool: PiecePool
    held: HeldOut

    def __init__(self, annotations: Sequence[Annotation], held_out: tuple[str, ...] | None) -> None:
        if not annotations:
            raise RequestError("There are no labels to learn from.", "Paint some pixels first.")
        twice = [name for name, n in Counter(a.name for a in annotations).items() if n > 1]
        if twice:
            raise RequestError(f"Two slices are called {twice[0]!r}.", "Give each another name.")
        self._annotations = {a.name: a for a in annotations}
        self._versions: Counter[str] = Counter()
        self._held_names = choose_held_out(annotations, held_out)
        self._pending: list[Annotation] = []
        self._lock = threading.Lock()  # around what waits: updates come from other threads

    @property
    def held_out(self) -> tuple[str, ...]:
        """Names of the annotations that are scored, in order."""
        return tuple(sorted(self._held_names))

    @property
    def learned_from(self) -> tuple[Annotation, ...]:
        """The annotations that patches are drawn from."""
        return tuple(a for name, a in self._annotations.items() if name not in self._held_names)

    @property
    def measure(self) -> str:
        """What the score is, in words; empty where nothing is held out."""
        return self.held.measure

    @property
    def message(self) -> str:
        """What the user should know of the held-out slices."""
        if self._held_names:
            return ""
        return "No slice is held out, so nothing tells how good the model is on others."

    def train_pieces(self) -> list[Piece]:
        """Cut all slices that are learned from.

        Raises
        ------
        RequestError
            When nothing is known in any of them.
        """
        pieces = [piece for a in self.learned_from for piece in cut_pieces(a)]
        if not pieces:
            raise RequestError("There are no labels to learn from.", "Paint some pixels first.")
        return pieces

    def prepare(self, spec: ModelSpec, config: TrainingConfig, ceiling: int) -> None:
        """Measure intensities, and make ready to draw and to score.

        Parameters
        ----------
        spec, config
            Of the training.
        ceiling
            Memory for pieces, in bytes.
        """
        self._spec, self._config = spec, config
        self.intensities = Intensities(tuple(self._annotations.values()), spec)
        self.pool = PiecePool(self._truth, ceiling, spec.in_channels, config.patch)
        for annotation in self.learned_from:
            self.pool.replace(annotation.name, cut_pieces(annotation))
        self._hold_out()

    def update(self, annotation: Annotation) -> None:
        """Add or replace an annotation at the next chance; from any thread."""
        with self._lock:
            self._pending.append(annotation)

    def take_updates(self) -> list[str]:
        """Take what waits; returns what the user should know."""
        with self._lock:
            waiting, self._pending = self._pending, []
        said = []
        for annotation in waiting:
            try:
                self._take(annotation)
            except SlicewiseError as error:  # a slice more or less must not end the training
                said.append(f"{annotation.name} was left out: {error.message}")
        return said

    def _take(self, annotation: Annotation) -> None:
        name = annotation.name
        version = self._versions[name] + 1
        pieces = cut_pieces(annotation, version)
        self._check(pieces)
        self.intensities.add(annotation)
        self._annotations[name] = annotation
        self._versions[name] = version
        if name in self._held_names:
            self._hold_out()
        else:
            self.pool.replace(name, pieces)

    def _check(self, pieces: Sequence[Piece]) -> None:
        """Refuse classes that the network does not have."""
        if self._spec.output != "classes":
            return
        largest = max((int(read_labels(piece)[0].max()) for piece in pieces), default=0)
        if largest >= self._spec.out_channels:
            raise RequestError(
                f"the network knows {self._spec.out_channels} classes, and this is class {largest}."
            )

    def _hold_out(self) -> None:
        held = [self._annotations[name] for name in self.held_out]
        pieces = [piece for annotation in held for piece in cut_pieces(annotation)]
        most = self._config.scored_pieces
        self.held = HeldOut(pieces, self.intensities.normalized, self._spec, most)

    def _truth(self, piece: Piece) -> Truth:
        """Read a piece and compute what is known of it."""
        labels, known = read_labels(piece)
        if self._spec.output == "classes":
            labels = np.minimum(labels, self._spec.out_channels - 1)
        return make_truth(
            self.intensities.normalized(piece), labels, known, self._spec.output, self._config
        )
