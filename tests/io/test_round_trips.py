"""Whatever is written comes back: from our reader, from tifffile, and from bioio."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_slicewise.io.image_info import PIXEL, Axis, Channel
from napari_slicewise.io.outputs import open_writer
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.tiff_reader import open_image
from napari_slicewise.io.units import MICROMETRES

LENGTHS = ("µm", "nm", "mm", "Å", PIXEL)
DTYPES = ("uint8", "uint16", "int16", "uint32", "float32", "float64")
# Units and steps of time that bioio-ome-zarr's model of OME-Zarr knows as well.
TIMES = ("s", "ms", "min")
STEPS = st.floats(0.01, 500, allow_nan=False).map(lambda step: float(f"{step:.5g}"))
NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N", "S", "Zs"]), min_size=1).map(
    lambda text: text.strip() or "x"
)
COLORS = st.tuples(*[st.integers(0, 255)] * 3)


@st.composite
def pictures(draw: st.DrawFn) -> tuple[Any, Picture]:
    """An image of two to five axes in any order, and all that can be said of it."""
    leading = draw(st.lists(st.sampled_from("tzc"), unique=True, max_size=3))
    length = draw(st.sampled_from(LENGTHS))
    axes = []
    for name in [*leading, "y", "x"]:
        size = draw(st.integers(1, 4) if name in leading else st.integers(2, 9))
        unit = draw(st.sampled_from(TIMES)) if name == "t" else PIXEL if name == "c" else length
        axes.append(Axis(name, size, 1.0 if unit == PIXEL else draw(STEPS), unit))
    count = next((axis.size for axis in axes if axis.name == "c"), 0)
    channels = tuple(Channel(draw(NAMES), draw(COLORS)) for _ in range(count))
    shape = [axis.size for axis in axes]
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    values = (rng.random(shape) * 250).astype(draw(st.sampled_from(DTYPES)))
    return values, Picture(tuple(axes), "image", channels)


def written(folder: str, name: str, version: str, drawn: tuple[Any, Picture]) -> Path:
    values, picture = drawn
    path = Path(folder) / name
    with open_writer(path, picture, values.dtype, (), version) as writer:
        for index in np.ndindex(*values.shape[:-2]):
            writer.write(index, values[index])
    return path


def check_ours(path: Path, drawn: tuple[Any, Picture]) -> None:
    values, picture = drawn
    image = open_image(path)
    np.testing.assert_array_equal(np.asarray(image.data), values)
    assert image.data.dtype == values.dtype
    assert list(image.info.axis_names) == [axis.name for axis in picture.axes]
    wanted = [axis for axis in picture.axes if axis.name != "c"]
    assert [axis.unit for axis in image.info.axes] == [axis.unit for axis in wanted]
    np.testing.assert_allclose(
        [axis.step for axis in image.info.axes], [axis.step for axis in wanted], rtol=1e-6
    )
    if picture.channels:
        found = [(channel.name, channel.color) for channel in image.info.channels]
        assert found == [(channel.name, channel.color) for channel in picture.channels]


def check_bioio(reader: Any, drawn: tuple[Any, Picture], *, micrometres: bool) -> None:
    """bioio gives numbers; in OME-TIFF and OME-Zarr they are in the file's own unit."""
    values, picture = drawn
    names = "".join(axis.name.upper() for axis in picture.axes)
    np.testing.assert_array_equal(reader.get_image_data(names), values)
    sizes = reader.physical_pixel_sizes
    for axis in picture.axes:
        if axis.name in "zyx" and axis.unit != PIXEL:
            factor = MICROMETRES[axis.unit] if micrometres else 1.0
            found = getattr(sizes, axis.name.upper())
            assert found == pytest.approx(axis.step * factor, rel=1e-5)
    if picture.channels:
        assert list(reader.channel_names) == [channel.name for channel in picture.channels]


@settings(max_examples=25, deadline=None)
@given(drawn=pictures())
def test_any_picture_comes_back_from_ome_tiff(drawn: tuple[Any, Picture]) -> None:
    from bioio_ome_tiff import Reader

    with tempfile.TemporaryDirectory() as folder:
        path = written(folder, "any.ome.tif", "", drawn)
        check_ours(path, drawn)
        with tifffile.TiffFile(path) as tif:
            series = tif.series[0]
            np.testing.assert_array_equal(series.asarray().squeeze(), drawn[0].squeeze())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of ome-types
            check_bioio(Reader(str(path)), drawn, micrometres=False)


@settings(max_examples=25, deadline=None)
@given(drawn=pictures())
def test_any_picture_comes_back_from_imagej_tiff(drawn: tuple[Any, Picture]) -> None:
    from bioio_tifffile import Reader

    with tempfile.TemporaryDirectory() as folder:
        path = written(folder, "any.tif", "", drawn)
        check_ours(path, drawn)
        with tifffile.TiffFile(path) as tif:
            np.testing.assert_array_equal(tif.series[0].asarray().squeeze(), drawn[0].squeeze())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader = Reader(str(path))
            np.testing.assert_array_equal(reader.data.squeeze(), drawn[0].squeeze())


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@settings(max_examples=15, deadline=None)
@given(drawn=pictures())
def test_any_picture_comes_back_from_ome_zarr(version: str, drawn: tuple[Any, Picture]) -> None:
    from bioio_ome_zarr import Reader

    folder = tempfile.mkdtemp()
    try:
        path = written(folder, "any.ome.zarr", version, drawn)
        check_ours(path, drawn)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check_bioio(Reader(str(path)), drawn, micrometres=False)
    finally:
        shutil.rmtree(folder)
