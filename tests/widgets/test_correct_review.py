"""Review, table of objects, features and exports, in a real window."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLabel, QPushButton
from support.canvas_hands import CanvasHands
from support.scripted_panel import Desk

from napari_slicewise.io.source import ArraySource
from napari_slicewise.widgets.correct_export import EXPORTS
from napari_slicewise.widgets.correct_survey import image_under


def colony():
    """Objects 1 to 8 of 16 pixels on slices 0 to 2, a huge one, and an empty slice 3."""
    data = np.zeros((5, 60, 80), np.uint16)
    for number in range(8):
        row, column = divmod(number, 4)
        data[:3, 4 + 10 * row : 8 + 10 * row, 4 + 10 * column : 8 + 10 * column] = number + 1
    data[2, 30:58, 10:70] = 9
    data[4, 4:8, 4:8] = 1
    return data


@pytest.fixture
def shown(make_napari_viewer, controller, model_specs, qtbot):
    desk = Desk(make_napari_viewer(show=True), controller, qtbot)
    viewer = desk.viewer
    image = np.full((5, 60, 80), 7.0)
    viewer.add_image(image, scale=(2, 0.5, 0.5), units=("um",) * 3)
    desk.layer = viewer.add_labels(colony(), scale=(2, 0.5, 0.5), units=("um",) * 3)
    viewer.dims.set_current_step(0, 0)
    desk.panel.show_tab("Correct")
    desk.hands = CanvasHands(viewer, qtbot)
    desk.corrector = desk.panel.correct.corrector
    desk.table = desk.find("object_table")
    desk.wait(lambda: desk.table.model().rowCount() == 9)
    return desk


def words(desk):
    return desk.find("review_words", QLabel).toolTip()


def settled(desk, count):
    desk.wait(lambda: desk.table.model().rowCount() == count and "Meas" not in says(desk))


def says(desk):
    return desk.find("object_count", QLabel).text()


def test_the_table_lists_all_objects_with_sizes_in_physical_units(shown):
    model = shown.table.model()
    titles = [
        model.headerData(column, Qt.Orientation.Horizontal) for column in range(model.columnCount())
    ]
    assert titles == ["No.", "Slices", "µm³", "Mean", "State"]
    cells = [model.data(model.index(0, column)) for column in range(model.columnCount())]
    assert cells == ["1", "0 – 4", "32", "7", ""]
    assert says(shown) == "9 objects"


def test_the_table_is_napari_s_features_table_too(shown):
    features = shown.layer.features
    assert features["index"].tolist() == list(range(1, 10))
    assert features["volume_um3"].tolist()[8] == 28 * 60 * 0.5


def test_features_of_somebody_else_are_left_alone(shown):
    import pandas as pd

    other = shown.viewer.add_labels(colony(), features=pd.DataFrame({"index": [1], "mine": [2.0]}))
    shown.wait(lambda: shown.corrector.target.layer is other)
    shown.find("objects_update", QPushButton).click()
    settled(shown, 9)
    assert list(other.features.columns) == ["index", "mine"]


def test_a_click_in_the_table_goes_to_the_object_and_selects_it(shown):
    shown.table.sortByColumn(2, Qt.SortOrder.DescendingOrder)
    index = shown.table.model().index(0, 0)
    spot = shown.table.visualRect(index).center()
    QTest.mouseClick(shown.table.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    assert shown.layer.selected_label == 9
    assert shown.viewer.dims.current_step[0] == 2
    np.testing.assert_allclose(shown.viewer.scene.camera.center[-2:], (43.5 / 2, 39.5 / 2))


def test_a_click_in_the_viewer_selects_the_row(shown):
    shown.hands.click(shown.layer, (0, 5, 25))
    assert shown.table.chosen_number() == 3
    assert shown.viewer.dims.current_step[0] == 0
    shown.hands.click(shown.layer, (0, 50, 75))
    assert shown.table.chosen_number() == 0


def test_the_review_goes_through_doubts_by_keys_and_counts(shown):
    count = shown.find("review_count", QLabel)
    total = int(count.text().split("/")[1])
    assert count.text() == f"0 / {total}"
    assert total >= 2
    shown.hands.type("Q")
    assert "without objects" in words(shown)
    assert shown.viewer.dims.current_step[0] == 3
    assert not shown.find("review_delete", QPushButton).isEnabled()
    shown.hands.type("A")
    assert count.text() == f"1 / {total}"
    while "Object 9" not in words(shown):
        shown.hands.type("Q")
    assert shown.viewer.dims.current_step[0] == 2
    assert shown.table.chosen_number() == 9


def test_a_doubtful_object_is_deleted_by_its_key_and_comes_back_by_undo(shown):
    shown.hands.type("Q")
    while "Object 9" not in words(shown):
        shown.hands.type("Q")
    before = shown.find("review_count", QLabel).text()
    shown.hands.type("D", "Shift")
    shown.wait(lambda: not shown.corrector.busy)
    assert not (shown.layer.data == 9).any()
    settled(shown, 8)
    shown.hands.undo()
    np.testing.assert_array_equal(shown.layer.data, colony())
    settled(shown, 9)
    assert shown.find("review_count", QLabel).text() == before


def test_the_table_follows_a_tool_and_says_while_it_is_old(shown):
    shown.hands.rest(shown.layer, (0, 5, 25))
    shown.find("correct_where").choose("stack")
    shown.hands.type("D")
    shown.wait(lambda: not shown.corrector.busy)
    assert says(shown) == "9 objects, old"
    assert "before the last change" in shown.find("object_count", QLabel).toolTip()
    settled(shown, 8)
    assert says(shown) == "8 objects"


def test_decisions_stay_with_their_layer(shown):
    shown.hands.type("Q")
    shown.hands.type("A")
    text = shown.find("review_count", QLabel).text()
    assert text.startswith("1 /")
    shown.viewer.layers.selection.active = shown.viewer.layers[0]
    assert shown.find("review_count", QLabel).text() == ""
    shown.viewer.layers.selection.active = shown.layer
    shown.wait(lambda: shown.find("review_count", QLabel).text() == text)


def test_everything_in_the_export_menu_is_written(shown, tmp_path):
    button = shown.find("export_button", QPushButton)
    titles = [action.text() for action in button.menu().actions()]
    assert len(titles) == len(EXPORTS) == 4
    section = button.parent()
    for export in EXPORTS:
        section.write(export, tmp_path / export.name)
        shown.wait(button.isEnabled)
        assert "Written" in shown.find("correct_hint", QLabel).text()
    with (tmp_path / "csv.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [str(n) for n in range(1, 10)]
    assert rows[8]["mean_intensity"] == "7.0"
    assert (tmp_path / "geojson.geojson").exists()
    assert (tmp_path / "rois.zip").exists()
    assert len(list((tmp_path / "png").iterdir())) == 5


def test_an_export_that_cannot_be_written_says_so(shown, tmp_path):
    button = shown.find("export_button", QPushButton)
    button.parent().write(EXPORTS[0], tmp_path / "nowhere" / "table.csv")
    shown.wait(button.isEnabled)
    assert "nowhere" in shown.find("correct_hint", QLabel).text()


def test_the_image_that_the_labels_were_made_from_is_measured(shown):
    viewer, labels = shown.viewer, ArraySource(shown.layer.data)
    viewer.add_image(np.zeros((60, 80)))
    assert image_under(shown.layer, labels, viewer).data is viewer.layers[0].data
    other = viewer.add_image(np.zeros((5, 60, 80)), name="other")
    assert image_under(shown.layer, labels, viewer).data is other.data
    shown.layer.metadata["slicewise"] = {"image": viewer.layers[0].name}
    assert image_under(shown.layer, labels, viewer).data is viewer.layers[0].data
