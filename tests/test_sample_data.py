"""The sample files are what their script draws, and are neither too easy nor too hard."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tifffile
from skimage.filters import gaussian, threshold_otsu

SAMPLES = Path(__file__).resolve().parents[1] / "sample_data"
NAMES = ("nuclei3d", "nuclei3d_labels", "membranes", "membranes_labels")


@pytest.fixture(scope="module")
def draw() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_samples", SAMPLES / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass looks its own module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def redrawn(draw: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("redrawn")
    draw.main(folder)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_the_script_draws_what_is_committed(redrawn: Path, name: str) -> None:
    kept = tifffile.imread(SAMPLES / f"{name}.tif")
    fresh = tifffile.imread(redrawn / f"{name}.tif")
    assert fresh.shape == kept.shape
    assert fresh.dtype == kept.dtype
    # Another processor may round a last bit otherwise, and move a voxel here and there.
    assert np.mean(fresh != kept) < 1e-4


def test_files_are_small() -> None:
    assert sum((SAMPLES / f"{name}.tif").stat().st_size for name in NAMES) < 4_000_000


@pytest.mark.parametrize(
    ("name", "unit", "spacing", "per_pixel"),
    [("nuclei3d", "um", 1.0, 0.3), ("membranes", "nm", 50.0, 4.0)],
)
def test_files_carry_their_voxel_size(
    name: str, unit: str, spacing: float, per_pixel: float
) -> None:
    for file in (f"{name}.tif", f"{name}_labels.tif"):
        with tifffile.TiffFile(SAMPLES / file) as tif:
            found = tif.imagej_metadata
            pixels, unit_length = tif.pages[0].tags["XResolution"].value
        assert found is not None
        assert (found["unit"], found["spacing"]) == (unit, spacing)
        assert unit_length / pixels == pytest.approx(per_pixel)


def test_a_plain_threshold_finds_most_of_the_nuclei_but_not_all() -> None:
    image = tifffile.imread(SAMPLES / "nuclei3d.tif")
    truth = tifffile.imread(SAMPLES / "nuclei3d_labels.tif") > 0
    smooth = np.stack([gaussian(plane.astype(float), 1) for plane in image])
    found = smooth > threshold_otsu(smooth)
    iou = np.sum(found & truth) / np.sum(found | truth)
    assert 0.75 < iou < 0.85


def test_nuclei_touch_and_membranes_separate_cells() -> None:
    nuclei = tifffile.imread(SAMPLES / "nuclei3d_labels.tif")
    right, left = nuclei[..., 1:], nuclei[..., :-1]
    assert np.any((right > 0) & (left > 0) & (right != left))
    cells = tifffile.imread(SAMPLES / "membranes_labels.tif")
    right, left = cells[..., 1:], cells[..., :-1]
    assert not np.any((right > 0) & (left > 0) & (right != left))
