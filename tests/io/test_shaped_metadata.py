"""Calibration in tifffile's own files: only where a size and a known unit are both written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_slicewise.io.info import describe
from napari_slicewise.io.tiff_reader import open_image

STACK = np.zeros((3, 8, 9), np.uint16)


def steps(path: Path) -> dict[str, tuple[float, str]]:
    return {axis.name: (axis.step, axis.unit) for axis in open_image(path).info.axes}


def write(path: Path, data: Any = STACK, axes: str = "ZYX", **metadata: Any) -> Path:
    tifffile.imwrite(path, data, photometric="minisblack", metadata={"axes": axes, **metadata})
    return path


def test_a_step_for_each_axis_and_a_unit_are_a_calibration(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", spacing=[0.29, 0.26, 0.25], unit="um")
    assert steps(path) == {"z": (0.29, "µm"), "y": (0.26, "µm"), "x": (0.25, "µm")}
    assert "z 0.29 µm, y 0.26 µm, x 0.25 µm" in describe(path)


@pytest.mark.parametrize(
    "metadata",
    [
        {"scale": (2.0, 0.5, 0.25), "units": "nanometers"},
        {"spacing": (2.0, 0.5, 0.25), "units": ["nm", "nm", "nm"]},
        {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0, "unit": "nm"},
        {
            "spacing": 2.0,
            "unit": "nm",
            "PhysicalSizeX": 0.25,
            "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": 0.5,
            "PhysicalSizeYUnit": "nm",
        },
    ],
)
def test_the_usual_names_are_understood(tmp_path: Path, metadata: dict[str, Any]) -> None:
    path = write(tmp_path / "a.tif", **metadata)
    assert steps(path) == {"z": (2.0, "nm"), "y": (0.5, "nm"), "x": (0.25, "nm")}


def test_steps_of_space_alone_leave_time_open(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", axes="TYX", spacing=(0.5, 0.25), unit="um")
    assert steps(path) == {"t": (1.0, "pixel"), "y": (0.5, "µm"), "x": (0.25, "µm")}
    path = write(tmp_path / "b.tif", axes="TYX", spacing=(3, 0.5, 0.25), unit=["s", "um", "um"])
    assert steps(path)["t"] == (3.0, "s")


@pytest.mark.parametrize(
    "metadata",
    [
        {"spacing": (2.0, 0.5, 0.25)},
        {"spacing": (2.0, 0.5, 0.25), "unit": "relative"},
        {"spacing": (2.0, 0.5, 0.25), "unit": "pixel"},
        {"spacing": (0.5,), "unit": "um"},
        {"spacing": (2.0, 0.0, 0.25), "unit": "um"},
        {"spacing": "0.5", "unit": "um"},
        {"spacing": 0.5, "unit": "um"},
        {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5},
    ],
)
def test_half_a_calibration_is_none(tmp_path: Path, metadata: dict[str, Any]) -> None:
    path = write(tmp_path / "a.tif", **metadata)
    assert set(steps(path).values()) == {(1.0, "pixel")}
