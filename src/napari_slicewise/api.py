"""The headless interface: a few lines each over the engine that the panel uses."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import RequestError
from napari_slicewise.inference.device import DevicePolicy, LocalDevices
from napari_slicewise.inference.loading import LoadedModel, load_model_file
from napari_slicewise.inference.request import Output, Request, RunReport, SliceResult
from napari_slicewise.inference.runner import Runner
from napari_slicewise.inference.stream import CancelToken
from napari_slicewise.io.image_info import PIXEL
from napari_slicewise.io.outputs import write_labels
from napari_slicewise.io.source import ArraySource, SliceSource
from napari_slicewise.io.tiff_reader import OpenedImage, open_image
from napari_slicewise.models.zoo import resolve_model

__all__ = [
    "ObjectOptions",
    "SegmentRun",
    "anisotropy_of",
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


def anisotropy_of(image: OpenedImage, source: ArraySource) -> float:
    """Return the distance of two slices over the size of a pixel; 1 where either is not known.

    Parameters
    ----------
    image
        The image.
    source
        Its slices.
    """
    steps = dict(zip((axis.name for axis in image.info.axes), image.info.axes, strict=True))
    names = image.info.axis_names
    if not source.leading_axes:
        return 1.0
    through, rows, columns = (
        steps[names[axis]] for axis in (source.leading_axes[-1], *source.plane)
    )
    if through.unit == PIXEL or not through.unit == rows.unit == columns.unit:
        return 1.0
    return through.step / math.sqrt(rows.step * columns.step)


_DTYPES: dict[str, type[np.generic]] = {
    "labels": np.uint32,
    "classes": np.uint8,
    "probability": np.float32,
}


@dataclass(frozen=True)
class ObjectOptions:
    """How pixels become objects, and objects of neighbouring slices one object.

    The fields are those of :class:`~napari_slicewise.inference.request.Request`, where they
    are explained and checked.
    """

    split: bool = True
    smallest: int = 16  # px
    largest: int | None = None  # px
    core_threshold: float | None = None
    smoothing: float = 0.0  # px
    holes: int = 0  # px
    border: bool = True
    link: bool = True
    least_iou: float = 0.0
    gap: int = 1  # slices
    least_slices: int = 1


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
    output: Output = "labels",
    threshold: float | None = None,
    device: str = "auto",
    objects: ObjectOptions | None = None,
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
    output
        ``labels``: objects, linked through the last leading axis; ``classes``;
        ``probability`` of the foreground.
    threshold
        Foreground probability of a pixel that belongs to an object; None takes the model's.
    device
        ``auto``, ``cpu``, ``cuda:0``, ``mps``.
    objects
        Sizes, outlines and linking of objects; None for the defaults.

    Returns
    -------
    ndarray
        With the shape of the image less its channels: uint32, uint8 or float32.

    Raises
    ------
    SlicewiseError
        When the image cannot be read or does not fit the model.
    """
    if output not in _DTYPES:
        raise RequestError(
            f"There is no output {output!r}.", f"Choose one of {', '.join(_DTYPES)}."
        )
    with ExitStack() as held:
        if isinstance(image, str | Path):
            image = held.enter_context(read_image(image))
        source, anisotropy = _slices_of(image, channel, channel_axis)
        loaded = model if isinstance(model, LoadedModel) else load_model(model)
        request = Request(
            model=loaded.spec.name,
            indices=tuple(source.indices()),
            output=output,
            threshold=threshold,
            anisotropy=anisotropy,
            device=device,
            **asdict(objects or ObjectOptions()),
        )
        result = np.zeros((*source.leading_shape, *source.slice_shape), _DTYPES[output])
        for done in SegmentRun(request, source, loaded):
            result[done.index] = done.values
    return result


def _slices_of(
    image: Any, channel: int | None, channel_axis: int | None
) -> tuple[ArraySource, float]:
    """Return the slices of an image, and their distance over the size of a pixel."""
    if isinstance(image, OpenedImage):
        source = image.source(channel)
        return source, anisotropy_of(image, source)
    if channel is not None and channel_axis is None:
        raise RequestError("To choose a channel of an array, say which axis counts the channels.")
    return _array_source(image, channel_axis, channel), 1.0


def _array_source(array: Any, channel_axis: int | None, channel: int | None) -> ArraySource:
    """Take the last two axes that are not the channels for rows and columns."""
    if isinstance(array, list | tuple):
        array = np.asarray(array)
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
