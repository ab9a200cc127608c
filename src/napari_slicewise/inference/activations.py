"""What the network says of the slices of an image, one after another."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.inference.normalize import IntensityRange
from napari_slicewise.inference.plan import border_lost
from napari_slicewise.inference.predict import Predicted, Predictor, Prepared
from napari_slicewise.inference.prepare import SlicePreparer
from napari_slicewise.inference.resample import resample
from napari_slicewise.inference.stream import CancelToken, in_background
from napari_slicewise.io.source import SliceIndex, SliceSource

__all__ = ["ActivationStream"]


class ActivationStream:
    """Reads, normalises and predicts, each on a thread of its own.

    Parameters
    ----------
    predictor
        Knows the plan, and may change it on the way.
    source
        The image.
    token
        To stop the run.
    intensities
        The range of the whole stack, where it is known; None measures it.
    on_status
        Told in words what is being done.
    """

    def __init__(
        self,
        predictor: Predictor,
        source: SliceSource,
        token: CancelToken,
        intensities: IntensityRange | None = None,
        on_status: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._predictor = predictor
        self._source = source
        self._token = token
        plan = predictor.plan
        on_status("Measuring the range of intensities")
        self._preparer = SlicePreparer(plan, source, token, intensities)
        on_status(plan.describe())

    @property
    def intensities(self) -> IntensityRange | None:
        """The range of the whole stack; None where each slice has its own."""
        return self._preparer.stack_range

    def of(self, indices: Sequence[SliceIndex]) -> Generator[Predicted]:
        """Yield activations on the image's own grid, ``(head, y, x)``, in the order of slices.

        Raises
        ------
        SlicewiseError
            When the image cannot be read, or memory ends.
        """
        prepared = in_background(self._prepare(indices), 2, "slicewise-read")
        predicted = in_background(self._predictor.predict_all(prepared), 2, "slicewise-predict")
        with closing(predicted):
            for item in predicted:
                yield replace(item, activations=self._on_image_grid(item.activations))

    def _prepare(self, indices: Sequence[SliceIndex]) -> Iterator[Prepared]:
        for index in indices:
            if self._token.cancelled:
                return
            yield Prepared(index, self._preparer.prepare(index))

    def _on_image_grid(self, padded: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cut off what was padded, and undo the rescaling."""
        plan = self._predictor.plan
        shape = self._source.slice_shape
        height, width = shape if plan.rescaling is None else plan.rescaling.model_shape
        lost = border_lost(plan.spec)
        inside = padded[:, lost : lost + height, lost : lost + width]
        return inside if plan.rescaling is None else resample(inside, shape)
