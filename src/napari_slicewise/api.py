"""The headless interface: a few lines each over the engine that the panel uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import RequestError
from napari_slicewise.inference.device import DevicePolicy, LocalDevices
from napari_slicewise.inference.loading import LoadedModel, load_model_file
from napari_slicewise.inference.request import Directions, Output, Request, RunReport, SliceResult
from napari_slicewise.inference.runner import Runner
from napari_slicewise.inference.stream import CancelToken
from napari_slicewise.instances.given import check_pixel_size, check_whole
from napari_slicewise.instances.options import ImageGrid, ObjectOptions
from napari_slicewise.io.outputs import write_labels
from napari_slicewise.io.source import ArraySource, SliceSource
from napari_slicewise.io.tiff_reader import OpenedImage, open_image
from napari_slicewise.io.units import MICROMETRES
from napari_slicewise.models.zoo import resolve_model

__all__ = [
    "ObjectOptions",
    "SegmentRun",
    "grid_of",
    "load_model",
    "read_image",
    "segment",
    "write_labels",
]


def read_image(path: str | Path, series: int = 0) -> OpenedImage:
    """Open an image file lazily.

    Parameters
    ----------
    path
        A TIFF file of any of the flavours in the documentation, an OME-Zarr folder, or a folder
        of numbered files.
    series
        Which image of a file that holds several.

    Returns
    -------
    OpenedImage
        ``.data`` (lazy above 16 MB), ``.info`` (axes, pixel size, units, channels).
        A context manager; it holds no file open longer than a read.

    Raises
    ------
    ImageError
        When the file cannot be read.
    """
    return open_image(Path(path), series)


def load_model(name_or_path: str | Path) -> LoadedModel:
    """Load a bundled model by its name, or weights from a file; no code in it is run.

    Raises
    ------
    ModelError
        When there is no such model, or the file is none.
    """
    return load_model_file(resolve_model(str(name_or_path)))


def grid_of(image: OpenedImage, source: ArraySource) -> ImageGrid:
    """Return what an image tells of its slices.

    Parameters
    ----------
    image
        The image.
    source
        Its slices.
    """
    names = image.info.axis_names
    axes = {axis.name: axis for axis in image.info.axes}
    um = {
        axis.name: axis.step * MICROMETRES[axis.unit]
        for axis in image.info.axes
        if axis.unit in MICROMETRES
    }
    rows, columns = (um.get(names[axis]) for axis in source.plane)
    area = None if rows is None or columns is None else rows * columns
    if not source.leading_axes:
        return ImageGrid(pixel_um2=area)
    through = names[source.leading_axes[-1]]
    return ImageGrid(through, axes[through].size, area, um.get(through))


_DTYPES: dict[str, type[np.generic]] = {
    "labels": np.uint32,
    "classes": np.uint8,
    "probability": np.float32,
}


@dataclass(eq=False)
class SegmentRun:
    """A run to iterate over; ``report`` says how it ended.

    Parameters
    ----------
    request, source, model
        What to do.
    policy
        The devices.
    token
        ``token.cancel()``, from any thread, ends the run after the tiles under way.
    on_status
        Told in words what is being done.
    """

    request: Request
    source: SliceSource
    model: LoadedModel
    policy: DevicePolicy = field(default_factory=LocalDevices)
    token: CancelToken = field(default_factory=CancelToken)
    on_status: Callable[[str], None] = lambda _text: None
    report: RunReport | None = None

    def __iter__(self) -> Iterator[SliceResult]:
        runner = Runner(
            self.request, self.source, self.model, self.policy, self.token, self.on_status
        )
        try:
            yield from runner.results()
        except Exception as error:
            self.report = runner.report(error)
            raise
        self.report = runner.report()


def segment(
    image: Any,
    model: LoadedModel | str | Path = "nuclei",
    *,
    channel: int | None = None,
    channel_axis: int | None = None,
    channels: Sequence[int] | None = None,
    pixel_um: tuple[float, float] | None = None,
    rescale: bool = True,
    output: Output = "labels",
    threshold: float | None = None,
    device: str = "auto",
    objects: ObjectOptions | None = None,
    directions: Directions = "z",
) -> NDArray[Any]:
    """Segment an image or a stack, slice by slice over its last two axes.

    Parameters
    ----------
    image
        An :class:`OpenedImage`, a path, or an array ``(..., y, x)``; dask and zarr
        arrays are read a slice at a time.
    model
        What :func:`load_model` returned, the name of a bundled model, or a path.
    channel
        Which channel to read; None gives the model all of them.
    channel_axis
        Of an array: the position of its channel axis. Never guessed.
    channels
        The channel for each input of the model, in order; None takes them as they come.
    pixel_um
        Size of a pixel in um, ``(y, x)``; None takes what the image tells.
    rescale
        Whether slices are brought to the pixel size that the model was trained at, where both
        are known. The result has the image's own grid in any case.
    output
        ``labels``: objects, linked through the last leading axis; ``classes``;
        ``probability`` of the foreground.
    threshold
        Foreground probability of a pixel that belongs to an object; None takes that of
        ``objects``, or else the model's.
    device
        ``auto``, ``cpu``, ``cuda:0``, ``mps``.
    objects
        Sizes, outlines and linking of objects; None for the defaults. What it leaves open of
        the linking (``anisotropy``, ``least_slices``) is taken from the image.
    directions
        ``zyx`` looks at a stack along all three axes, and takes the mean of the
        probabilities: for volumes, in three times the time. Where slices lie further apart
        than pixels, they are brought to one distance for that.

    Returns
    -------
    ndarray
        With the shape of the image less its channels: uint32, uint8 or float32.

    Raises
    ------
    SlicewiseError
        When the image cannot be read or does not fit the model.
    """
    _check_output(output)
    _check_types(channel, channel_axis, channels, device, objects)
    with ExitStack() as held:
        if isinstance(image, str | Path):
            image = held.enter_context(read_image(image))
        source, grid = _slices_of(image, channel, channel_axis, pixel_um)
        grid.check_directions(directions)
        loaded = model if isinstance(model, LoadedModel) else load_model(model)
        options = objects or ObjectOptions()
        request = Request(
            model=loaded.spec.name,
            indices=tuple(source.indices()),
            output=output,
            objects=(options if threshold is None else options.at(threshold)).settled(grid),
            directions=directions,
            device=device,
            channels=None if channels is None else tuple(channels),
            rescale=rescale,
        )
        result = np.zeros((*source.leading_shape, *source.slice_shape), _DTYPES[output])
        for done in SegmentRun(request, source, loaded):
            result[done.index] = done.values
    return result


def _slices_of(
    image: Any,
    channel: int | None,
    channel_axis: int | None,
    pixel_um: tuple[float, float] | None,
) -> tuple[ArraySource, ImageGrid]:
    """Return the slices of an image, and what is known of them."""
    source, grid = _told_by(image, channel, channel_axis)
    if pixel_um is None:
        return source, grid
    check_pixel_size(pixel_um)
    area = pixel_um[0] * pixel_um[1]
    return replace(source, pixel_um=pixel_um), replace(grid, pixel_um2=area)


def _check_output(output: str) -> None:
    if output not in _DTYPES:
        raise RequestError(
            f"There is no output {output!r}.", f"Choose one of {', '.join(_DTYPES)}."
        )


def _check_types(channel: Any, channel_axis: Any, channels: Any, device: Any, objects: Any) -> None:
    """Refuse what would fail far inside, and say what is meant to be there."""
    if not isinstance(device, str):
        raise RequestError(f"A device is named by text, not {device!r}.", "Choose auto or cpu.")
    if not isinstance(objects, ObjectOptions | None):
        raise RequestError(f"objects is an ObjectOptions, not {objects!r}.")
    if isinstance(channels, str | Integral):
        raise RequestError(f"channels is a list such as [2, 0], not {channels!r}.")
    numbers = [("A channel", one) for one in (channel, *(() if channels is None else channels))]
    for what, number in (*numbers, ("channel_axis", channel_axis)):
        if number is not None:
            check_whole(what, number)


def _told_by(
    image: Any, channel: int | None, channel_axis: int | None
) -> tuple[ArraySource, ImageGrid]:
    """Return the slices of an image, and what it tells of them."""
    if isinstance(image, OpenedImage):
        source = image.source(channel)
        return source, grid_of(image, source)
    if channel is not None and channel_axis is None:
        raise RequestError("To choose a channel of an array, say which axis counts the channels.")
    source = _array_source(image, channel_axis, channel)
    return source, ImageGrid(slices=source.leading_shape[-1] if source.leading_shape else 0)


def _array_source(array: Any, channel_axis: int | None, channel: int | None) -> ArraySource:
    """Take the last two axes that are not the channels for rows and columns."""
    if isinstance(array, list | tuple):
        try:
            array = np.asarray(array)
        except ValueError as error:
            raise RequestError(
                "The image is a list of rows that differ in length.", "Give rows of one length."
            ) from error
    if not hasattr(array, "shape") or not hasattr(array, "dtype"):
        raise RequestError(
            f"A {type(array).__name__} is no image.",
            "Give a path, an array, or what read_image gives.",
        )
    ndim = len(array.shape)
    own = None if channel_axis is None else channel_axis % max(ndim, 1)
    plane = [axis for axis in range(ndim) if axis != own][-2:]
    if len(plane) < 2:
        plane = [-2, -1]  # too few axes: the error says so
    return ArraySource(array, (plane[0], plane[1]), channel_axis, channel)
