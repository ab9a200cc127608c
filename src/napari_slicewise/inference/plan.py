"""From what was asked to what will happen: every ``auto`` is resolved here, once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from napari_slicewise.errors import RequestError
from napari_slicewise.geometry import pad_to_multiple
from napari_slicewise.inference.calibration import ImageTiles
from napari_slicewise.inference.channels import channel_recipe
from napari_slicewise.inference.device import DevicePolicy, resolve_device
from napari_slicewise.inference.pixel_size import Rescaling, find_rescaling
from napari_slicewise.inference.quantization import can_quantize
from napari_slicewise.inference.request import DeviceInfo, Engine, Precision, Request
from napari_slicewise.io.source import SliceSource
from napari_slicewise.models.class_names import named_classes
from napari_slicewise.models.spec import ModelSpec

__all__ = ["Plan", "border_lost", "padded_shape", "resolve"]

_LARGEST_TILE = 2048
"""Pixels. Larger tiles gain nothing in speed and delay the answer to Stop."""

_SHARE_OF_FREE_MEMORY = 0.25

_SLICES_IN_FLIGHT = 4
"""Read, waiting for the network, waiting to be shaped, being brought back."""


@dataclass(frozen=True)
class Plan:
    """A run with nothing left open.

    Parameters
    ----------
    engine
        What runs the network.
    quantize
        Whether the run may go on in int8: never, on request, or where that pays.
    check
        What the check of int8 on this image found; empty before one.
    tiles
        Of the image, for that check; the reader fills them.
    padded
        Rows and columns of a slice as the network gets it, in pixels.
    tile
        Rows and columns that the network reads at once, in pixels.
    margin
        Pixels at a tile's inner borders that are not kept.
    batch
        Tiles predicted at once.
    recipe
        How the image's channels feed the model: ``as is``, ``grey`` or ``repeat``.
    rescaling
        From the image's grid to the model's and back; None where slices are taken as they are.
    """

    request: Request
    spec: ModelSpec
    device: DeviceInfo
    precision: Precision
    engine: Engine
    threshold: float
    recipe: str
    tile: tuple[int, int]
    margin: int
    batch: int
    padded: tuple[int, int]
    rescaling: Rescaling | None = None
    quantize: Literal["never", "asked", "if it pays"] = "never"
    check: str = ""
    tiles: ImageTiles = field(default_factory=ImageTiles, compare=False, repr=False)

    def smaller(self) -> Plan | None:
        """Return the next plan that needs less memory, or None when there is none.

        A smaller batch first, then smaller tiles down to where the margin eats most of
        them, then the processor.
        """
        if self.batch > 1:
            return replace(self, batch=self.batch // 2)
        least = _fit(3 * self.margin, self.spec)
        side = max(self.tile)
        if side > least and not self.spec.fixed_tile:
            half = max(_fit(side // 2, self.spec), least)
            return replace(self, tile=(min(self.tile[0], half), min(self.tile[1], half)))
        if self.device.key != "cpu":
            return replace(
                self, device=DeviceInfo("cpu", "CPU"), precision="float32", engine="torch"
            )
        return None

    def describe(self) -> str:
        """Say in words what decides speed and memory."""
        size = f"{self.tile[0]} x {self.tile[1]} px"
        engine = f"{self.engine} {self.precision}"
        if self.precision == "int8":
            engine += f" ({self.check})"
        words = f"{self.device.title}, {engine}, tiles of {size}, {self.batch} at once"
        return words if self.rescaling is None else f"{words}, {self.rescaling.describe()}"

    def details(self) -> dict[str, Any]:
        """Return the plan as plain values, for reports and saved files."""
        of_classes = self.request.output == "classes"
        return {
            "model": self.spec.name,
            "device": self.device.title,
            "precision": self.precision,
            "precision_check": self.check,
            "engine": self.engine,
            "output": self.request.output,
            "directions": self.request.directions,
            **asdict(self.request.objects.at(self.threshold).settled()),
            "class_names": list(named_classes(self.spec)) if of_classes else None,
            "intensity_range": self.request.intensity_range,
            "channels": self.recipe,
            "chosen_channels": list(self.request.channels or ()),
            "rescaled": None if self.rescaling is None else self.rescaling.describe(),
            "tile": list(self.tile),
            "batch": self.batch,
        }


def resolve(request: Request, spec: ModelSpec, source: SliceSource, policy: DevicePolicy) -> Plan:
    """Make the plan for a request on this machine.

    Raises
    ------
    RequestError, ModelError
        When the request cannot be met.
    """
    device, precision, engine = _executor(request, spec, policy)
    recipe = channel_recipe(spec, source.channels, rgb=source.rgb, chosen=request.channels)
    rescaling = _rescaling(request, spec, source, policy)
    padded = padded_shape(source.slice_shape if rescaling is None else rescaling.model_shape, spec)
    budget = int(policy.free_bytes(device.key) * _SHARE_OF_FREE_MEMORY)
    pixels = max(1, budget // _bytes_per_pixel(spec))
    tile = _tile_shape(request, spec, padded, pixels)
    batch = 1 if spec.fixed_tile else request.batch or _batch(tile, pixels, device)
    return Plan(
        request=request,
        spec=spec,
        device=device,
        precision=precision,
        engine=engine,
        threshold=_threshold(request, spec),
        recipe=recipe,
        tile=tile,
        margin=spec.margin,
        batch=batch,
        padded=padded,
        rescaling=rescaling,
        quantize=_quantize(request, spec, device, engine, policy),
    )


def _executor(
    request: Request, spec: ModelSpec, policy: DevicePolicy
) -> tuple[DeviceInfo, Precision, Engine]:
    """Choose device, number format and engine; networks that bring themselves along choose too."""
    graph = spec.architecture == "onnx"
    device = resolve_device(policy, "cpu" if graph and request.device == "auto" else request.device)
    if graph and device.key != "cpu":
        raise RequestError("ONNX files run on the processor.", "Choose the device auto or cpu.")
    precision = policy.precision(device.key, request.precision)
    engine = policy.engine(device.key, precision)
    if graph and engine == "torch":
        return device, "float32", "ONNX Runtime"
    if spec.architecture == "torchscript":
        return device, "float32", "torch"
    return device, precision, engine


def _threshold(request: Request, spec: ModelSpec) -> float:
    asked = request.objects.threshold
    return spec.threshold if asked is None else asked


def _quantize(
    request: Request, spec: ModelSpec, device: DeviceInfo, engine: Engine, policy: DevicePolicy
) -> Literal["never", "asked", "if it pays"]:
    """Decide whether the run may go on in int8.

    With first filters that are no multiple of 16, OpenVINO's int8 is no faster than its
    bfloat16 (24 filters, measured on AVX512_VNNI): not worth a check then.
    """
    able = engine == "OpenVINO" and can_quantize() and not spec.fixed_tile
    if request.precision == "int8":
        if not able:
            raise RequestError(
                f"There is no int8 on {device.title}.",
                "It needs a processor, and the extra napari-slicewise[openvino]. "
                "Choose the precision auto.",
            )
        return "asked"
    if request.precision != "auto" or not able or not policy.quantizes(device.key):
        return "never"
    return "if it pays" if spec.first_filters % 16 == 0 else "never"


def _rescaling(
    request: Request, spec: ModelSpec, source: SliceSource, policy: DevicePolicy
) -> Rescaling | None:
    """Decide on the rescaling; refuse slices that would outgrow the memory."""
    if not request.rescale:
        return None
    found = find_rescaling(spec, source.slice_shape, source.pixel_um)
    if found is None:
        return None
    rows, columns = found.model_shape
    maps = _SLICES_IN_FLIGHT * (spec.in_channels + spec.out_channels)
    if 4 * maps * rows * columns > policy.free_bytes("cpu"):
        raise RequestError(
            f"A slice {found.describe()} has {rows} x {columns} pixels: too many for the memory.",
            "Turn rescaling off, or close other programs.",
        )
    return found


def border_lost(spec: ModelSpec) -> int:
    """Return the pixels at each border that the network gives no output for."""
    return spec.margin if spec.padding == "valid" else 0


def padded_shape(shape: tuple[int, int], spec: ModelSpec) -> tuple[int, int]:
    """Return the rows and columns that a slice is padded to for a network."""
    lost = 2 * border_lost(spec)
    least = spec.fixed_tile or (0, 0)
    rows, columns = max(shape[0] + lost, least[0]), max(shape[1] + lost, least[1])
    return pad_to_multiple((rows, columns), spec.stride, spec.remainder)


def _fit(side: int, spec: ModelSpec) -> int:
    """Return the smallest side of an input that is not below ``side``."""
    return pad_to_multiple((side, side), spec.stride, spec.remainder)[0]


def _bytes_per_pixel(spec: ModelSpec) -> int:
    """Estimate the peak of the activations: eight float32 maps at full resolution.

    In the last decoder three times the first filters are alive (upsampled, skip and
    their concatenation twice), and the convolution's own workspace beside them.
    """
    return 8 * 4 * spec.first_filters


def _tile_shape(
    request: Request, spec: ModelSpec, padded: tuple[int, int], pixels: int
) -> tuple[int, int]:
    if spec.fixed_tile:
        return spec.fixed_tile[0], spec.fixed_tile[1]
    if request.tile is not None:
        side = max(_fit(request.tile, spec), _fit(2 * spec.margin + spec.stride, spec))
    elif spec.sees_all and padded[0] * padded[1] <= pixels:
        return padded  # a tile's answer is another one than the slice's, whatever the margin
    else:
        side = _fit(min(_LARGEST_TILE, int(pixels**0.5)) - spec.stride, spec)
        side = max(side, _fit(3 * spec.margin, spec))
    return min(side, padded[0]), min(side, padded[1])


def _batch(tile: tuple[int, int], pixels: int, device: DeviceInfo) -> int:
    """Fill a GPU; on a processor, only join small slices until there is work for each core."""
    area = tile[0] * tile[1]
    wanted = 256 * 256 if device.key == "cpu" else 16 * 1024 * 1024
    return max(1, min(wanted // area, pixels // area, 32))
