"""Damaged files give one clear sentence, quickly."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_slicewise.errors import ImageError
from napari_slicewise.io.image_info import ImageWarning
from napari_slicewise.io.tiff_reader import open_image, open_series, read_layers

RNG = np.random.default_rng(3)


def sound(path: Path) -> bytes:
    data = RNG.integers(0, 250, (6, 40, 50)).astype(np.uint8)
    tifffile.imwrite(
        path, data, compression="zlib", photometric="minisblack", metadata=None, rowsperstrip=10
    )
    return path.read_bytes()


def truncated(content: bytes) -> bytes:
    return content[: len(content) * 9 // 10]


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return (
        content[:middle]
        + bytes(255 - b for b in content[middle : middle + 60])
        + content[middle + 60 :]
    )


def huge(content: bytes) -> bytes:
    """ImageLength is 2^31 - 1."""
    tag = struct.pack("<HHI", 257, 4, 1)
    at = content.index(tag)
    return content[:at] + struct.pack("<HHII", 257, 4, 1, 2**31 - 1) + content[at + 12 :]


def offset_past_end(content: bytes) -> bytes:
    return content[:4] + struct.pack("<I", 2**31) + content[8:]


def looped(content: bytes) -> bytes:
    """The first header names itself as the next."""
    first = struct.unpack("<I", content[4:8])[0]
    count = struct.unpack("<H", content[first : first + 2])[0]
    at = first + 2 + 12 * count
    return content[:at] + struct.pack("<I", first) + content[at + 4 :]


@pytest.mark.parametrize(
    "damage", [truncated, flipped, huge, offset_past_end, lambda _: b"", lambda _: b"II*\0"]
)
def test_damage_is_told_in_one_sentence(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "damaged.tif"
    path.write_bytes(damage(sound(path)))
    start = time.monotonic()
    with pytest.raises(ImageError, match=r"damaged\.tif is corrupt: ") as caught:
        read_layers(path)
    assert time.monotonic() - start < 5
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


def test_a_loop_of_headers_ends(tmp_path: Path) -> None:
    path = tmp_path / "loop.tif"
    path.write_bytes(looped(sound(path)))
    assert open_series(path)[0].info.shape == (40, 50)


def test_text_is_no_tiff(tmp_path: Path) -> None:
    path = tmp_path / "notes.tif"
    path.write_text("These are notes.")
    with pytest.raises(ImageError, match="not a TIFF file"):
        read_layers(path)


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="There is no file"):
        read_layers(tmp_path / "nothing.tif")


def test_broken_ome_xml_leaves_the_pixels(tmp_path: Path) -> None:
    path = tmp_path / "broken.ome.tif"
    data = RNG.integers(0, 250, (4, 20, 20)).astype(np.uint8)
    tifffile.imwrite(path, data, ome=True, photometric="minisblack", metadata={"axes": "ZYX"})
    content = path.read_bytes()
    path.write_bytes(content.replace(b"</Pixels>", b"</Pixelz>"))
    with pytest.warns(ImageWarning, match="OME-XML is ill-formed"):
        array = read_layers(path)[0][0]
    np.testing.assert_array_equal(array, data)


def test_xml_entities_are_not_expanded(tmp_path: Path) -> None:
    path = tmp_path / "entity.ome.tif"
    xml = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><OME>&a;</OME>'
    tifffile.imwrite(path, np.zeros((4, 5), np.uint8), description=xml, metadata=None)
    with pytest.warns(ImageWarning, match="entities"):
        read_layers(path)


def test_random_damage_never_gives_an_obscure_error(tmp_path: Path) -> None:
    """A short fuzz: seed 20, 150 mutations of one file."""
    rng = np.random.default_rng(20)
    path = tmp_path / "fuzz.tif"
    content = sound(path)
    outcomes = {"opened": 0, "refused": 0}
    for _ in range(150):
        mutated = bytearray(content)
        for position in rng.integers(0, len(content), rng.integers(1, 12)):
            mutated[position] = rng.integers(0, 256)
        for position in rng.integers(0, min(400, len(content)), rng.integers(0, 3)):
            mutated[position] = rng.integers(0, 256)
        path.write_bytes(bytes(mutated))
        try:
            open_series(path)
            outcomes["opened"] += 1
        except ImageError:
            outcomes["refused"] += 1
    assert sum(outcomes.values()) == 150
    assert outcomes["refused"] > 0


def test_more_samples_than_the_file_holds_are_refused_at_once(tmp_path: Path) -> None:
    """Each would be a channel, and a layer: 14,000 of them are a hang."""
    path = tmp_path / "planar.tif"
    planes = np.zeros((3, 16, 16), np.uint16)
    tifffile.imwrite(path, planes, photometric="rgb", planarconfig="separate", compression="zlib")
    assert open_image(path).info.channel_count == 3
    with tifffile.TiffFile(path, mode="r+b") as tif:
        tif.pages[0].tags["SamplesPerPixel"].overwrite(14355)
    with pytest.raises(ImageError, match="14355 samples a pixel, and holds 3"):
        open_image(path)
