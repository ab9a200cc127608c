"""The box of the panel that lets slices be rescaled to a model's pixel size, or not."""

from __future__ import annotations

from qtpy.QtWidgets import QCheckBox

from napari_slicewise.errors import RequestError
from napari_slicewise.inference.pixel_size import find_rescaling
from napari_slicewise.io.source import ArraySource
from napari_slicewise.models.spec import ModelSpec

__all__ = ["RescaleBox"]


class RescaleBox(QCheckBox):
    """There only where the pixel sizes of image and model are known and differ."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("rescale")
        self.setAccessibleName("Rescale to the model's pixel size")
        self._explain("The model was trained at another pixel size.")
        self.setChecked(True)
        self.setVisible(False)

    def fit(self, spec: ModelSpec | None, source: ArraySource | None) -> None:
        """Say what would be done with an image for a model."""
        apart = spec is not None and source is not None and _differ(spec, source)
        self.setVisible(apart)
        if spec is None or spec.pixel_um is None or not apart:
            return
        self.setText(f"Rescale to {spec.pixel_um:.3g} µm")
        self._explain(f"The model was trained at {spec.pixel_um:.3g} µm a pixel.")

    def _explain(self, why: str) -> None:
        """Set the tooltip, which a screen reader reads too."""
        self.setToolTip(
            f"{why}\nSlices are rescaled for the network alone: the labels lie exactly on the\n"
            "pixels of the image."
        )
        self.setAccessibleDescription(self.toolTip())


def _differ(spec: ModelSpec, source: ArraySource) -> bool:
    try:
        return find_rescaling(spec, source.slice_shape, source.pixel_um) is not None
    except RequestError:
        return True
