"""Where a file's own list of pages, its tags or its name do not hold what they promise."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_slicewise.io.image_info import ImageWarning
from napari_slicewise.io.tiff_reader import open_image, read_layers


def write_pages(path: Path, count: int) -> list[int]:
    """Write pages that hold their number; return where each one's link to the next lies."""
    with tifffile.TiffWriter(path) as tif:
        for number in range(count):
            tif.write(np.full((20, 30), number, np.uint8), contiguous=False, metadata=None)
    with tifffile.TiffFile(path) as tif:
        return [page.offset + 2 + 12 * len(page.tags) for page in tif.pages]


def relink(path: Path, place: int, offset: int) -> None:
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, place, offset)
    path.write_bytes(content)


def first_page(path: Path) -> int:
    with tifffile.TiffFile(path) as tif:
        return int(tif.pages.first.offset)


@pytest.mark.parametrize("count", [3, 150])
def test_a_list_of_pages_that_runs_in_a_circle_ends(tmp_path: Path, count: int) -> None:
    path = tmp_path / "circle.tif"
    links = write_pages(path, count)
    relink(path, links[-1], first_page(path))
    with pytest.warns(ImageWarning, match=rf"Behind page {count - 1} .* runs in a circle"):
        [(data, _, _)] = read_layers(path)
    np.testing.assert_array_equal(np.asarray(data)[:, 0, 0], np.arange(count))


def test_a_link_out_of_the_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    links = write_pages(path, 5)
    relink(path, links[2], 10_000_000)
    with pytest.warns(ImageWarning, match="Behind page 2 .* leads out of the file"):
        [(data, _, _)] = read_layers(path)
    assert data.shape == (3, 20, 30)


def test_a_description_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "lost.ome.tif"
    tifffile.imwrite(path, np.zeros((3, 20, 30), np.uint8), metadata={"axes": "ZYX"})
    with tifffile.TiffFile(path) as tif:
        tag = tif.pages.first.tags[270]
        offset = tag.offset + 8
    relink(path, offset, 2**31)
    told = open_image(path).info.warnings
    assert any("270 (description)" in sentence for sentence in told)
    assert any("no OME-XML could be read" in sentence for sentence in told)


def test_images_of_a_screen_are_named_by_well_and_field(tmp_path: Path) -> None:
    path = tmp_path / "screen.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tif:
        for number in range(3):
            tif.write(np.full((20, 30), number, np.uint8), metadata={"axes": "YX"})
    xml = tifffile.tiffcomment(path)
    refs = [
        f'<WellSample ID="WellSample:{n}"><ImageRef ID="Image:{n}"/></WellSample>' for n in range(3)
    ]
    wells = f'<Well ID="Well:0" Row="1" Column="2">{refs[0]}{refs[1]}</Well>'
    wells += f'<Well ID="Well:1" Row="27" Column="0">{refs[2]}</Well>'
    plate = f'<Plate ID="Plate:0">{wells}</Plate>'
    assert isinstance(xml, str)
    tifffile.tiffcomment(path, xml.replace("<Image ", plate + "<Image ", 1).encode())
    names = [entry.name for entry in open_image(path).info.listing]
    assert [name[:11] for name in names] == ["B03 field 1", "B03 field 2", "AB01 field "]
