"""Plates of OME-Zarr: one field opens, each other one can be asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_slicewise.errors import ImageError
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.tiff_reader import open_image, open_series
from napari_slicewise.io.zarr_writer import ZarrWriter

YX = (Axis("y", 20), Axis("x", 30))


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """Two wells with two fields each, which hold their own number; one folder is missing."""
    root = tmp_path / "plate.zarr"
    wells = {"plate": {"wells": [{"path": "A/1"}, {"path": "B/3"}]}}
    zarr.create_group(str(root), zarr_format=2, attributes=wells)
    for number, well in enumerate(("A/1", "B/3")):
        fields = {"well": {"images": [{"path": "0"}, {"path": "1"}]}}
        zarr.create_group(str(root / well), zarr_format=2, attributes=fields)
        for field in range(2):
            if (well, field) != ("B/3", 1):
                pixels = np.full((20, 30), 10 * number + field, np.uint16)
                place = root / well / str(field)
                with ZarrWriter(place, Picture(YX, "image"), np.uint16, version="0.4") as writer:
                    writer.write((), pixels)
    return root


def test_the_first_field_opens_and_all_are_listed(plate: Path) -> None:
    [image] = open_series(plate)
    assert image.data[0, 0] == 0
    assert [entry.name for entry in image.info.listing] == ["A/1/0", "A/1/1", "B/3/0", "B/3/1"]


def test_any_field_can_be_asked_for(plate: Path) -> None:
    image = open_image(plate, 2)
    assert image.data[0, 0] == 10
    assert image.info.series_name == "B/3/0"
    with pytest.raises(ImageError, match="no image B/3/1"):
        open_image(plate, 3)
    with pytest.raises(ImageError, match="no series 4"):
        open_image(plate, 4)
