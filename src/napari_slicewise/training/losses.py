"""How far an answer is from the truth."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["dice_loss", "distance_loss", "foreground_loss"]


def foreground_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted binary cross entropy plus Dice loss of the foreground.

    Parameters
    ----------
    logits, target, weight
        ``(b, 1, y, x)``; target 0 or 1, weight positive.
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (entropy * weight).sum() / weight.sum() + dice_loss(logits, target, weight)


def dice_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """``1 - Dice``, over the batch as a whole so that empty patches need no exception.

    Source: Milletari et al. 2016, 10.1109/3DV.2016.79, equation of the Dice coefficient,
    with weighted pixels.
    """
    probability = torch.sigmoid(logits)
    overlap = (weight * probability * target).sum()
    total = (weight * (probability + target)).sum()
    return 1.0 - (2.0 * overlap + 1.0) / (total + 1.0)


def distance_loss(distance: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted smooth L1 loss of the normalised distance, objects and background alike in sum.

    Parameters
    ----------
    distance, target, weight
        ``(b, 1, y, x)``; target 0 in the background, up to 1 in objects.
    """
    error = functional.smooth_l1_loss(distance, target, reduction="none", beta=0.1)
    inside = weight * (target > 0)
    outside = weight - inside
    return 0.75 * _mean(error, inside) + 0.25 * _mean(error, outside)


def _mean(error: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean; 0 where nothing has weight."""
    return (error * weight).sum() / weight.sum().clamp(min=1.0)
