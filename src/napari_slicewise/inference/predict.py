"""Slices through the network: cut into tiles, batched, put together again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_slicewise.errors import RequestError, SlicewiseError
from napari_slicewise.geometry import Tile, tile_grid
from napari_slicewise.inference.backends import UnfitError
from napari_slicewise.inference.cache import ActivationCache, digest_slice
from napari_slicewise.inference.device import DevicePolicy, is_out_of_memory
from napari_slicewise.inference.int8_choice import Int8Choice
from napari_slicewise.inference.loading import LoadedModel
from napari_slicewise.inference.plan import Plan, border_lost
from napari_slicewise.inference.stream import CancelToken

__all__ = ["Predicted", "Predictor", "Prepared"]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A slice ready for the network: ``(channel, y, x)``, padded."""

    index: tuple[int, ...]
    image: NDArray[np.float32]

    @cached_property
    def digest(self) -> bytes:
        """What tells this slice from others; computed when it is first wanted."""
        return digest_slice(self.image)


@dataclass(frozen=True, eq=False)
class Predicted:
    """A slice's activations, ``(head, y, x)``, still padded; seconds in the network."""

    index: tuple[int, ...]
    activations: NDArray[np.float32]
    seconds: float


class Predictor:
    """Predicts groups of slices, and makes the plan smaller when memory runs out.

    Parameters
    ----------
    plan
        Where to begin.
    model
        The network.
    policy
        Asked before each batch.
    token
        Looked at between batches.
    on_fallback
        Told in words when the plan had to become smaller.
    cache
        Where predictions are looked up and kept; None keeps none.
    on_status
        Told in words what is being done beside predicting.
    """

    def __init__(
        self,
        plan: Plan,
        model: LoadedModel,
        policy: DevicePolicy,
        token: CancelToken,
        on_fallback: Callable[[str], None],
        cache: ActivationCache | None = None,
        on_status: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self.plan = plan
        self._model = model
        self._policy = policy
        self._token = token
        self._on_fallback = on_fallback
        self._cache = cache
        self._meaning = model.spec.to_json()
        self._left = len(plan.request.indices)
        self._int8 = Int8Choice(model, token, on_status, on_fallback)
        self.remembered = 0
        self.formats: Counter[str] = Counter()  # slices in each number format

    def predict_all(self, prepared: Iterator[Prepared]) -> Iterator[Predicted]:
        """Predict slices as they come, several at once where they are small.

        The first slice, the one on show, goes alone: nobody waits for its neighbours.
        Slices read before a read fails are predicted before the error is raised.
        """
        group: list[Prepared] = []
        wanted = 1
        failure: SlicewiseError | None = None
        self.plan = self._int8.begin(self.plan)
        while not self._token.cancelled:
            try:
                item = next(prepared, None)
            except SlicewiseError as error:
                item, failure = None, error
            known = self._recall(item) if item is not None else None
            self._left -= known is not None
            if item is not None and known is None:
                group.append(item)
            if group and (item is None or known is not None or len(group) >= wanted):
                yield from self._predict_group(group)
                wanted = max(1, self.plan.batch // len(self._tiles(group[0])))
                group = []
            if item is None:
                break
            if known is not None:
                self.formats[self.plan.precision] += 1
                yield Predicted(item.index, known, 0.0)
        if failure is not None:
            raise failure

    def _key(self, item: Prepared) -> tuple[str, str, str, bytes]:
        """Name what decides the activations; precision and tile may change with the plan."""
        plan = self.plan
        form = f"int8 {plan.tiles.digest}" if plan.precision == "int8" else plan.precision
        if plan.spec.sees_all:  # the tile is part of the function
            form += f" {plan.tile}"
        return self._model.sha256, self._meaning, form, item.digest

    def _recall(self, item: Prepared) -> NDArray[np.float32] | None:
        known = self._cache.get(self._key(item)) if self._cache is not None else None
        self.remembered += known is not None
        return known

    def _remember(self, item: Prepared, activations: NDArray[np.float32]) -> None:
        if self._cache is not None:
            self._cache.put(self._key(item), activations)

    def _tiles(self, item: Prepared) -> tuple[Tile, ...]:
        height, width = item.image.shape[1:]
        plan, spec = self.plan, self.plan.spec
        lost = border_lost(spec)
        return tile_grid((height, width), plan.tile, plan.margin, spec.stride, lost)

    def _predict_group(self, group: list[Prepared]) -> Iterator[Predicted]:
        while True:
            began = time.perf_counter()
            try:
                results = self._activations(group)
            except UnfitError as error:
                self.plan = replace(self.plan, engine="torch")
                self._on_fallback(f"{error} Going on with {self.plan.describe()}.")
                continue
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                results = None
            # Outside the handler, where no traceback holds on to the failed batch's tensors.
            if results is None:
                self._shrink()
                continue
            seconds = (time.perf_counter() - began) / len(group)
            self._left -= len(group)
            for item, activations in zip(group, results, strict=False):  # fewer when cancelled
                self._remember(item, activations)
                self.formats[self.plan.precision] += 1
                yield Predicted(item.index, activations, seconds)
            done = self.formats.total()
            self.plan = self._int8.go_on(self.plan, seconds, done, self._left)
            return

    def _activations(self, group: list[Prepared]) -> list[NDArray[np.float32]]:
        """Predict all tiles of a group; slices that a cancel left unfinished are not returned."""
        plan = self.plan
        backend = self._model.backend(plan.device.key, plan.precision, plan.engine)
        tiles = self._tiles(group[0])
        jobs = [(number, tile) for number in range(len(group)) for tile in tiles]
        results: list[Any] = [None] * len(group)
        for start in range(0, len(jobs), plan.batch):
            if self._token.cancelled:
                return results[: start // len(tiles)]
            batch = jobs[start : start + plan.batch]
            stacked = _stack([group[n].image[:, *tile.read.slices] for n, tile in batch])
            self._policy.before_batch(plan.device.key, stacked[:, 0].size)
            predicted = backend.predict(stacked)
            for (number, tile), activations in zip(batch, predicted, strict=True):
                if len(tiles) == 1 and not tile.lost:
                    results[number] = activations  # the whole slice: nothing to put together
                    continue
                if results[number] is None:
                    shape = (activations.shape[0], *group[number].image.shape[1:])
                    results[number] = np.empty(shape, np.float32)
                results[number][:, *tile.keep.slices] = activations[:, *tile.inner]
        return results

    def _shrink(self) -> None:
        smaller = self.plan.smaller()
        if smaller is None:
            raise RequestError(
                "There is not enough memory, even for the smallest tiles on the processor.",
                "Close other programs, or choose a smaller model.",
            )
        self.plan = smaller
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._on_fallback(f"Not enough memory: going on with {smaller.describe()}.")


def _stack(tiles: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Stack tiles; a single one is not copied."""
    return tiles[0][np.newaxis] if len(tiles) == 1 else np.stack(tiles)
