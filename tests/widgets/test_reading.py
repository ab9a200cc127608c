"""What napari does with files that cannot be shown, or change while they are."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from imageio.v3 import imwrite

from napari_slicewise.errors import ImageError
from napari_slicewise.io.image_info import ImageWarning
from napari_slicewise.widgets.series_chooser import SeriesChooser, show_chooser

PLUGIN = "napari-slicewise"


def scenes(path: Path, count: int) -> Path:
    with tifffile.TiffWriter(path, ome=True) as tif:
        for number in range(count):
            plane = np.full((20 + number, 30), number, np.uint8)
            tif.write(plane, photometric="minisblack", metadata={"Name": f"scene {number}"})
    return path


@pytest.mark.parametrize("odd", range(5))
def test_a_stack_whose_picture_cannot_be_shown_leaves_the_viewer_whole(
    make_napari_viewer: Callable[..., Any], tmp_path: Path, odd: int
) -> None:
    """napari shows the middle first; an error there would leave a layer that cannot go."""
    for number in range(5):
        size = (20, 30) if number == odd else (32, 40)
        imwrite(tmp_path / f"slice_{number}.png", np.zeros(size, np.uint8))
    viewer = make_napari_viewer()
    if odd in (0, 2):
        with pytest.raises(ImageError, match="shape"):
            viewer.open(tmp_path, plugin=PLUGIN)
    else:
        viewer.open(tmp_path, plugin=PLUGIN)
    viewer.layers.clear()
    assert not viewer.layers


def test_the_list_may_be_closed_while_images_open(
    make_napari_viewer: Callable[..., Any], tmp_path: Path, qtbot: Any
) -> None:
    viewer = make_napari_viewer()
    path = scenes(tmp_path / "many.ome.tif", 12)
    viewer.open(path, plugin=PLUGIN)
    chooser = show_chooser(viewer, path)
    dock = next(d for d in viewer.window.dock_widgets.values() if isinstance(d, SeriesChooser))
    assert dock is chooser

    def close_after_three() -> None:
        if len(viewer.layers) == 3:
            viewer.window.remove_dock_widget(chooser)

    viewer.layers.events.inserted.connect(close_after_three)
    chooser.list.selectAll()
    chooser.open_selected()
    assert len(viewer.layers) >= 3
    qtbot.wait(10)


def test_a_file_that_is_gone_when_more_of_it_is_wanted_is_told(
    make_napari_viewer: Callable[..., Any],
    tmp_path: Path,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr("napari_slicewise.widgets.series_chooser.show_error", told.append)
    viewer = make_napari_viewer()
    path = scenes(tmp_path / "many.ome.tif", 12)
    viewer.open(path, plugin=PLUGIN)
    chooser = show_chooser(viewer, path)
    path.unlink()
    chooser.list.selectAll()
    chooser.open_selected()
    assert len(viewer.layers) == 1
    assert "no file" in told[0]
    assert len(told) == 1


def test_numbers_that_a_folder_leaves_out_are_told(
    make_napari_viewer: Callable[..., Any], tmp_path: Path
) -> None:
    for number in (1, 2, 3, 6, 7):
        tifffile.imwrite(tmp_path / f"s_z{number:03}.tif", np.zeros((20, 30), np.uint8))
    viewer = make_napari_viewer()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        viewer.open(tmp_path, plugin=PLUGIN)
    said = [str(w.message) for w in caught if issubclass(w.category, ImageWarning)]
    assert "numbers 4, 5 are missing along z" in said[0]


def test_a_file_that_vanishes_while_scrolling_is_told_and_its_layer_can_go(
    make_napari_viewer: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_slicewise.io.tiff_reader._SMALL_BYTES", 0)
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, np.zeros((9, 40, 50), np.uint8), photometric="minisblack")
    viewer = make_napari_viewer()
    viewer.open(path, plugin=PLUGIN)
    path.unlink()
    with pytest.raises(ImageError, match=r"stack\.tif"):
        viewer.dims.set_current_step(0, 7)
    viewer.layers.clear()
    assert not viewer.layers
