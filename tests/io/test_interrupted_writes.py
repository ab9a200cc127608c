"""Killed or out of room in the middle of a write: what was there before is still there.

``SLICEWISE_KILLS=20`` kills more often than the three times that keep the tests short.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from napari_slicewise.errors import OutputError
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.outputs import write_picture
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.tiff_reader import open_image

KILLS = int(os.environ.get("SLICEWISE_KILLS", "3"))
SHAPE = (8, 300, 300)
PICTURE = Picture(tuple(Axis(name, size) for name, size in zip("zyx", SHAPE, strict=True)), "image")
NAMES = ["out.ome.tif", "out.tif", "out.ome.zarr"]

WRITER = """
import sys
import numpy as np
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.outputs import write_picture
from napari_slicewise.io.picture import Picture
shape = tuple(map(int, sys.argv[2].split(",")))
picture = Picture(tuple(Axis(name, size) for name, size in zip("zyx", shape)), "image")
noise = np.random.default_rng(0).integers(0, 2, shape).astype(np.uint16)
number = 1
while True:
    write_picture(sys.argv[1], noise + number * 2, picture)
    print(number, flush=True)
    number += 1
"""


def values(number: int) -> np.ndarray:
    """Noise that belongs to one write: two values, which no other write has."""
    noise = np.random.default_rng(0).integers(0, 2, SHAPE).astype(np.uint16)
    return noise + np.uint16(number * 2)


def check_whole(path: Path) -> None:
    """The file holds one write, from its first pixel to its last."""
    found = np.asarray(open_image(path).data)
    number = int(found.min()) // 2
    np.testing.assert_array_equal(found, values(number))


@pytest.mark.skipif(sys.platform == "win32", reason="kills with SIGKILL")
@pytest.mark.parametrize("name", NAMES[:2])
def test_a_killed_write_leaves_a_whole_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_picture(path, values(0), PICTURE)
    rng = random.Random(name)
    caught = 0
    for _ in range(KILLS):
        command = [sys.executable, "-W", "ignore", "-c", WRITER, str(path)]
        with subprocess.Popen(
            [*command, ",".join(map(str, SHAPE))], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()  # it is at work
            time.sleep(rng.random() * 0.2)
            while len(list(tmp_path.iterdir())) < 2:
                time.sleep(0)  # for the next file to be begun, which takes a moment
            time.sleep(rng.random() * 0.003)
            writer.kill()
        caught += len(list(tmp_path.iterdir())) > 1
        check_whole(path)
    assert caught  # at least one kill came while a temporary file was being written
    write_picture(path, values(9999), PICTURE)
    assert [file.name for file in tmp_path.iterdir()] == [name]
    np.testing.assert_array_equal(open_image(path).data, values(9999))


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file grow beyond that many bytes: the kernel refuses, as on a full disk."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", NAMES)
def test_a_write_without_room_leaves_the_old_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_picture(path, values(3), PICTURE)
    whole = max(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file())
    rng = random.Random(name)
    for _ in range(20):
        with room_for(rng.randrange(1, whole)), pytest.raises(OutputError):
            write_picture(path, values(4), PICTURE)
        np.testing.assert_array_equal(np.asarray(open_image(path).data), values(3))
        if name != "out.ome.zarr":  # of a folder, what is written so far may be kept to go on with
            assert [file.name for file in tmp_path.iterdir()] == [name]
    write_picture(path, values(5), PICTURE)
    np.testing.assert_array_equal(np.asarray(open_image(path).data), values(5))
    assert [file.name for file in tmp_path.iterdir()] == [name]
