"""What a trained model says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.training.pieces import group_of
from napari_slicewise.training.request import Annotation, LearnRequest

__all__ = ["card_of"]


def card_of(
    spec: ModelSpec,
    request: LearnRequest,
    learned_from: Sequence[Annotation],
    scores: dict[str, float],
    steps: int,
) -> ModelSpec:
    """Complete a specification by what was done.

    Parameters
    ----------
    spec
        Of the network.
    request
        What was asked for.
    learned_from
        The slices that patches were drawn from.
    scores
        On the held-out slices, by what they are.
    steps
        That were done.
    """
    slices = len(learned_from)
    images = len({group_of(a) for a in learned_from})
    sparse = sum(a.known is not None for a in learned_from)
    words = f"Trained on {slices} slice{'s' if slices != 1 else ''}"
    if images != slices:
        words += f" of {images} image{'s' if images != 1 else ''}"
    if sparse:
        words += f", {sparse} of them painted in part"
    words += f"; {steps} steps of {request.batch} patches, seed {request.seed}"
    began = f"{words}; began with random weights."
    if request.start_from is not None:
        name = Path(request.start_from).stem
        began = f"{words}; began with the weights of {name}."
    return replace(
        spec,
        title=spec.title or spec.name,
        source=began,
        description=spec.description or "Trained on the user's own labels.",
        scores={name: round(value, 4) for name, value in scores.items()},
    )
