"""``slicewise info`` says what a person wants to know."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.info import describe, describe_as_dict
from napari_slicewise.io.outputs import write_labels


def test_a_description_names_axes_sizes_and_kind(tmp_path: Path) -> None:
    path = tmp_path / "labels.ome.tif"
    axes = (Axis("z", 2, 2.0, "µm"), Axis("y", 20, 0.5, "µm"), Axis("x", 30, 0.25, "µm"))
    write_labels(path, np.ones((2, 20, 30), np.uint8), axes, {"model": "m"})
    text = describe(path)
    for part in ("labels", "2 x 20 x 30", "z y x", "uint8", "z 2 µm, y 0.5 µm, x 0.25 µm"):
        assert part in text
    entry = json.loads(json.dumps(describe_as_dict(path)))["series"][0]
    assert entry["shape"] == [2, 20, 30]
    assert entry["pixel_size"]["x"] == {"step": 0.25, "unit": "µm"}
    assert entry["provenance"]["provenance"] == {"model": "m"}
