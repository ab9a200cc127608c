"""The Correct tab: when a tool ends, keys, units, docks."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Labels
from napari.utils.shortcuts import default_shortcuts
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QPushButton, QTabWidget
from support.correct_window import arm, finish, hint, open_window, squares

from napari_slicewise.widgets.correct_review import REVIEW_KEYS
from napari_slicewise.widgets.correct_tab import DONE_KEY
from napari_slicewise.widgets.panel import SegmentPanel
from napari_slicewise.widgets.tool_list import TOOLS


@pytest.fixture
def shown(make_napari_viewer, controller, model_specs, qtbot):
    return open_window(make_napari_viewer(show=True), controller, qtbot)


def test_the_tabs_are_segment_correct_and_learn(desk):
    tabs = desk.find("tabs", QTabWidget)
    assert [tabs.tabText(i) for i in range(tabs.count())] == ["Segment", "Correct", "Learn"]


def test_without_labels_every_tool_says_why_it_cannot_act(desk, stack):
    desk.viewer.add_image(stack)
    desk.panel.show_tab("Correct")
    for tool in TOOLS:
        button = desk.find(f"tool_{tool.name}", QPushButton)
        assert not button.isEnabled()
        assert "Choose a labels layer" in button.toolTip()


def test_every_button_has_a_name_a_tooltip_and_a_name_for_screen_readers(desk):
    buttons = desk.panel.correct.findChildren(QAbstractButton)
    own = [b for b in buttons if not b.objectName().startswith(("qt_", "Scroll"))]
    own = [b for b in own if b.parent().objectName() != "object_table"]
    assert len(own) >= len(TOOLS) + 5
    for button in own:
        assert button.objectName()
        assert button.accessibleName(), button.objectName()
        assert button.toolTip(), button.objectName()


def test_tools_tell_their_keys_and_none_is_napari_s():
    taken = {
        str(binding)
        for name, bindings in default_shortcuts.items()
        for binding in bindings
        if not any(kind in name for kind in ("points", "shape", "add_", "image", "vector"))
        and not name.startswith(("napari:activate_direct", "napari:activate_select"))
        and not name.startswith(("napari:activate_vertex", "napari:move_", "napari:orient"))
        and name not in ("napari:auto_contrast_once", "napari:select_append_all_in_slice")
        and name not in ("napari:select_all_in_slice", "napari:select_all_data")
    }
    assert {"P", "M", "Escape"} <= taken
    keys = [tool.key for tool in TOOLS] + [*REVIEW_KEYS.values(), DONE_KEY]
    assert len(set(keys)) == len(keys)
    for key in keys:
        assert key.replace("-", "+") not in taken, key
    bound = {str(key) for key in Labels.class_keymap}
    assert not bound & {key.replace("-", "+") for key in keys}
    for tool in TOOLS:
        assert f"Key: {tool.key.replace('-', '+')}" in tool.tooltip


@pytest.mark.parametrize("mode", ["pan_zoom", "paint", "pick"])
def test_escape_ends_a_tool_and_gives_napari_s_mode_back(shown, mode):
    shown.layer.mode = mode
    callbacks, pan = list(shown.layer.mouse_drag_callbacks), shown.layer.mouse_pan
    arm(shown)
    assert str(shown.layer.mode) == "pan_zoom"
    shown.hands.type("Escape")
    assert shown.corrector.tool is None
    assert str(shown.layer.mode) == mode
    assert shown.layer.mouse_drag_callbacks == callbacks
    assert shown.layer.mouse_pan == pan
    assert not shown.find("tool_delete", QPushButton).isChecked()


def test_choosing_the_brush_ends_a_tool_and_the_brush_paints(shown):
    arm(shown)
    shown.hands.type("P")
    assert shown.corrector.tool is None
    assert str(shown.layer.mode) == "paint"
    shown.layer.selected_label, shown.layer.brush_size = 7, 3
    shown.hands.drag(shown.layer, (1, 30, 40), (1, 30, 45))
    assert (shown.layer.data == 7).any()
    assert (shown.layer.data[:, :25] == squares()[:, :25]).all()
    shown.hands.undo()
    np.testing.assert_array_equal(shown.layer.data, squares())


@pytest.mark.parametrize("how", ["deleted", "deselected", "tab", "dock", "again"])
def test_a_tool_ends_with_its_layer_its_tab_or_its_dock(shown, how):
    viewer, layer, corrector = shown.viewer, shown.layer, shown.corrector
    keys = dict(Labels(np.zeros((2, 2), int)).keymap)
    arm(shown)
    if how == "deleted":
        viewer.layers.remove(layer)
    elif how == "deselected":
        viewer.add_image(np.zeros((4, 40, 60)))
    elif how == "tab":
        shown.panel.show_tab("Segment")
    elif how == "dock":
        viewer.window.remove_dock_widget(shown.panel)
    else:
        shown.find("tool_delete", QPushButton).click()
    assert corrector.tool is None
    assert layer.cursor == "standard"
    if how != "again":
        assert dict(layer.keymap) == keys


def test_a_tool_follows_to_another_dock(shown, qtbot):
    second = SegmentPanel(shown.viewer)
    shown.viewer.window.add_dock_widget(second, name="again")
    qtbot.wait(50)
    shown.panel = second
    shown.hands.click(shown.layer, (1, 35, 50))
    shown.hands.rest(shown.layer, (1, 15, 25))
    shown.hands.type("D")
    finish(shown)
    assert not (shown.layer.data[1] == 2).any()


def test_clicks_meet_voxels_where_layers_have_other_units(shown):
    shown.viewer.layers.remove(shown.layer)
    shown.viewer.add_image(np.zeros((4, 40, 60)), scale=(2000, 500, 500), units=("nm",) * 3)
    shown.layer = shown.viewer.add_labels(
        squares(), scale=(2, 0.5, 0.5), translate=(0, 0, 1), units=("um",) * 3
    )
    shown.viewer.reset_view()
    arm(shown)
    world = np.asarray(shown.layer.data_to_world((1, 15, 25))) * 1000  # in nm
    camera = shown.viewer.scene.camera
    y, x = (world[1:] - np.asarray(camera.center)[-2:]) * camera.zoom
    canvas = shown.hands.canvas
    spot = QPoint(round(canvas.width() / 2 + x), round(canvas.height() / 2 + y))
    QTest.mouseMove(canvas, spot)
    QTest.qWait(30)
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=spot)
    finish(shown)
    expected = squares()
    expected[1][expected[1] == 2] = 0
    np.testing.assert_array_equal(shown.layer.data, expected)


def test_in_a_view_of_a_volume_a_click_deletes_and_a_line_is_refused(shown):
    shown.viewer.dims.ndisplay = 3
    shown.find("tool_split", QPushButton).click()
    assert shown.corrector.tool is None
    assert "Ctrl+Y" in hint(shown)
    arm(shown)
    canvas = shown.hands.canvas
    shown.viewer.reset_view()
    QTest.qWait(50)
    for dx in range(-canvas.width() // 2 + 5, canvas.width() // 2, 12):
        middle = QPoint(canvas.width() // 2 + dx, canvas.height() // 2 - 20)
        QTest.mouseMove(canvas, middle)
        QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=middle)
        finish(shown)
    left = np.unique(shown.layer.data).tolist()
    assert len(left) < 3
    expected = squares()
    np.testing.assert_array_equal(shown.layer.data, np.where(np.isin(expected, left), expected, 0))


def test_the_menu_of_layers_opens_the_tab(make_napari_viewer, model_specs, monkeypatch, qtbot):
    from napari._app_model import get_app_model
    from support.scripted_panel import ScriptedController

    from napari_slicewise.widgets import panel as panel_module

    monkeypatch.setattr(panel_module, "SegmentController", ScriptedController)
    viewer = make_napari_viewer()
    layer = viewer.add_labels(squares())
    for _ in range(2):
        get_app_model().commands.execute_command("napari-slicewise.correct").result()
        qtbot.wait(50)
        (tabs,) = viewer.window._qt_window.findChildren(QTabWidget, "tabs")
        assert tabs.tabText(tabs.currentIndex()) == "Correct"
        assert tabs.correct.corrector.target.layer is layer


def test_a_key_that_the_user_has_bound_stays_the_user_s(shown):
    pressed = []
    shown.panel.show_tab("Segment")
    shown.layer.bind_key("D", pressed.append)
    shown.layer.bind_key("Enter", pressed.append)
    keys = dict(shown.layer.keymap)
    shown.panel.show_tab("Correct")
    arm(shown)
    shown.hands.type("D")
    shown.hands.type("Escape")
    shown.panel.show_tab("Segment")
    assert len(pressed) == 1
    assert dict(shown.layer.keymap) == keys
