"""How an image's channels feed a model. No torch here: the panel says it before the run."""

from __future__ import annotations

from collections.abc import Sequence

from napari_slicewise.errors import ModelError
from napari_slicewise.models.spec import ModelSpec

__all__ = ["channel_recipe"]


def channel_recipe(
    spec: ModelSpec, channels: int, *, rgb: bool, chosen: Sequence[int] | None = None
) -> str:
    """Say how an image's channels feed a model.

    Parameters
    ----------
    spec
        The model.
    channels
        Channels that the image gives.
    rgb
        Whether they are the colours of one picture.
    chosen
        Which of them are taken, counted from 0, in the order of the model's inputs; None
        takes all.

    Returns
    -------
    str
        ``as is``; ``grey``: the luminance of a colour image; ``repeat``: one channel
        fed to each input.

    Raises
    ------
    ModelError
        When they do not fit, with what to choose.
    """
    given = channels
    if chosen is not None:
        _check_chosen(chosen, channels)
        given, rgb = len(chosen), False
    if given == spec.in_channels:
        return "as is"
    if rgb and spec.in_channels == 1:
        return "grey"
    if given == 1 and spec.in_channels == 3:
        return "repeat"
    plural = "s" if spec.in_channels != 1 else ""
    what = f"the image gives {given}" if chosen is None else f"{given} of the image are chosen"
    raise ModelError(
        f"The model {spec.name!r} takes {spec.in_channels} channel{plural}, {what}.",
        _advice(spec.in_channels, channels),
    )


def _check_chosen(chosen: Sequence[int], channels: int) -> None:
    missing = [number for number in chosen if not 0 <= number < channels]
    if missing:
        raise ModelError(
            f"There is no channel {missing[0]}: the image has {channels}.",
            f"Choose channels from 0 to {channels - 1}." if channels > 1 else "Choose channel 0.",
        )


def _advice(wanted: int, channels: int) -> str:
    """Say what to choose so that the channels fit."""
    if channels < wanted:
        return "Choose another model."
    if wanted == 1:
        return "Choose one channel of the image."
    return f"Choose {wanted} of the image's {channels} channels, in the model's order."
