"""The collection of real files, where SLICEWISE_TIFFS names its folder."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_slicewise.errors import ImageError
from napari_slicewise.io.image_info import ImageWarning
from napari_slicewise.io.tiff_reader import OpenedImage, open_series
from napari_slicewise.io.units import MICROMETRES

ROOT = Path(os.environ.get("SLICEWISE_TIFFS", "") or "/nonexistent")
TRUTH: dict[str, Any] = (
    json.loads((ROOT / "truth.json").read_text("utf-8")) if (ROOT / "truth.json").exists() else {}
)
FILES = [name for name in TRUTH if (ROOT / name).suffix.lower().startswith((".tif", ".lsm"))]

pytestmark = pytest.mark.skipif(not TRUTH, reason="SLICEWISE_TIFFS is not set")


def opened(name: str) -> OpenedImage | None:
    """The first image of a file; None where it is refused in clear words."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImageWarning)
        try:
            return open_series(ROOT / name)[0]
        except ImageError:
            return None


@pytest.mark.parametrize("name", FILES)
def test_a_real_file_gives_the_truth_or_a_clear_error(name: str) -> None:
    truth = TRUTH[name]
    image = opened(name)
    if image is None:
        assert truth.get("readable") is not True or "corrupt" in name or 0 in truth["shape"]
        return
    if "multifile" in name or "corrupt" in name:
        return  # members of sets open the whole set, the truth knows the single file
    assert sorted(image.info.shape) == sorted(truth["shape"])
    if truth.get("sum") is not None:
        total = float(np.nansum(np.asarray(image.data), dtype="c16").real)
        assert total == pytest.approx(truth["sum"], rel=1e-6, abs=1)
    for axis, (step, unit) in (truth.get("px") or {}).items():
        found = image.info.axis(axis.lower())
        if found is not None and unit in MICROMETRES:
            assert found.step * MICROMETRES[found.unit] == pytest.approx(
                step * MICROMETRES[unit], rel=2e-3
            )
