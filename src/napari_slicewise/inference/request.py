"""What the user asks for, and what comes back. No torch here: the desktop imports this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import RequestError
from napari_slicewise.instances.link_options import LinkOptions
from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.instances.pipeline import ShapeOptions

__all__ = [
    "MOST_HEADS",
    "DeviceInfo",
    "Directions",
    "Output",
    "Progress",
    "Request",
    "RunReport",
    "SliceResult",
    "shape_options",
    "visiting_order",
]

Output = Literal["labels", "classes", "probability", "activations"]
MOST_HEADS = 4
"""Channels of activations that are handed out; more of them would not fit the memory for slices."""

Directions = Literal["z", "zy", "zx", "zyx"]
Precision = Literal["auto", "float32", "bfloat16", "float16", "int8"]
Engine = Literal["torch", "OpenVINO", "ONNX Runtime"]
Outcome = Literal["completed", "cancelled", "failed"]


@dataclass(frozen=True)
class Request:
    """One run, as asked for; ``auto`` is allowed and is resolved where the devices are known.

    Parameters
    ----------
    model
        Name of a bundled model, or the path of a file with weights.
    indices
        The slices to predict, in the order in which they are wanted.
    output
        ``labels``: objects; ``classes``: 0/1 or the class; ``probability``: of the foreground;
        ``activations``: what the network gives, to be shaped elsewhere.
    objects
        What counts as an object, and when objects of two slices are one.
    directions
        ``z``: slices are looked at as they are. ``zyx``: stacks are looked at along all three
        axes, and the probabilities are averaged; ``zy`` and ``zx`` likewise.
    device
        ``auto``, or a name such as ``cpu``, ``cuda:0``, ``mps``.
    precision
        Number format of the network's arithmetic. ``int8`` needs OpenVINO and NNCF, is
        calibrated on the image and used only where a check against float32 passes.
    intensity_range
        Whether the normalisation looks at the whole stack or at each slice by itself.
    tile
        Side of a tile in pixels; None chooses by the free memory.
    batch
        Tiles predicted at once; None chooses by the free memory.
    channels
        Which of the image's channels feeds each input of the model, counted from 0, in order;
        None takes them as they come (:func:`~napari_slicewise.inference.channels.channel_recipe`).
    rescale
        Whether slices are brought to the pixel size that the model was trained at, where both
        sizes are known and differ. The result always lies on the image's own grid.
    answers
        To what the file of weights leaves open, ``(question, value)``; empty takes those that
        were remembered beside it.
    """

    model: str
    indices: tuple[tuple[int, ...], ...]
    output: Output = "labels"
    objects: ObjectOptions = field(default_factory=ObjectOptions)
    directions: Directions = "z"
    device: str = "auto"
    precision: Precision = "auto"
    intensity_range: Literal["stack", "slice"] = "stack"
    tile: int | None = None
    channels: tuple[int, ...] | None = None
    rescale: bool = True
    answers: tuple[tuple[str, str], ...] = ()
    batch: int | None = None

    def __post_init__(self) -> None:
        if not self.indices:
            raise RequestError("No slice is chosen.", "Choose at least one slice.")
        _ = self.objects.areas, self.objects.hole_pixels, self.links  # no size is left open
        if self.output not in get_args(Output):
            raise RequestError(
                f"There is no output {self.output!r}.", "Choose labels, classes or probability."
            )
        if self.directions not in get_args(Directions):
            raise RequestError(
                f"There are no directions {self.directions!r}.", "Choose z, zy, zx or zyx."
            )
        if self.tile is not None and self.tile < 32:
            raise RequestError(f"A tile's side must be 32 pixels or more, got {self.tile}.")
        if self.batch is not None and self.batch < 1:
            raise RequestError(f"A batch holds one tile or more, got {self.batch}.")
        if self.channels is not None and not self.channels:
            raise RequestError("No channel is chosen.", "Choose one for each input of the model.")

    @property
    def links(self) -> LinkOptions:
        """When objects of two slices are one object."""
        return self.objects.links


@dataclass(frozen=True)
class DeviceInfo:
    """A device that exists on this machine, by the name people know it under."""

    key: str  # "cpu", "cuda:0", "mps"
    title: str  # "CPU (2 threads)", "NVIDIA GeForce RTX 4090"


@dataclass(frozen=True)
class Progress:
    """How far a run is; rate in slices a second, time left in seconds."""

    done: int
    total: int
    rate: float
    seconds_left: float


@dataclass(frozen=True, eq=False)
class SliceResult:
    """The machine's answer for one slice.

    Parameters
    ----------
    index
        Position on the leading axes.
    values
        ``(y, x)``: uint32 object numbers, uint8 classes or float32 probability; activations
        ``(head, y, x)``, float32.
    seconds
        Time this slice took in the network and in the shaping after it.
    renamed
        Numbers of earlier results that this slice has shown to be one object with
        another: old to new, 0 where an object is left out after all. What was delivered
        before must be renamed; ``values`` is already. Always empty when the slices are
        asked for in order.
    confidence
        Mean foreground probability of each object in this slice, 0..1, by its number in
        ``values``; empty for other outputs than labels. See
        :func:`~napari_slicewise.instances.confidence.object_confidence`.
    """

    index: tuple[int, ...]
    values: NDArray[Any]  # (y, x), or (head, y, x)
    seconds: float
    renamed: Mapping[int, int] = field(default_factory=dict)
    confidence: Mapping[int, float] = field(default_factory=dict)

    def numbered(
        self, table: NDArray[np.uint32], renamed: Mapping[int, int] | None = None
    ) -> SliceResult:
        """Return this slice, whose objects are 1..n, with the numbers of the stack.

        Parameters
        ----------
        table
            ``(n + 1,)``: the number of each; 0 for those that are left out.
        renamed
            See the class.
        """
        confidence = {int(table[n]): mean for n, mean in self.confidence.items() if table[n]}
        values = table[self.values]
        return replace(self, values=values, renamed=renamed or {}, confidence=confidence)


@dataclass(frozen=True)
class RunReport:
    """How a run ended, and everything needed to run it again. Plain values only."""

    outcome: Outcome
    slices: int
    seconds: float
    message: str = ""
    hint: str = ""
    fallbacks: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


def visiting_order(
    indices: tuple[tuple[int, ...], ...], first: tuple[int, ...]
) -> tuple[tuple[int, ...], ...]:
    """Sort slice indices so that the one on show comes first, then its neighbours outwards.

    Nearness is judged on the first leading axis first: of a movie of stacks, the
    time point on show is finished before the next one begins.
    """
    return tuple(
        sorted(
            indices,
            key=lambda index: (
                *(abs(here - there) for here, there in zip(index, first, strict=True)),
                index,
            ),
        )
    )


def shape_options(request: Request, heads: str, threshold: float) -> ShapeOptions | None:
    """Return how a run's slices are shaped; None where that is done elsewhere.

    Parameters
    ----------
    request
        What is asked for.
    heads
        What the channels of the activations mean, as in ``ModelSpec.output``.
    threshold
        The request's, or the model's own.
    """
    if request.output == "activations":
        return None
    return ShapeOptions(heads, request.output, request.objects.at(threshold))
