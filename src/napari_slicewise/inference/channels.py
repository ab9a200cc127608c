"""How an image's channels feed a model. No torch here: the panel says it before the run."""

from __future__ import annotations

from napari_slicewise.errors import ModelError
from napari_slicewise.models.spec import ModelSpec

__all__ = ["channel_recipe"]


def channel_recipe(spec: ModelSpec, channels: int, *, rgb: bool) -> str:
    """Say how an image's channels feed a model.

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
    if channels == spec.in_channels:
        return "as is"
    if rgb and spec.in_channels == 1:
        return "grey"
    if channels == 1 and spec.in_channels == 3:
        return "repeat"
    plural = "s" if spec.in_channels != 1 else ""
    raise ModelError(
        f"The model {spec.name!r} takes {spec.in_channels} channel{plural}, "
        f"the image gives {channels}.",
        "Choose one channel of the image." if channels > 1 else "Choose another model.",
    )
