"""What happens to a slice before the network sees it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import ImageError
from napari_slicewise.inference.calibration import TILES, busiest_cells, cell_shape
from napari_slicewise.inference.normalize import IntensityRange, measure_range, normalize
from napari_slicewise.inference.plan import Plan, border_lost, padded_shape
from napari_slicewise.inference.resample import resample
from napari_slicewise.inference.stream import CancelToken
from napari_slicewise.io.source import SliceSource

__all__ = ["SlicePreparer", "feed_channels"]

_SAMPLED_SLICES = 8
_SAMPLED_PIXELS = 512 * 512
_LUMINANCE = (0.2125, 0.7154, 0.0721)  # of linear RGB, ITU-R BT.709; as in scikit-image


def feed_channels(
    array: NDArray[Any],  # (c, y, x)
    recipe: str,
    in_channels: int,
) -> NDArray[Any]:  # (in_channels, y, x)
    """Make a model's input channels from an image's, in the image's own dtype.

    Parameters
    ----------
    array
        ``(channel, y, x)``.
    recipe
        As :func:`~napari_slicewise.inference.channels.channel_recipe` gives it.
    in_channels
        Channels that the model takes.
    """
    if recipe == "grey":
        grey = np.tensordot(np.array(_LUMINANCE), array[:3].astype(np.float64), axes=1)
        return (np.rint(grey) if array.dtype.kind in "ui" else grey).astype(array.dtype)[None]
    if recipe == "repeat":
        return np.broadcast_to(array, (in_channels, *array.shape[1:]))
    return array


class SlicePreparer:
    """Reads slices, normalises them and pads them to what the network needs.

    Parameters
    ----------
    plan
        Of the run.
    source
        The image.
    token
        Looked at between the slices on which intensities are measured.
    stack_range
        The range of the whole stack, where it is known; None measures it.
    """

    def __init__(
        self,
        plan: Plan,
        source: SliceSource,
        token: CancelToken,
        stack_range: IntensityRange | None = None,
    ) -> None:
        self._plan = plan
        self._source = source
        self._token = token
        self._stack_range = stack_range
        self._cells: list[list[NDArray[Any]]] = []  # of each sampled slice, for int8
        of_stack = plan.request.intensity_range == "stack" and bool(source.leading_shape)
        of_stack = of_stack and stack_range is None
        if of_stack or plan.quantize != "never":
            samples = self._samples()
            if of_stack and samples:
                self._stack_range = measure_range(samples, plan.spec)
            plan.tiles.fill(
                [
                    self._tile(cell, self._stack_range or measure_range([sample], plan.spec))
                    for sample, cells in zip(samples, self._cells, strict=True)
                    for cell in cells
                ]
            )
            self._cells.clear()

    @property
    def stack_range(self) -> IntensityRange | None:
        """The intensities of the whole stack; None where each slice has its own."""
        return self._stack_range

    def prepare(self, index: tuple[int, ...]) -> NDArray[np.float32]:
        """Read one slice as ``(channel, y, x)`` with sides that are multiples of the stride.

        Beyond its lower and right border the image is mirrored; for a network that
        loses a border, also beyond the other two, by what it loses.
        """
        array = self._read(index)
        range_ = self._stack_range or measure_range([array], self._plan.spec)
        normal = self._on_model_grid(normalize(array, range_))
        height, width = normal.shape[1:]
        rows, columns = padded_shape((height, width), self._plan.spec)
        lost = border_lost(self._plan.spec)
        border = ((0, 0), (lost, rows - height - lost), (lost, columns - width - lost))
        return np.pad(normal, border, mode="reflect")

    def _read(self, index: tuple[int, ...]) -> NDArray[Any]:
        array = self._source.read_slice(index)
        promised = (self._source.channels, *self._source.slice_shape)
        if array.shape != promised:
            raise ImageError(
                f"Slice {index} of the image has the shape {array.shape}, not {promised}.",
                "Is the file damaged, or was it changed meanwhile?",
            )
        if self._plan.request.channels is not None:
            array = array[list(self._plan.request.channels)]
        return feed_channels(array, self._plan.recipe, self._plan.spec.in_channels)

    def _on_model_grid(self, normal: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring a whole slice to the model's pixel size, where the plan says so."""
        rescaling = self._plan.rescaling
        return normal if rescaling is None else resample(normal, rescaling.model_shape)

    def _samples(self) -> list[NDArray[Any]]:
        """Read a few slices spread over the whole stack, thinned to a bounded size.

        Which slices were asked for makes no difference: one slice alone is predicted
        as it is within the stack. A slice that cannot be read is passed over: the run
        ends when its turn comes, and keeps the slices before it.
        """
        shape = self._source.leading_shape
        positions = np.linspace(0, int(np.prod(shape)) - 1, _SAMPLED_SLICES).round().astype(int)
        samples: list[NDArray[Any]] = []
        failure: ImageError | None = None
        for position in np.unique(positions):
            if self._token.cancelled:
                return samples
            try:
                array = self._read(tuple(int(i) for i in np.unravel_index(position, shape)))
            except ImageError as error:
                failure = error
                continue
            self._cells.append(self._take_cells(array, len(np.unique(positions))))
            step = max(1, int((array[0].size / _SAMPLED_PIXELS) ** 0.5))
            samples.append(array[:, ::step, ::step])
        if failure is not None and not samples:
            raise failure
        return samples

    def _take_cells(self, array: NDArray[Any], slices: int) -> list[NDArray[Any]]:
        """Copy cells of a sampled slice, to calibrate int8 on, where the plan may want it."""
        cell = self._cell_shape()
        if self._plan.quantize == "never" or cell is None:
            return []
        if self._plan.rescaling is not None:
            cell = self._plan.rescaling.on_image(cell)
        return busiest_cells(array, cell, -(-TILES // slices))

    def _tile(self, cell: NDArray[Any], range_: IntensityRange) -> NDArray[np.float32]:
        """Return a cell as the network gets it."""
        normal, shape = normalize(cell, range_), self._cell_shape()
        return normal if self._plan.rescaling is None or shape is None else resample(normal, shape)

    def _cell_shape(self) -> tuple[int, int] | None:
        """Return rows and columns of a cell on the model's grid; None where slices are small."""
        rescaling = self._plan.rescaling
        shape = self._source.slice_shape if rescaling is None else rescaling.model_shape
        return cell_shape(shape, self._plan.spec)
