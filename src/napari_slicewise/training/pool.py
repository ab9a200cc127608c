"""The pieces that patches are drawn from: all in memory, or as many as there is room for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import ImageError
from napari_slicewise.training.pieces import Piece
from napari_slicewise.training.truth import Truth

__all__ = ["PiecePool"]

_BYTES = 17  # a pixel, beside 4 a channel: labels, known, distance, border
_USES = 16  # patches that a piece gives, on average, before another takes its place


class PiecePool:
    """Chooses pieces at random, and holds what is computed of them within a ceiling.

    Where all fit, each is read once. Else some are held, and now and then the oldest
    gives its place to another: images larger than memory stream.

    Parameters
    ----------
    make
        Reads a piece and computes its truth.
    ceiling
        Memory for that, in bytes. One piece is held at least.
    channels
        Of the images.
    side
        Of a patch in pixels: large pieces are chosen more often, by the square root of how
        many patches they hold.
    """

    def __init__(
        self, make: Callable[[Piece], Truth], ceiling: int, channels: int, side: int
    ) -> None:
        self._make = make
        self._ceiling = ceiling
        self._pixel_bytes = _BYTES + 4 * channels
        self._area = side * side
        self._pieces: dict[str, Piece] = {}
        self._held: dict[str, Truth] = {}  # the oldest first
        self._total = 0
        self._chance: NDArray[np.float64] | None = None

    def replace(self, name: str, pieces: Sequence[Piece]) -> None:
        """Take the pieces of an annotation instead of those it had.

        Parameters
        ----------
        name
            Of the annotation.
        pieces
            What to draw from now; may be none.
        """
        for key, piece in list(self._pieces.items()):
            if piece.annotation.name == name:
                del self._pieces[key]
                self._held.pop(key, None)
        self._pieces.update({piece.key: piece for piece in pieces})
        self._total = self._bytes(self._pieces.values())
        self._chance = None

    @property
    def streams(self) -> bool:
        """Whether there is more than can be held."""
        return self._total > self._ceiling

    @property
    def held(self) -> tuple[str, ...]:
        """Keys of the pieces in memory, the oldest first."""
        return tuple(self._held)

    def hold(self, keys: Sequence[str]) -> None:
        """Read these pieces again, so that drawing goes on as it would have."""
        self._held = {key: self._make(self._pieces[key]) for key in keys if key in self._pieces}

    def pick(self, rng: np.random.Generator) -> tuple[Piece, Truth]:
        """Choose a piece.

        Raises
        ------
        ImageError
            When there is none, or it cannot be read.
        """
        if not self._pieces:
            raise ImageError("There are no labels to learn from.", "Paint some pixels.")
        if self._held and self.streams and rng.random() >= 1.0 / _USES:
            keys = list(self._held)
            key = keys[int(rng.integers(len(keys)))]
        else:
            keys = list(self._pieces)
            key = keys[int(rng.choice(len(keys), p=self._chances()))]
        if key not in self._held:
            self._make_room(self._pieces[key])
            self._held[key] = self._make(self._pieces[key])
        return self._pieces[key], self._held[key]

    def _make_room(self, piece: Piece) -> None:
        """Forget the oldest pieces until the next one fits."""
        while self._held:
            held = self._bytes([*(self._pieces[key] for key in self._held), piece])
            if held <= self._ceiling:
                return
            del self._held[next(iter(self._held))]

    def _bytes(self, pieces: Iterable[Piece]) -> int:
        return sum(piece.pixels * self._pixel_bytes for piece in pieces)

    def _chances(self) -> NDArray[np.float64]:
        if self._chance is None:
            patches = [max(1.0, p.pixels / self._area) ** 0.5 for p in self._pieces.values()]
            self._chance = np.array(patches) / np.sum(patches)
        return self._chance
