"""The training loop: a generator, so that whoever drives it can show, stop and go on."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from napari_slicewise.errors import ModelError
from napari_slicewise.models.state_file import replace_file
from napari_slicewise.training.average import WeightAverage
from napari_slicewise.training.config import TrainingConfig
from napari_slicewise.training.losses import distance_loss, foreground_loss
from napari_slicewise.training.patches import Batch

__all__ = ["StepReport", "Trainer"]


@dataclass(frozen=True)
class StepReport:
    """One step: losses as numbers, rate, and how much of the time is spent (0..1)."""

    step: int
    seconds: float
    progress: float
    foreground: float
    distance: float
    rate: float


class Trainer:
    """A network, its optimiser and the average of its weights, on the way.

    Parameters
    ----------
    network
        Answers ``(b, 1, y, x)`` with the foreground's logit, and the distance where it
        has a second channel.
    draw
        Gives the next batch.
    config
        Every number.
    """

    def __init__(
        self, network: nn.Module, draw: Callable[[], Batch], config: TrainingConfig
    ) -> None:
        self.config = config
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = WeightAverage(network, config.average)
        self.step = 0
        self.seconds = 0.0
        self._draw = draw
        self._optimizer = torch.optim.AdamW(_parameter_groups(network, config), lr=0.0)

    def steps(self) -> Iterator[StepReport]:
        """Train until the time is over; stop asking, and it stops after the step it is at."""
        while self.seconds < 60.0 * self.config.minutes:
            begun = time.monotonic()
            progress = self.seconds / (60.0 * self.config.minutes)
            rate = learning_rate(progress, self.config)
            foreground, distance = self._learn(self._draw(), rate)
            self.step += 1
            self.average.update(self.network, self.step)
            self.seconds += time.monotonic() - begun
            yield StepReport(self.step, self.seconds, progress, foreground, distance, rate)

    def save(self, path: Path) -> None:
        """Write everything that :meth:`resume` needs; complete or not at all.

        Raises
        ------
        OutputError
            When the file cannot be written.
        """
        state = {
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "config": asdict(self.config),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        with replace_file(path) as file:
            file.write(buffer.getbuffer())

    def resume(self, path: Path) -> None:
        """Go on from what :meth:`save` wrote. Batches come from where ``draw`` stands.

        Raises
        ------
        ModelError
            When the file is no saved training of this network.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.network.load_state_dict(state["network"])
            self.average.network.load_state_dict(state["average"])
            self._optimizer.load_state_dict(state["optimizer"])
            self.step = int(state["step"])
            self.seconds = float(state["seconds"])
        except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(f"{path} is no saved training of this network: {error}") from error

    def _learn(self, batch: Batch, rate: float) -> tuple[float, float]:
        """One step of the optimiser; the foreground's and the distance's loss."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self.network.train()
        image = batch.image.contiguous(memory_format=torch.channels_last)
        with torch.autocast(image.device.type, dtype=torch.bfloat16):
            answer = self.network(image)
        answer = answer.float()
        foreground = foreground_loss(answer[:, :1], batch.foreground, batch.weight)
        distance = torch.zeros(())
        if answer.shape[1] > 1:
            distance = distance_loss(answer[:, 1:2], batch.distance, batch.weight)
        loss: Tensor = foreground + self.config.distance_weight * distance
        if not torch.isfinite(loss):
            raise ModelError(
                f"The training diverged at step {self.step + 1}.", "Lower the learning rate."
            )
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self._optimizer.step()
        return foreground.item(), distance.item()


def learning_rate(progress: float, config: TrainingConfig) -> float:
    """Linear warm-up, then a cosine down to ``final_rate``; ``progress`` from 0 to 1."""
    if progress < config.warmup:
        return config.learning_rate * (0.01 + 0.99 * progress / config.warmup)
    along = min(1.0, (progress - config.warmup) / (1.0 - config.warmup))
    cosine = 0.5 * (1.0 + math.cos(math.pi * along))
    return config.learning_rate * (config.final_rate + (1.0 - config.final_rate) * cosine)


def _parameter_groups(network: nn.Module, config: TrainingConfig) -> list[dict[str, object]]:
    """Kernels decay, biases and batch norm do not."""
    kernels = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [
        {"params": kernels, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
