"""Several files as one image: OME sets, companions, numbered files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_slicewise.io.image_info import ImageWarning
from napari_slicewise.io.tiff_reader import open_image, read_layers

RNG = np.random.default_rng(11)


def noise(shape: tuple[int, ...], dtype: str = "uint16") -> Any:
    return RNG.integers(0, 200, shape).astype(dtype)


def test_a_member_of_a_set_opens_the_whole_set(tmp_path: Path) -> None:
    data = noise((3, 6, 7), "uint8")
    _write_set(tmp_path, data)
    for name in ("set.companion.ome", "m0.ome.tif", "m2.ome.tif"):
        np.testing.assert_array_equal(open_image(tmp_path / name).data, data)
    np.testing.assert_array_equal(read_layers(tmp_path)[0][0], data)


def test_missing_members_of_a_set_are_told(tmp_path: Path) -> None:
    data = noise((3, 6, 7), "uint8")
    _write_set(tmp_path, data)
    (tmp_path / "m1.ome.tif").unlink()
    with pytest.warns(ImageWarning, match="missing"):
        array = read_layers(tmp_path / "set.companion.ome")[0][0]
    np.testing.assert_array_equal(array[[0, 2]], data[[0, 2]])
    (tmp_path / "set.companion.ome").unlink()
    with pytest.warns(ImageWarning, match=r"set.companion.ome.* is missing"):
        read_layers(tmp_path / "m0.ome.tif")


def _write_set(folder: Path, data: Any) -> None:
    blocks = ""
    for number, plane in enumerate(data):
        uuid = f"urn:uuid:00000000-0000-0000-0000-00000000000{number}"
        comment = (
            f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{uuid}"><BinaryOnly MetadataFile="set.companion.ome" UUID="{uuid}"/></OME>'
        )
        tifffile.imwrite(
            folder / f"m{number}.ome.tif", plane, description=comment, metadata=None, ome=False
        )
        blocks += (
            f'<TiffData FirstC="0" FirstT="0" FirstZ="{number}" IFD="0" PlaneCount="1">'
            f'<UUID FileName="m{number}.ome.tif">{uuid}</UUID></TiffData>'
        )
    height, width = data.shape[1:]
    (folder / "set.companion.ome").write_text(
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0" '
        'Name="set"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeC="1" '
        f'SizeT="1" SizeX="{width}" SizeY="{height}" SizeZ="{len(data)}">'
        f'<Channel ID="Channel:0"/>{blocks}</Pixels></Image></OME>'
    )


def test_numbered_files_become_axes_of_their_own(tmp_path: Path) -> None:
    for t in range(2):
        for z in range(3):
            for c in (1, 2):
                value = np.full((5, 6), 100 * t + 10 * z + c, np.uint8)
                tifffile.imwrite(tmp_path / f"well_T{t:03}Z{z:02}C{c:02}.tif", value)
    layers = read_layers(tmp_path)
    assert len(layers) == 2
    assert layers[0][1]["axis_labels"] == ["t", "z", "y", "x"]
    array = np.asarray(layers[1][0])
    assert array.shape == (2, 3, 5, 6)
    assert array[1, 2, 0, 0] == 122
    files = sorted(str(file) for file in tmp_path.iterdir())
    assert np.asarray(read_layers(files)[0][0]).shape == (2, 3, 5, 6)


def test_metamorph_lists_its_files(tmp_path: Path) -> None:
    lines = [
        '"NDInfoFile", Version 1.0',
        '"DoTimelapse", TRUE',
        '"NTimePoints", 2',
        '"DoWave", TRUE',
        '"NWavelengths", 2',
        '"WaveName1", "GFP"',
        '"WaveName2", "mCherry, long"',
        '"EndFile"',
    ]
    (tmp_path / "run.nd").write_text("\n".join(lines))
    for t in (1, 2):
        for wave, name in ((1, "GFP"), (2, "mCherry")):
            value = np.full((5, 6), 10 * t + wave, np.uint16)
            tifffile.imwrite(tmp_path / f"run_w{wave}{name}_t{t}.stk", value, metadata=None)
    layers = read_layers(tmp_path / "run.nd")
    names = [attributes["name"] for _, attributes, _ in layers]
    assert [name.split(": ")[1] for name in names] == ["GFP", "mCherry, long"]
    assert np.asarray(layers[1][0])[:, 0, 0].tolist() == [12, 22]


def test_files_that_only_look_like_a_set_are_all_opened(tmp_path: Path) -> None:
    for name in ("mouse.ome.tif", "rat.ome.tif"):
        tifffile.imwrite(tmp_path / name, noise((5, 6)), ome=True)
    names = [attributes["name"] for _, attributes, _ in read_layers(tmp_path)]
    assert names == ["mouse", "rat"]
