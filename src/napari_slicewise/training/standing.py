"""How a training stands: scores so far, the best weights, and when it is time to end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from napari_slicewise.training.config import TrainingConfig
from napari_slicewise.training.request import Ending

__all__ = ["Standing"]

_SHARE = 0.1  # of the time that validations may take


@dataclass(eq=False)
class Standing:
    """Scores of the averaged weights.

    Parameters
    ----------
    config
        How often is validated, and how long an improvement is waited for.
    before
        Score of the model that the training began with; None where there was none.
    best, best_at
        The best score so far, and at which part of the run it was found.
    weights
        The averaged weights then.
    validations
        How many there were.
    """

    config: TrainingConfig
    before: float | None = None
    best: float | None = None
    best_at: float = 0.0
    weights: dict[str, Tensor] = field(default_factory=dict)
    validations: int = 0
    _cost: float = 0.0  # seconds of the last validation
    _last: float = 0.0  # when it ended, in seconds of the training

    def due(self, progress: float, seconds: float) -> bool:
        """Whether it is time for a validation.

        Where the run goes by the clock, validations take a tenth of it at most; where it
        goes by steps, they depend on nothing but the step.
        """
        if progress >= 1.0:
            return True
        if progress * self.config.validations < self.validations + 1:
            return False
        return self.config.steps is not None or seconds - self._last >= self._cost / _SHARE

    def take(
        self, score: float, weights: Mapping[str, Tensor], progress: float, cost: float, now: float
    ) -> None:
        """Take a score; of equal scores the later counts."""
        # Those that were left out, since they would have taken too long, are not made up for.
        self.validations = max(self.validations + 1, int(progress * self.config.validations))
        self._cost, self._last = cost, now
        if self.best is None or score >= self.best:
            self.best, self.best_at = score, progress
            self.weights = {key: value.detach().cpu().clone() for key, value in weights.items()}

    def ending(self, progress: float) -> Ending:
        """Say whether the training is over, and why."""
        if progress >= 1.0:
            return "time is over" if self.config.steps is None else "steps are done"
        if self.best is not None and progress - self.best_at > self.config.patience:
            return "no better any more"
        return ""

    def state(self) -> dict[str, Any]:
        """Return everything as tensors and plain values."""
        return {
            "before": self.before,
            "best": self.best,
            "best_at": self.best_at,
            "weights": dict(self.weights),
            "validations": self.validations,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take what :meth:`state` gave."""
        self.before, self.best = state["before"], state["best"]
        self.best_at = float(state["best_at"])
        self.weights = dict(state["weights"])
        self.validations = int(state["validations"])
