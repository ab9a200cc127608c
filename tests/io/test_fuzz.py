"""A short run of the fuzzing script, on files that are made here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

RNG = np.random.default_rng(8)


def make_files(folder: Path) -> None:
    """Write a file of each kind that damage hurts in another way."""
    data = RNG.integers(0, 250, (3, 2, 40, 50)).astype(np.uint8)
    folder.mkdir()
    tifffile.imwrite(folder / "imagej.tif", data, imagej=True, metadata={"axes": "ZCYX"})
    tifffile.imwrite(folder / "ome.ome.tif", data, metadata={"axes": "ZCYX"}, compression="zlib")
    tifffile.imwrite(folder / "shaped.tif", data, photometric="minisblack", bigtiff=True)
    tifffile.imwrite(folder / "tiles.tif", data[0], tile=(16, 16), compression="lzw", predictor=2)
    tifffile.imwrite(folder / "rgb.tif", data.reshape(40, 100, 3), photometric="rgb")
    with tifffile.TiffWriter(folder / "pyramid.ome.tif", ome=True) as tif:
        tif.write(data[0, 0], subifds=1, tile=(16, 16))
        tif.write(data[0, 0, ::2, ::2], subfiletype=1, tile=(16, 16))
    with tifffile.TiffWriter(folder / "pages.tif", byteorder=">") as tif:
        for plane in data.reshape(-1, 40, 50):
            tif.write(plane, contiguous=False, metadata=None, rowsperstrip=7)


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and reads /proc")
def test_no_damage_crashes_hangs_or_changes_a_shape_in_silence(
    tmp_path: Path, repository: Path
) -> None:
    make_files(tmp_path / "files")
    script = repository / "scripts" / "fuzz_tiff.py"
    command = [sys.executable, str(script), str(tmp_path / "files"), "--mutations", "210"]
    run = subprocess.run([*command, "--seed", "1"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "seed 1: 210 mutations of 7 files" in run.stdout
