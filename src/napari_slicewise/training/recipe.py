"""From what was asked to every number of the training: each ``auto`` is resolved here, once."""

from __future__ import annotations

from collections.abc import Sequence

from napari_slicewise.training.config import TrainingConfig, Variation
from napari_slicewise.training.request import Annotation, LearnRequest

__all__ = ["config_for", "smaller"]

USUAL_PATCH = 192  # px
SMALLEST_PATCH = 64  # px
NEW_RATE = 2e-3
TUNING_RATE = 1e-3
TUNING_ANCHOR = 1.0
TUNING_REHEARSAL = 0.5

_FEW = Variation(intensity=0.5)
_TUNING = Variation(scales=(0.8, 1.25), elastic=0.3, intensity=0.5, plain=0.3)


def config_for(
    request: LearnRequest, annotations: Sequence[Annotation], *, tuned: bool
) -> TrainingConfig:
    """Choose every number.

    Parameters
    ----------
    request
        What was asked for.
    annotations
        Their sizes decide the patch's.
    tuned
        Whether the weights come from a model. Then the steps are smaller, batch norm keeps
        its statistics, and the weights are pulled back to where they began: a few slices
        must not make the model forget the many it has seen. Of some of these it keeps patches.
    """
    return TrainingConfig(
        minutes=request.minutes,
        steps=request.steps,
        batch=request.batch,
        patch=request.patch or _patch_for(annotations),
        learning_rate=request.learning_rate or (TUNING_RATE if tuned else NEW_RATE),
        anchor=TUNING_ANCHOR if tuned else 0.0,
        keep_statistics=tuned,
        rehearse=TUNING_REHEARSAL if tuned else 0.0,
        weight_decay=0.0 if tuned else 0.02,
        small_weight=1.5,
        dim_weight=1.5,
        average=0.99 if request.minutes < 10.0 else 0.995,
        seed=request.seed,
        variation=_TUNING if tuned else _FEW,
    )


def smaller(patch: int, batch: int) -> tuple[int, int] | None:
    """Return the next patch and batch that need less memory; None where there are none."""
    if patch > SMALLEST_PATCH:
        return max(SMALLEST_PATCH, patch // 32 * 16), batch
    if batch > 1:
        return patch, batch // 2
    return None


def _patch_for(annotations: Sequence[Annotation]) -> int:
    """Return the usual side, or a smaller one where most slices are smaller."""
    sides = sorted(min(int(n) for n in a.labels.shape) for a in annotations)
    usual = sides[len(sides) // 2] // 16 * 16
    return min(USUAL_PATCH, max(SMALLEST_PATCH, usual))
