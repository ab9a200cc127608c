"""Patches of annotated slices: drawn where labels are, deformed and varied."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_slicewise.models.spec import OutputKind
from napari_slicewise.training import augment, targets
from napari_slicewise.training.config import TrainingConfig
from napari_slicewise.training.pool import PiecePool
from napari_slicewise.training.request import PatchNote
from napari_slicewise.training.truth import Truth
from napari_slicewise.training.warp import draw_warp

__all__ = ["Batch", "PatchSampler"]

FIRST_KIND_CHANCE = 0.85  # a patch lies about an object, else anywhere
TRIES = 10  # a bent patch may slip off the few pixels that are known
CLIP = (-1.0, 4.0)


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step learns from; all float32 but ``target`` of classes.

    Parameters
    ----------
    image
        ``(patch, channel, y, x)``.
    target
        ``(patch, head, y, x)``: the foreground (0 or 1), and the distance or whether two
        objects are close; of classes ``(patch, 1, y, x)`` their numbers, int64.
    weight
        ``(patch, head, y, x)``: what each answer counts; 0 where nothing is known.
    border
        ``(patch, 1, y, x)``: what the cross entropy of the foreground counts beside that.
    """

    image: Tensor
    target: Tensor
    weight: Tensor
    border: Tensor

    def to(self, device: torch.device) -> Batch:
        """Move everything to a device."""
        moved = (t.to(device) for t in (self.image, self.target, self.weight, self.border))
        return Batch(*moved)


@dataclass(frozen=True, eq=False)
class _Patch:
    """One patch, the arrays of a :class:`Batch` without the first axis."""

    image: NDArray[np.float32]
    target: NDArray[Any]
    weight: NDArray[np.float32]
    border: NDArray[np.float32]
    note: PatchNote


class PatchSampler:
    """An endless source of batches, the same for the same seed.

    Parameters
    ----------
    pool
        The pieces to draw from.
    output
        What the network answers.
    config
        Side, batch, seed and variation of the patches.
    side
        Of a patch in pixels, where the network's border makes it other than ``config.patch``.
    old
        What the network learned from before; its patches are noted without a name.
    """

    def __init__(
        self,
        pool: PiecePool,
        output: OutputKind,
        config: TrainingConfig,
        side: int | None = None,
        old: PiecePool | None = None,
    ) -> None:
        self._pool = pool
        self._old = old
        self._output = output
        self._config = config
        self.side = side or config.patch
        self.batch = config.batch
        self.notes: tuple[PatchNote, ...] = ()
        self.counts: Counter[str] = Counter()
        self._rng = np.random.default_rng(config.seed)

    def draw(self) -> Batch:
        """Draw the next batch; :attr:`notes` says where it came from.

        Raises
        ------
        ImageError
            When a piece cannot be read.
        """
        drawn = [self._draw_one() for _ in range(self.batch)]
        self.notes = tuple(patch.note for patch in drawn)
        self.counts.update(note.name for note in self.notes if note.name)
        return Batch(
            torch.from_numpy(np.stack([patch.image for patch in drawn])),
            torch.from_numpy(np.stack([patch.target for patch in drawn])),
            torch.from_numpy(np.stack([patch.weight for patch in drawn])),
            torch.from_numpy(np.stack([patch.border for patch in drawn])),
        )

    def state(self) -> dict[str, Any]:
        """Return what :meth:`restore` needs, as plain values."""
        return {
            "random": json.dumps(self._rng.bit_generator.state),
            "held": list(self._pool.held),
            "counts": dict(self.counts),
            "side": self.side,
            "batch": self.batch,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where :meth:`state` was called.

        Raises
        ------
        ImageError
            When a piece cannot be read.
        """
        self._rng.bit_generator.state = json.loads(state["random"])
        self._pool.hold(state["held"])
        self.counts = Counter(state["counts"])
        self.side, self.batch = int(state["side"]), int(state["batch"])

    def _draw_one(self) -> _Patch:
        variation = self._config.variation
        if self._output != "classes" and self._rng.random() < variation.empty:
            piece, truth = self._pool.pick(self._rng)
            return self._empty(truth.image.shape[0])
        name, pool = "", self._old
        if pool is None or self._rng.random() >= self._config.rehearse:
            pool = self._pool
        piece, truth = pool.pick(self._rng)
        if pool is self._pool:
            name = piece.annotation.name
        for attempt in range(TRIES):
            image, numbers, maps, window = self._cut(truth, bent=attempt < TRIES - 1)
            if numbers[1].any():
                break
        image = self._vary(image, numbers[0])
        target, weight = self._answer(truth, numbers, maps)
        top, left = piece.window[:2]
        place = (window[0] + top, window[1] + left, window[2] + top, window[3] + left)
        note = PatchNote(name, piece.version, place, int(numbers[1].sum()))
        border = (maps[1:2] * numbers[1]).astype(np.float32)
        return _Patch(image, target, weight, border, note)

    def _cut(
        self, truth: Truth, *, bent: bool
    ) -> tuple[
        NDArray[np.float32], NDArray[np.int64], NDArray[np.float32], tuple[int, int, int, int]
    ]:
        """Image; labels and known; distance and border and scale; the window they come from."""
        rng, side = self._rng, self.side
        warp = draw_warp(side, self._config.variation, rng, bent=bent)
        reach = 0.25 * side / warp.scale if bent else 0.0
        place = self._draw_place(truth)
        about = place[0] + rng.uniform(-reach, reach), place[1] + rng.uniform(-reach, reach)
        centre, window = warp.place(truth.shape, about)
        smooth = [*truth.image, truth.distance, truth.border]
        taken, numbers = warp.sample(smooth, [truth.labels, truth.known], centre, window)
        channels = truth.image.shape[0]
        scale = np.full((1, side, side), warp.scale, np.float32)
        return taken[:channels], numbers, np.concatenate([taken[channels:], scale]), window

    def _draw_place(self, truth: Truth) -> tuple[float, float]:
        """Draw a pixel: of an object, or anywhere known; of a class, each as often."""
        kinds = truth.places
        if self._output == "classes":
            kind = kinds[int(self._rng.integers(len(kinds)))]
        else:
            kind = kinds[0 if self._rng.random() < FIRST_KIND_CHANCE else -1]
        row, column = kind[int(self._rng.integers(len(kind)))]
        return float(row), float(column)

    def _vary(self, image: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
        """Change intensities, channel by channel."""
        rng, variation = self._rng, self._config.variation
        rough, dim = rng.random() < variation.rough, rng.random() < variation.dim
        plain = rng.random() < variation.plain
        channels = []
        for channel in image:
            if rough:
                channel = augment.roughen_objects(channel, labels, rng)
            if dim:
                channel = augment.dim_objects(channel, labels, rng)
            if not plain:
                channel = augment.change_intensity(channel, rng, variation.intensity)
            channels.append(np.clip(channel, *CLIP))
        return np.stack(channels)

    def _answer(
        self, truth: Truth, numbers: NDArray[np.int64], maps: NDArray[np.float32]
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Target and weight of each head."""
        labels, known = numbers[0], numbers[1].astype(np.float32)
        if self._output == "classes":
            return labels[None], known[None]
        config = self._config
        areas = truth.areas * float(maps[2, 0, 0]) ** 2
        weight = known * targets.pixel_weights(labels, areas, truth.dimness, config.small_weight)
        foreground = (labels > 0).astype(np.float32)
        if self._output == "foreground":
            return foreground[None], weight[None]
        if self._output == "foreground_distance":
            second = maps[0] * foreground
            sure = truth.whole[labels]
        else:
            second = targets.between_objects(labels).astype(np.float32)
            sure = ~(targets.beside_unknown(known > 0))
        return np.stack([foreground, second]), np.stack([weight, weight * sure])

    def _empty(self, channels: int) -> _Patch:
        """Draw a patch without objects, all of it known."""
        side = self.side
        heads = 1 if self._output == "foreground" else 2
        image = np.stack([augment.draw_empty(side, self._rng) for _ in range(channels)])
        zeros = np.zeros((heads, side, side), np.float32)
        note = PatchNote("", known=side * side)
        return _Patch(np.clip(image, *CLIP), zeros, zeros + 1, zeros[:1], note)
