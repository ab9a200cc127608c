"""How far an answer is from the truth."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from napari_slicewise.models.spec import OutputKind
from napari_slicewise.training.patches import Batch

__all__ = ["batch_loss", "class_loss", "dice_loss", "distance_loss", "foreground_loss"]


def batch_loss(
    answer: Tensor, batch: Batch, output: OutputKind, second_weight: float
) -> tuple[Tensor, Tensor]:
    """Return the loss of the foreground or classes, and the weighted one of a second head.

    Parameters
    ----------
    answer
        ``(patch, channel, y, x)`` as the network gives it, float32.
    batch
        What is true.
    output
        What the channels mean.
    second_weight
        Factor of the second head's loss.
    """
    if output == "classes":
        return class_loss(answer, batch.target[:, 0], batch.weight[:, 0]), torch.zeros(())
    first = foreground_loss(answer[:, :1], batch.target[:, :1], batch.weight[:, :1], batch.border)
    if output == "foreground":
        return first, torch.zeros(())
    truth, weight = batch.target[:, 1:2], batch.weight[:, 1:2]
    loss = distance_loss if output == "foreground_distance" else foreground_loss
    return first, second_weight * loss(answer[:, 1:2], truth, weight)


def foreground_loss(
    logits: Tensor, target: Tensor, weight: Tensor, border: Tensor | None = None
) -> Tensor:
    """Weighted binary cross entropy plus Dice loss of the foreground.

    Parameters
    ----------
    logits, target, weight
        ``(b, 1, y, x)``; target 0 or 1; weight 0 where nothing is known.
    border
        ``(b, 1, y, x)``: added to the weight in the cross entropy alone, so that the gaps
        between objects do not make the foreground as a whole smaller.
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    counted = weight if border is None else weight + border
    return _mean(entropy, counted) + dice_loss(logits, target, weight)


def dice_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """``1 - Dice``, over the batch as a whole so that empty patches need no exception.

    Source: Milletari et al. 2016, 10.1109/3DV.2016.79, equation of the Dice coefficient,
    with weighted pixels.
    """
    return _dice_loss(torch.sigmoid(logits), target, weight)


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


def class_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Cross entropy plus the mean Dice loss of the classes that the batch holds.

    Parameters
    ----------
    logits
        ``(b, class, y, x)``.
    target, weight
        ``(b, y, x)``; numbers of classes, and 0 where nothing is known.
    """
    entropy = functional.cross_entropy(logits, target, reduction="none")
    probability = logits.softmax(dim=1)
    present = [int(c) for c in target[weight > 0].unique()]  # type: ignore[no-untyped-call]
    dice = [_dice_loss(probability[:, c], (target == c).float(), weight) for c in present]
    mean = torch.stack(dice).mean() if dice else torch.zeros((), device=logits.device)
    return _mean(entropy, weight) + mean


def _dice_loss(probability: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    overlap = (weight * probability * target).sum()
    total = (weight * (probability + target)).sum()
    return 1.0 - (2.0 * overlap + 1.0) / (total + 1.0)


def _mean(error: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean; 0 where nothing has weight."""
    return (error * weight).sum() / weight.sum().clamp(min=1.0)
