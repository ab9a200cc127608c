"""From what was asked to what will happen: every ``auto`` is resolved here, once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from napari_slicewise.geometry import pad_to_multiple
from napari_slicewise.inference.channels import channel_recipe
from napari_slicewise.inference.device import DevicePolicy, resolve_device
from napari_slicewise.inference.request import DeviceInfo, Engine, Precision, Request
from napari_slicewise.io.source import SliceSource
from napari_slicewise.models.spec import ModelSpec

__all__ = ["Plan", "border_lost", "padded_shape", "resolve"]

_LARGEST_TILE = 2048
"""Pixels. Larger tiles gain nothing in speed and delay the answer to Stop."""

_SHARE_OF_FREE_MEMORY = 0.25


@dataclass(frozen=True)
class Plan:
    """A run with nothing left open.

    Parameters
    ----------
    engine
        What runs the network.
    tile
        Rows and columns that the network reads at once, in pixels.
    margin
        Pixels at a tile's inner borders that are not kept.
    batch
        Tiles predicted at once.
    recipe
        How the image's channels feed the model: ``as is``, ``grey`` or ``repeat``.
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

    def smaller(self) -> Plan | None:
        """Return the next plan that needs less memory, or None when there is none.

        A smaller batch first, then smaller tiles down to where the margin eats most of
        them, then the processor.
        """
        if self.batch > 1:
            return replace(self, batch=self.batch // 2)
        least = _fit(3 * self.margin, self.spec)
        side = max(self.tile)
        if side > least:
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
        return f"{self.device.title}, {engine}, tiles of {size}, {self.batch} at once"

    def details(self) -> dict[str, Any]:
        """Return the plan as plain values, for reports and saved files."""
        return {
            "model": self.spec.name,
            "device": self.device.title,
            "precision": self.precision,
            "engine": self.engine,
            "output": self.request.output,
            "threshold": self.threshold,
            "split": self.request.split,
            "link": self.request.link,
            "smallest": self.request.smallest,
            "intensity_range": self.request.intensity_range,
            "channels": self.recipe,
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
    device = resolve_device(policy, request.device)
    recipe = channel_recipe(spec, source.channels, rgb=source.rgb)
    padded = padded_shape(source.slice_shape, spec)
    budget = int(policy.free_bytes(device.key) * _SHARE_OF_FREE_MEMORY)
    pixels = max(1, budget // _bytes_per_pixel(spec))
    tile = _tile_shape(request, spec, padded, pixels)
    precision = policy.precision(device.key, request.precision)
    return Plan(
        request=request,
        spec=spec,
        device=device,
        precision=precision,
        engine=policy.engine(device.key, precision),
        threshold=spec.threshold if request.threshold is None else request.threshold,
        recipe=recipe,
        tile=tile,
        margin=spec.margin,
        batch=request.batch or _batch(tile, pixels, device),
    )


def border_lost(spec: ModelSpec) -> int:
    """Return the pixels at each border that the network gives no output for."""
    return spec.margin if spec.padding == "valid" else 0


def padded_shape(shape: tuple[int, int], spec: ModelSpec) -> tuple[int, int]:
    """Return the rows and columns that a slice is padded to for a network."""
    lost = 2 * border_lost(spec)
    return pad_to_multiple((shape[0] + lost, shape[1] + lost), spec.stride, spec.remainder)


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
    if request.tile is not None:
        side = max(_fit(request.tile, spec), _fit(2 * spec.margin + spec.stride, spec))
    else:
        side = _fit(min(_LARGEST_TILE, int(pixels**0.5)) - spec.stride, spec)
        side = max(side, _fit(3 * spec.margin, spec))
    return min(side, padded[0]), min(side, padded[1])


def _batch(tile: tuple[int, int], pixels: int, device: DeviceInfo) -> int:
    """Fill a GPU; on a processor, only join small slices until there is work for each core."""
    area = tile[0] * tile[1]
    wanted = 256 * 256 if device.key == "cpu" else 16 * 1024 * 1024
    return max(1, min(wanted // area, pixels // area, 32))
