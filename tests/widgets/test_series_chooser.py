"""Files with several images: what opens at once, and how the others are chosen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel

from napari_slicewise.io.tiff_reader import read_layers
from napari_slicewise.widgets.series_chooser import SeriesChooser, show_chooser

MakeViewer = Callable[..., Any]


def write_positions(path: Path, count: int) -> Path:
    """An OME-TIFF whose images hold their own number."""
    with tifffile.TiffWriter(path, ome=True) as tif:
        for number in range(count):
            tif.write(
                np.full((20, 30), number, np.uint8),
                metadata={"axes": "YX", "Name": f"Pos {number}"},
            )
    return path


def choosers(viewer: Any) -> list[SeriesChooser]:
    return viewer.window._qt_window.findChildren(SeriesChooser)


def test_a_few_images_open_at_once_the_first_on_show(
    tmp_path: Path, make_napari_viewer: MakeViewer, qtbot: Any
) -> None:
    viewer = make_napari_viewer()
    layers = viewer.open(write_positions(tmp_path / "few.ome.tif", 3), plugin="napari-slicewise")
    qtbot.wait(10)
    assert [layer.name for layer in layers] == ["few Pos 0", "few Pos 1", "few Pos 2"]
    assert [layer.visible for layer in layers] == [True, False, False]
    assert not choosers(viewer)


def test_of_many_images_the_first_opens_and_the_others_can_be_chosen(
    tmp_path: Path, make_napari_viewer: MakeViewer, qtbot: Any
) -> None:
    viewer = make_napari_viewer()
    viewer.open(write_positions(tmp_path / "many.ome.tif", 20), plugin="napari-slicewise")
    qtbot.waitUntil(lambda: len(choosers(viewer)) == 1)
    assert [layer.name for layer in viewer.layers] == ["many Pos 0"]
    chooser = choosers(viewer)[0]
    assert chooser.list.count() == 20
    chooser.list.item(7).setSelected(True)
    chooser.list.item(0).setSelected(True)  # open already
    chooser.open_selected()
    assert [layer.name for layer in viewer.layers] == ["many Pos 0", "many Pos 7"]
    assert np.all(viewer.layers[1].data == 7)
    ticked = [row for row in range(20) if chooser.list.item(row).checkState().value == 2]
    assert ticked == [0, 7]
    assert show_chooser(viewer, None) is chooser
    chooser.filter.setText("pos 1")
    assert sum(not chooser.list.item(row).isHidden() for row in range(20)) == 11


def test_without_a_window_nobody_is_asked(tmp_path: Path) -> None:
    layers = ViewerModel().open(
        write_positions(tmp_path / "many.ome.tif", 20), plugin="napari-slicewise"
    )
    assert len(layers) == 20


def test_every_layer_lists_all_images_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "masked.tif"
    with tifffile.TiffWriter(path) as tif:
        tif.write(np.ones((40, 50), np.uint8), metadata=None)
        tif.write(np.ones((10, 12), bool), metadata=None, subfiletype=4)
    [(_, options, _)] = read_layers(path)
    assert options["metadata"]["series_list"] == [
        {"series": 0, "name": "", "axes": "yx", "shape": [40, 50], "scene": True},
        {"series": 1, "name": "mask", "axes": "yx", "shape": [10, 12], "scene": False},
    ]


def test_layers_lie_where_the_stage_stood_when_the_user_wants_it(
    tmp_path: Path, make_napari_viewer: MakeViewer
) -> None:
    settings = pytest.importorskip("napari.settings")
    path = tmp_path / "stage.ome.tif"
    where = {"PositionX": [1500.0], "PositionXUnit": ["µm"], "PositionY": [0.25]}
    metadata = {"axes": "YX", "PhysicalSizeX": 500, "PhysicalSizeXUnit": "nm", "Plane": where}
    tifffile.imwrite(
        path,
        np.ones((20, 30), np.uint8),
        metadata=metadata | {"PhysicalSizeY": 0.5, "Plane": where | {"PositionYUnit": ["mm"]}},
    )
    viewer = make_napari_viewer()
    [layer] = viewer.open(path, plugin="napari-slicewise")
    assert layer.translate.tolist() == [0, 0]
    assert layer.metadata["stage_position"] == {"y": [0.25, "mm"], "x": [1500.0, "µm"]}
    reading = settings.get_plugin_settings("napari-slicewise").reading
    reading.stage_position = True
    try:
        [layer] = viewer.open(path, plugin="napari-slicewise")
    finally:
        reading.stage_position = False
    assert layer.translate.tolist() == [250, 1_500_000]  # in the units of the axes: µm and nm
