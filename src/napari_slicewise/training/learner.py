"""One training, from annotated slices to a file of weights.

``training`` stands above ``inference``: it uses its normalisation and its activation.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_slicewise.errors import ModelError
from napari_slicewise.geometry import pad_to_multiple
from napari_slicewise.inference.device import (
    DevicePolicy,
    LocalDevices,
    is_out_of_memory,
    resolve_device,
)
from napari_slicewise.inference.plan import border_lost
from napari_slicewise.models.checkpoint import write_checkpoint
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.training.card import card_of
from napari_slicewise.training.config import TrainingConfig
from napari_slicewise.training.label_facts import survey
from napari_slicewise.training.lessons import Lessons
from napari_slicewise.training.loop import DivergedError, Trainer
from napari_slicewise.training.patches import PatchSampler
from napari_slicewise.training.recipe import config_for, smaller
from napari_slicewise.training.rehearsal import rehearsal_pool
from napari_slicewise.training.request import Annotation, Ending, LearnReport, LearnRequest
from napari_slicewise.training.standing import Standing
from napari_slicewise.training.starting import begin
from napari_slicewise.training.state import read_training, write_training
from napari_slicewise.training.validation import predict_slice, validate_on

__all__ = ["Learner"]


class Learner:
    """Learns from annotated slices, step by step; annotations may change meanwhile.

    Parameters
    ----------
    request
        What is asked for.
    annotations
        The slices; one or more.
    policy
        The devices; tests inject their own.
    config
        Every number of the training; None chooses by request and annotations.

    Raises
    ------
    SlicewiseError
        When nothing can be learned from them, with what to do about it.
    """

    def __init__(
        self,
        request: LearnRequest,
        annotations: Sequence[Annotation],
        policy: DevicePolicy | None = None,
        config: TrainingConfig | None = None,
    ) -> None:
        self.request = request
        self._lock = threading.RLock()  # around weights: predictions come from other threads
        self._lessons = Lessons(annotations, request.held_out)
        start = begin(request, annotations, survey(self._lessons.train_pieces()))
        self.spec: ModelSpec = start.spec
        self.config = config or config_for(request, annotations, tuned=start.tuned)
        policy = policy or LocalDevices()
        self._device = resolve_device(policy, request.device)
        self._precision = policy.precision(self._device.key, "auto")
        self._lessons.prepare(self.spec, self.config, request.memory_mb << 20)
        self._patch = self.config.patch
        old = rehearsal_pool(start.weights, self.spec, self.config)
        side = self._side(self._patch)
        self._sampler = PatchSampler(self._lessons.pool, self.spec.output, self.config, side, old)
        self._trainer = Trainer(
            start.network, self.spec.output, self.config, self._device.key, self._precision
        )
        self._standing = Standing(self.config)
        self._comparable = start.known is not None
        self._messages = [text for text in (start.message, self._lessons.message) if text]

    @property
    def held_out(self) -> tuple[str, ...]:
        """Names of the annotations that are scored and never trained on."""
        return self._lessons.held_out

    def describe(self) -> str:
        """Say in words where and how steps are computed."""
        batch, patch = self._sampler.batch, self._patch
        return f"{self._device.title}, {self._precision}, {batch} patches of {patch} px a step"

    def steps(self) -> Iterator[LearnReport]:
        """Train until the time or the steps are over; stop asking, and it stops.

        Raises
        ------
        ImageError
            When a slice cannot be read.
        ModelError
            When the memory does not suffice for the smallest step.
        """
        torch.set_flush_denormal(True)  # several times slower otherwise, on some processors
        ending: Ending = self._standing.ending(self._trainer.progress)
        while not ending:
            began = time.monotonic() - self._trainer.seconds
            self._compare_before()
            self._messages += self._lessons.take_updates()
            try:
                loss = self._learn()
            except DivergedError as error:
                self._messages.append(f"{error.message} The weights before that are kept.")
                yield self._report(float("nan"), None, "diverged")
                return
            self._trainer.seconds = time.monotonic() - began
            score = self._validate()
            self._trainer.seconds = time.monotonic() - began
            ending = self._standing.ending(self._trainer.progress)
            yield self._report(loss, score, ending)

    def update(self, annotation: Annotation) -> None:
        """Add an annotation, or replace the one of its name; from any thread.

        The next step draws from it. What is held out stays held out.
        """
        self._lessons.update(annotation)

    def predict(
        self, image: NDArray[Any], *, group: str = "", rgb: bool = False
    ) -> NDArray[np.float32]:
        """Predict a slice with the average of the weights by now; from any thread.

        Parameters
        ----------
        image
            ``(y, x)`` or ``(channel, y, x)``, as read.
        group
            The image that the slice belongs to: its intensity range is used. Unknown or
            empty: the slice's own.
        rgb
            Whether the channels are the colours of one picture.

        Returns
        -------
        ndarray of float32
            Activations ``(head, y, x)`` in 0..1.
        """
        normal = self._lessons.intensities.normalize_slice(image, group, rgb=rgb)
        with self._lock:
            network = self._trainer.average.network
            return predict_slice(network, self.spec, normal, self._trainer.device, self._precision)

    def save(self, path: Path) -> ModelSpec:
        """Write the best weights so far with their card; complete or not at all.

        Returns
        -------
        ModelSpec
            The card.

        Raises
        ------
        OutputError
            When the file cannot be written; what was there before is then still there.
        """
        standing = self._standing
        scores = {}
        if standing.best is not None:
            scores[f"{self._lessons.measure}, held out"] = standing.best
        learned = self._lessons.learned_from
        card = card_of(self.spec, self.request, learned, scores, self._trainer.step)
        with self._lock:
            write_checkpoint(
                path, standing.weights or self._trainer.average.network.state_dict(), card
            )
        return card

    def save_state(self, path: Path) -> None:
        """Write all that :meth:`resume` needs to go on as if never stopped.

        Raises
        ------
        OutputError
            When the file cannot be written; what was there before is then still there.
        """
        state = {
            "patch": self._patch,
            "trainer": self._trainer.state(),
            "sampler": self._sampler.state(),
            "standing": self._standing.state(),
            "intensities": self._lessons.intensities.state(),
        }
        write_training(path, state)

    def resume(self, path: Path) -> None:
        """Go on from what :meth:`save_state` wrote, with the same request and annotations.

        Raises
        ------
        ModelError
            When the file is no saved training of this network.
        """
        state = read_training(path)
        try:
            self._trainer.restore(state["trainer"])
            self._lessons.intensities.restore(state["intensities"])
            self._sampler.restore(state["sampler"])
            self._standing.restore(state["standing"])
            self._patch = int(state["patch"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"{path} is no saved training of this network: {error}",
                "Begin anew, or give the options that it was begun with.",
            ) from error
        self._messages.append(f"Going on after step {self._trainer.step}.")

    def _side(self, patch: int) -> int:
        read = patch + 2 * border_lost(self.spec)  # the network answers less than it reads
        return pad_to_multiple((read, read), self.spec.stride, self.spec.remainder)[0]

    def _compare_before(self) -> None:
        if self._trainer.step == 0 and self._comparable and self._standing.before is None:
            self._standing.before = self._score()

    def _score(self) -> float | None:
        with self._lock:
            average, device = self._trainer.average.network, self._trainer.device
            return validate_on(self._lessons.held, average, self.spec, device, self._precision)

    def _learn(self) -> float:
        """Do one step; with less at once when the memory does not suffice."""
        while True:
            try:
                batch = self._sampler.draw()
                with self._lock:
                    return self._trainer.learn(batch)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self._shrink(error)

    def _shrink(self, error: BaseException) -> None:
        less = smaller(self._patch, self._sampler.batch)
        if less is None:
            raise ModelError(
                "The memory does not suffice to train this network.",
                "Close other programs, or train a smaller network.",
            ) from error
        self._patch, self._sampler.batch = less
        self._sampler.side = self._side(self._patch)
        self._trainer.forget_gradients()
        self._messages.append(
            f"Memory ran out: patches of {self._patch} px, {self._sampler.batch} at once."
        )

    def _validate(self) -> float | None:
        """Score the average, where it is time for that."""
        trainer, standing = self._trainer, self._standing
        if not self.held_out or not standing.due(trainer.progress, trainer.seconds):
            return None
        began = time.monotonic()
        score = self._score()
        cost = time.monotonic() - began
        if score is not None:
            now = trainer.seconds + cost
            weights = trainer.average.network.state_dict()
            standing.take(score, weights, trainer.progress, cost, now)
        return score

    def _report(self, loss: float, score: float | None, ending: Ending) -> LearnReport:
        trainer, standing = self._trainer, self._standing
        left = trainer.seconds * (1.0 / max(trainer.progress, 1e-6) - 1.0)
        said = " ".join(self._messages)
        self._messages.clear()
        return LearnReport(
            step=trainer.step,
            seconds=trainer.seconds,
            seconds_left=0.0 if ending else max(0.0, left),
            loss=loss,
            validation=score,
            measure=self._lessons.measure,
            best=standing.best,
            before=standing.before,
            message=said,
            patches_from=dict(self._sampler.counts),
            patches=self._sampler.notes,
            ending=ending,
        )
