"""Devices, number formats and free memory of this machine."""

from __future__ import annotations

from typing import Protocol

import torch

from napari_slicewise.errors import RequestError
from napari_slicewise.inference.openvino_backend import openvino_version
from napari_slicewise.inference.request import DeviceInfo, Engine, Precision
from napari_slicewise.io.room import available_memory

__all__ = ["DevicePolicy", "LocalDevices", "is_out_of_memory", "resolve_device"]


_OUT_OF_MEMORY = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "failed to allocate",  # OpenVINO
    "bad_alloc",
    "bad allocation",  # the same from Windows
)


class DevicePolicy(Protocol):
    """What the planner and the runner ask about devices; tests inject their own."""

    def devices(self) -> tuple[DeviceInfo, ...]:
        """Return the devices that exist, the best one first."""

    def free_bytes(self, device: str) -> int:
        """Return the memory that a run may count on, in bytes."""

    def precision(self, device: str, asked: Precision) -> Precision:
        """Return the number format to compute in; never ``auto``, nor ``int8``."""

    def engine(self, device: str, precision: Precision) -> Engine:
        """Return what runs the network there."""

    def quantizes(self, device: str) -> bool:
        """Return whether int8 is faster there than the other formats."""

    def before_batch(self, device: str, pixels: int) -> None:
        """Give a policy the chance to refuse a batch of so many input pixels."""


class LocalDevices:
    """The devices of this machine, as torch sees them."""

    def devices(self) -> tuple[DeviceInfo, ...]:
        """Return CUDA and Apple devices, then the processor."""
        found = [
            DeviceInfo(f"cuda:{number}", torch.cuda.get_device_name(number))
            for number in range(torch.cuda.device_count())
        ]
        if torch.backends.mps.is_available():
            found.append(DeviceInfo("mps", "Apple GPU"))
        threads = torch.get_num_threads()
        title = f"CPU ({threads} thread{'s' if threads != 1 else ''})"
        return (*found, DeviceInfo("cpu", title))

    def free_bytes(self, device: str) -> int:
        """Return free device memory; for the processor, what the system calls available."""
        if device.startswith("cuda"):
            return int(torch.cuda.mem_get_info(torch.device(device))[0])
        if device == "mps":
            return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
        return available_memory()

    def precision(self, device: str, asked: Precision) -> Precision:
        """Return bfloat16 where the hardware computes in it, else what is safe there."""
        if asked not in ("auto", "int8"):  # int8 is decided later, on the image
            return asked
        if device.startswith("cuda"):
            native = torch.cuda.get_device_capability(torch.device(device)) >= (8, 0)
            return "bfloat16" if native else "float16"
        if device == "cpu" and _cpu_has_bfloat16():
            return "bfloat16"
        return "float32"

    def engine(self, device: str, precision: Precision) -> Engine:
        """Return OpenVINO for processors where it is installed, else torch."""
        known = device == "cpu" and precision in ("float32", "bfloat16")
        return "OpenVINO" if known and openvino_version() is not None else "torch"

    def quantizes(self, device: str) -> bool:
        """Return true for processors that multiply bytes (VNNI) and sum them in one step."""
        # torch 2.6 calls it so, as it does bfloat16's.
        return device == "cpu" and bool(torch.cpu._is_vnni_supported())

    def before_batch(self, device: str, pixels: int) -> None:
        """Refuse nothing: a real device says itself when it is full."""


def _cpu_has_bfloat16() -> bool:
    # torch 2.6 calls it so; there is no public name for the question.
    return bool(torch.cpu._is_avx512_bf16_supported())


def resolve_device(policy: DevicePolicy, asked: str) -> DeviceInfo:
    """Turn ``auto`` or a device's name into a device that exists.

    Raises
    ------
    RequestError
        When there is no such device on this machine.
    """
    devices = policy.devices()
    asked = asked.casefold()
    if asked == "auto":
        return devices[0]
    for device in devices:
        if asked in (device.key, device.key.split(":", maxsplit=1)[0]):
            return device
    raise RequestError(
        f"There is no device {asked!r} on this machine.",
        "Choose one of: auto, " + ", ".join(device.key for device in devices) + ".",
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Tell an out-of-memory error from other failures, on any device.

    torch's CPU allocator, the Apple one and OpenVINO raise a plain ``RuntimeError`` that
    only its text tells apart.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in text for sign in _OUT_OF_MEMORY)
