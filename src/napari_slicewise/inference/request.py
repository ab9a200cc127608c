"""What the user asks for, and what comes back. No torch here: the desktop imports this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from numpy.typing import NDArray

from napari_slicewise.errors import RequestError
from napari_slicewise.instances.pipeline import ShapeOptions

__all__ = [
    "MOST_HEADS",
    "DeviceInfo",
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

Precision = Literal["auto", "float32", "bfloat16", "float16", "int8"]
Engine = Literal["torch", "OpenVINO"]
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
    threshold
        Foreground probability, 0..1; None takes the model's own.
    split
        Whether touching objects are split.
    split_strength
        How easily, from 0 (never) to 1 (at the least dent); 0.5 is the usual.
    link
        Whether objects keep their number through the last leading axis.
    least_iou
        Smallest intersection over union of a linked object in neighbouring slices, 0..1.
    gap
        In how many slices in a row a linked object may be missing.
    anisotropy
        Distance of two slices over the size of a pixel, for the linking; 1 where unknown.
    least_slices
        Linked objects found in fewer slices are left out, unless the border of the stack
        cuts them. 1 keeps all.
    smallest
        Objects of fewer pixels in a slice are left out.
    largest
        Objects of more pixels in a slice are left out; None keeps them.
    core_threshold
        An object holds a pixel of at least this foreground probability, 0..1; None asks
        for no more than ``threshold``.
    smoothing
        Standard deviation in pixels of the Gaussian that smooths outlines, 0 for none.
    holes
        Holes of up to so many pixels are filled.
    border
        Whether objects at the border of a slice are kept.
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
    """

    model: str
    indices: tuple[tuple[int, ...], ...]
    output: Output = "labels"
    threshold: float | None = None
    split: bool = True
    split_strength: float = 0.5
    link: bool = True
    least_iou: float = 0.0
    gap: int = 1
    anisotropy: float = 1.0
    least_slices: int = 1
    smallest: int = 16
    largest: int | None = None
    core_threshold: float | None = None
    smoothing: float = 0.0
    holes: int = 0
    border: bool = True
    device: str = "auto"
    precision: Precision = "auto"
    intensity_range: Literal["stack", "slice"] = "stack"
    tile: int | None = None
    batch: int | None = None

    def __post_init__(self) -> None:
        if not self.indices:
            raise RequestError("No slice is chosen.", "Choose at least one slice.")
        if self.threshold is not None and not (
            isinstance(self.threshold, int | float) and 0.0 <= self.threshold <= 1.0
        ):
            raise RequestError(f"The threshold must lie in 0..1, got {self.threshold!r}.")
        if self.output not in get_args(Output):
            raise RequestError(
                f"There is no output {self.output!r}.", "Choose labels, classes or probability."
            )
        if self.smallest < 0:
            raise RequestError(f"The smallest object has 0 pixels or more, not {self.smallest}.")
        self._check_shaping()
        if self.tile is not None and self.tile < 32:
            raise RequestError(f"A tile's side must be 32 pixels or more, got {self.tile}.")
        if self.batch is not None and self.batch < 1:
            raise RequestError(f"A batch holds one tile or more, got {self.batch}.")

    def _check_shaping(self) -> None:
        if self.largest is not None and self.largest < max(1, self.smallest):
            raise RequestError(
                f"No object has at most {self.largest} pixels and at least {self.smallest}."
            )
        if not 0.0 <= self.split_strength <= 1.0:
            raise RequestError(f"Splitting goes from 0 to 1, got {self.split_strength!r}.")
        core = self.core_threshold
        if core is not None and not 0.0 <= core <= 1.0:
            raise RequestError(f"The threshold of cores must lie in 0..1, got {core!r}.")
        if not 0.0 <= self.smoothing <= 100.0:
            raise RequestError(f"Outlines are smoothed by 0 to 100 pixels, not {self.smoothing}.")
        if self.holes < 0:
            raise RequestError(f"A hole has 0 pixels or more, not {self.holes}.")
        if not 0.0 <= self.least_iou <= 1.0:
            raise RequestError(f"The overlap of slices must lie in 0..1, got {self.least_iou!r}.")
        if self.gap < 0 or self.least_slices < 1 or not 0.0 < self.anisotropy < float("inf"):
            raise RequestError(
                "Linking needs a gap of 0 slices or more, objects of 1 slice or more and an "
                f"anisotropy above 0, not {self.gap}, {self.least_slices} and {self.anisotropy}."
            )


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
    """

    index: tuple[int, ...]
    values: NDArray[Any]  # (y, x), or (head, y, x)
    seconds: float
    renamed: Mapping[int, int] = field(default_factory=dict)


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
    return ShapeOptions(
        heads=heads,
        output=request.output,
        threshold=threshold,
        split=request.split,
        split_strength=request.split_strength,
        smallest=request.smallest,
        largest=request.largest,
        core_threshold=request.core_threshold,
        smoothing=request.smoothing,
        holes=request.holes,
        border=request.border,
    )
