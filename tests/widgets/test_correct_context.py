"""From the context of the layer: the object under the mouse, menus, numbers that must fit."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMenu, QPushButton
from support.correct_window import finish, hint, open_window, squares

from napari_slicewise.widgets import correct_actions, correct_menu
from napari_slicewise.widgets.edit_layer import edit_layer_of


@pytest.fixture
def shown(make_napari_viewer, controller, model_specs, qtbot):
    return open_window(make_napari_viewer(show=True), controller, qtbot)


NOWHERE = QPoint(0, 0)


def right_click(desk, position, *, way=NOWHERE):
    """Press the right button on a voxel, move, and let it go; return the menu, if one came."""
    canvas, spot = desk.hands.canvas, desk.hands.spot(desk.layer, position)
    desk.hands.rest(desk.layer, position)
    QTest.mousePress(canvas, Qt.MouseButton.RightButton, pos=spot)
    if not way.isNull():
        QTest.mouseMove(canvas, spot + way)
        QTest.qWait(20)
    QTest.mouseRelease(canvas, Qt.MouseButton.RightButton, pos=spot + way)
    QTest.qWait(50)
    found = QApplication.activePopupWidget()
    return found if isinstance(found, QMenu) and found.objectName() == "object_menu" else None


def choose(menu, name):
    action = next(a for a in menu.actions() if a.objectName() == f"object_{name}")
    menu.close()
    action.trigger()


def test_a_right_click_on_an_object_offers_the_tools_that_act_on_it(shown):
    menu = right_click(shown, (1, 15, 25))
    assert menu is not None
    titles = [action.text() for action in menu.actions()]
    assert {"Object 2", "Delete", "Fill holes", "Lock", "Grow"} <= set(titles)
    choose(menu, "delete")
    finish(shown)
    expected = squares()
    expected[1][expected[1] == 2] = 0
    np.testing.assert_array_equal(shown.layer.data, expected)
    shown.hands.undo()
    np.testing.assert_array_equal(shown.layer.data, squares())


def test_the_menu_locks_and_unlocks_and_gives_the_brush_the_number(shown):
    choose(right_click(shown, (1, 15, 25)), "lock")
    assert edit_layer_of(shown.layer).session.locks.objects == {2}
    menu = right_click(shown, (1, 15, 25))
    assert "Unlock" in [action.text() for action in menu.actions()]
    choose(menu, "lock")
    assert edit_layer_of(shown.layer).session.locks.objects == set()
    menu = right_click(shown, (1, 15, 25))
    paint = next(a for a in menu.actions() if "Paint" in a.text())
    menu.close()
    paint.trigger()
    assert shown.layer.selected_label == 2


def test_no_menu_comes_beside_objects_while_dragging_painting_or_on_another_tab(shown):
    assert right_click(shown, (1, 2, 2)) is None
    assert right_click(shown, (1, 15, 25), way=QPoint(30, 0)) is None
    shown.layer.mode = "paint"
    assert right_click(shown, (1, 15, 25)) is None
    shown.layer.mode = "pan_zoom"
    shown.panel.show_tab("Segment")
    assert right_click(shown, (1, 15, 25)) is None


def test_napari_s_menu_opens_the_panel_with_the_tool_in_hand(make_napari_viewer, model_specs):
    viewer = make_napari_viewer(show=True)
    viewer.add_labels(squares())
    correct_menu.delete(viewer)
    _, panel = viewer.window.add_plugin_dock_widget("napari-slicewise", "Segment")
    assert panel.correct.corrector.tool.name == "delete"
    correct_menu.delete(viewer)  # chosen again, it stays
    assert panel.correct.corrector.tool.name == "delete"
    correct_menu.split(viewer)
    assert panel.correct.corrector.tool.name == "split"


def test_the_next_free_number_widens_labels_that_cannot_hold_it(shown):
    shown.layer.data = squares().astype(np.uint8)
    shown.layer.brush_size = 1
    shown.layer.paint((0, 0, 0), 255)
    shown.corrector.press_button("next")
    finish(shown)
    assert shown.layer.data.dtype == np.uint32
    assert shown.layer.selected_label == 256
    shown.layer.paint((0, 5, 5), 256)
    assert (shown.layer.data[0, 0, 0], shown.layer.data[0, 5, 5]) == (255, 256)
    shown.layer.undo()
    shown.layer.undo()
    np.testing.assert_array_equal(shown.layer.data, squares())


def test_a_tool_that_needs_a_larger_number_widens_the_labels_and_works(shown):
    small = squares().astype(np.uint8)
    small[3, 0, 0] = 255
    shown.layer.data = small
    shown.corrector.press_button("split")
    shown.hands.drag(shown.layer, (1, 8, 15), (1, 22, 15))
    finish(shown)
    assert shown.layer.data.dtype == np.uint32
    assert set(np.unique(shown.layer.data[1]).tolist()) == {0, 1, 2, 256}
    shown.hands.undo()
    np.testing.assert_array_equal(shown.layer.data, small)


def test_a_tool_that_takes_long_says_how_far_it_is_and_stop_ends_it(shown, monkeypatch):
    began, ended = threading.Event(), threading.Event()

    def slow(_tool, work, _aim):
        try:
            for _ in work.pulse.over(range(1000)):
                began.set()
                threading.Event().wait(0.01)
        finally:
            ended.set()

    monkeypatch.setattr(correct_actions, "perform", slow)
    stop = shown.find("correct_stop", QPushButton)
    assert stop.isHidden()
    shown.corrector.aim_at(
        next(t for t in correct_actions.TOOLS if t.name == "delete"), {"numbers": (1,)}, None
    )
    shown.wait(lambda: "of 1000 slices" in hint(shown))
    assert began.is_set()
    assert stop.isVisible()
    stop.click()
    shown.wait(ended.is_set)
    assert not shown.corrector.busy
    assert stop.isHidden()
    assert "nothing was changed" in hint(shown)
    np.testing.assert_array_equal(shown.layer.data, squares())
