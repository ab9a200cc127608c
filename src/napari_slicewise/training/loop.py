"""A network, its optimiser and the average of its weights: one step after the other."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from napari_slicewise.errors import ModelError
from napari_slicewise.inference.request import Precision
from napari_slicewise.models.spec import OutputKind
from napari_slicewise.training.average import WeightAverage
from napari_slicewise.training.config import TrainingConfig
from napari_slicewise.training.losses import batch_loss
from napari_slicewise.training.patches import Batch

__all__ = ["DivergedError", "Trainer", "crop", "learning_rate"]

_LARGEST_GRADIENT = 2.0  # norm of all gradients together
_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class DivergedError(ModelError):
    """The loss is no number any more; the weights are those before that step."""


class Trainer:
    """A network, its optimiser and the average of its weights, on the way.

    Parameters
    ----------
    network
        Answers ``(b, channel, y, x)`` with logits, and the distance where it has one.
    output
        What its channels mean.
    config
        Every number.
    device, precision
        Where and in which number format steps are computed; the weights are float32.
    """

    def __init__(
        self,
        network: nn.Module,
        output: OutputKind,
        config: TrainingConfig,
        device: str = "cpu",
        precision: Precision = "float32",
    ) -> None:
        self.config = config
        self.device = torch.device(device)
        self._dtype = _DTYPES.get(precision)
        placed = network.to(self.device)
        # torch's annotations do not know this keyword of Module.to.
        self.network = placed.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = WeightAverage(network, config.average)
        self.step = 0
        self.seconds = 0.0
        self._output: OutputKind = output
        self._optimizer = torch.optim.AdamW(_parameter_groups(network, config), lr=0.0)
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "float16")
        self._start = [p.detach().clone() for p in network.parameters()] if config.anchor else []

    @property
    def progress(self) -> float:
        """How much of the run is done, from 0 to 1."""
        if self.config.steps is not None:
            return min(1.0, self.step / self.config.steps)
        return min(1.0, self.seconds / (60.0 * self.config.minutes))

    def learn(self, batch: Batch) -> float:
        """Do one step; returns its loss.

        Raises
        ------
        DivergedError
            When the loss or its gradient is no number; the weights are as before.
        """
        rate = learning_rate(self.progress, self.config)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._prepare_network()
        batch = batch.to(self.device)
        image = batch.image.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, self._dtype, enabled=self._dtype is not None):
            answer = self.network(image)
        batch = crop(batch, answer.shape[-1])
        first, second = batch_loss(answer.float(), batch, self._output, self.config.distance_weight)
        loss = first + second
        self._descend(loss)
        for parameter, start in zip(self.network.parameters(), self._start, strict=False):
            parameter.data.lerp_(start, min(1.0, rate * self.config.anchor))
        self.step += 1
        self.average.update(self.network, self.step)
        return float(loss.item())

    def forget_gradients(self) -> None:
        """Give back what an interrupted step holds."""
        self._optimizer.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Any]:
        """Return everything that :meth:`restore` needs: tensors and plain values."""
        return {
            "network": _held(self.network.state_dict()),
            "average": _held(self.average.network.state_dict()),
            "optimizer": copy.deepcopy(self._optimizer.state_dict()),
            "scaler": self._scaler.state_dict(),
            "start": [tensor.cpu() for tensor in self._start],
            "random": torch.get_rng_state(),
            "step": self.step,
            "seconds": self.seconds,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state` gave.

        Raises
        ------
        KeyError, TypeError, ValueError, RuntimeError
            When it is the state of another network.
        """
        self.network.load_state_dict(state["network"])
        self.average.network.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:
            self._scaler.load_state_dict(state["scaler"])
        self._start = [tensor.to(self.device) for tensor in state["start"]]
        torch.set_rng_state(state["random"])
        self.step = int(state["step"])
        self.seconds = float(state["seconds"])

    def _prepare_network(self) -> None:
        """Set to training; batch norm stays as in inference where the config says so."""
        self.network.train()
        if self.config.keep_statistics:
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()

    def _descend(self, loss: Tensor) -> None:
        """Do a step of the optimiser, unless something is no number."""
        if not torch.isfinite(loss):
            raise self._diverged()
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(self._optimizer)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        if not self._scaler.is_enabled() and not torch.isfinite(norm):
            raise self._diverged()
        self._scaler.step(self._optimizer)
        self._scaler.update()

    def _diverged(self) -> DivergedError:
        return DivergedError(
            f"The training diverged at step {self.step + 1}: the loss is no number any more.",
            "Lower the learning rate, and look for odd values in the images.",
        )


def crop(batch: Batch, side: int) -> Batch:
    """Cut what is true to the middle, for networks whose output is smaller than their input."""
    lost = (batch.image.shape[-1] - side) // 2
    if not lost:
        return batch
    inner = (..., slice(lost, lost + side), slice(lost, lost + side))
    return Batch(batch.image, batch.target[inner], batch.weight[inner], batch.border[inner])


def learning_rate(progress: float, config: TrainingConfig) -> float:
    """Linear warm-up, then a cosine down to ``final_rate``; ``progress`` from 0 to 1."""
    if progress < config.warmup:
        return config.learning_rate * (0.01 + 0.99 * progress / config.warmup)
    along = min(1.0, (progress - config.warmup) / (1.0 - config.warmup))
    cosine = 0.5 * (1.0 + math.cos(math.pi * along))
    return config.learning_rate * (config.final_rate + (1.0 - config.final_rate) * cosine)


def _held(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy tensors to the processor, so that later steps do not change them."""
    return {key: value.detach().cpu().clone() for key, value in state.items()}


def _parameter_groups(network: nn.Module, config: TrainingConfig) -> list[dict[str, object]]:
    """Kernels decay, biases and batch norm do not."""
    kernels = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [
        {"params": kernels, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
