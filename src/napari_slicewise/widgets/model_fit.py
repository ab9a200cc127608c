"""Whether the image fits the model, said where the image is chosen and before any run."""

from __future__ import annotations

from napari_slicewise.errors import SlicewiseError
from napari_slicewise.widgets.wrapped_text import WrappedText

__all__ = ["Misfit"]


class Misfit(WrappedText):
    """What keeps the image from feeding the model, and what to choose; hidden if nothing does."""

    def __init__(self) -> None:
        super().__init__("misfit", "Why this image cannot feed this model, and what to choose.")
        self.setAccessibleName("Image and model do not fit")
        self.hide()

    def say_why(self, reason: SlicewiseError | None) -> None:
        """Show a reason and its hint; None for nothing to be said."""
        self.say("" if reason is None else str(reason))
        self.setVisible(reason is not None)
