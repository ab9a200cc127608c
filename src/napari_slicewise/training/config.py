"""How a network is trained: every number that the loop uses."""

from __future__ import annotations

from dataclasses import dataclass

from napari_slicewise.errors import RequestError

__all__ = ["TrainingConfig"]


@dataclass(frozen=True)
class TrainingConfig:
    """Options of one training run.

    Parameters
    ----------
    minutes
        Time the run may take. The learning rate follows the clock, not the number
        of steps, so that the cosine decay is complete on a slow machine too.
    batch
        Patches of one step.
    patch
        Side of a patch in pixels, a multiple of 16.
    learning_rate
        Peak of the learning rate.
    final_rate
        What is left of it at the end, as a fraction of the peak.
    warmup
        Fraction of the time in which the learning rate rises.
    weight_decay
        Of AdamW; not applied to biases and batch norm.
    average
        Decay of the moving average of the weights, a step.
    distance_weight
        Weight of the distance channel's loss beside the foreground's.
    seed
        Of the weights, the patches and their augmentation.
    validate_minutes, save_minutes
        Time between two validations, and between two saved states.
    """

    minutes: float = 60.0
    batch: int = 8
    patch: int = 192
    learning_rate: float = 2e-3
    final_rate: float = 0.005
    warmup: float = 0.03
    weight_decay: float = 0.02
    average: float = 0.998
    distance_weight: float = 2.0
    seed: int = 0
    validate_minutes: float = 6.0
    save_minutes: float = 2.0

    def __post_init__(self) -> None:
        if self.minutes <= 0:
            raise RequestError(f"Training needs more than {self.minutes} minutes.")
        if self.batch < 1:
            raise RequestError(f"A batch holds one patch or more, got {self.batch}.")
        if self.patch < 16 or self.patch % 16:
            raise RequestError(f"A patch's side must be a multiple of 16, got {self.patch}.")
