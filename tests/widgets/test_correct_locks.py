"""Locks, slices that are done, the machine's version, and tools that come to nothing."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QPushButton
from support.correct_window import finish, hint, open_window, squares

from napari_slicewise.widgets import correct_actions
from napari_slicewise.widgets.correct_tab import DONE_KEY


@pytest.fixture
def shown(make_napari_viewer, controller, model_specs, qtbot):
    return open_window(make_napari_viewer(show=True), controller, qtbot)


def test_a_locked_object_is_left_alone_until_it_is_unlocked(shown):
    shown.hands.rest(shown.layer, (1, 15, 25))
    shown.hands.type("O")
    assert "2 is locked" in hint(shown)
    shown.hands.type("D")
    finish(shown)
    assert "locked" in hint(shown)
    np.testing.assert_array_equal(shown.layer.data, squares())
    shown.hands.type("O")
    shown.hands.type("D")
    finish(shown)
    assert not (shown.layer.data[1] == 2).any()


def test_a_slice_that_is_done_is_left_alone(shown):
    shown.find("slice_done", QPushButton).click()
    assert shown.panel.correct.corrector.target.edits.session.locks.done == {(1,)}
    shown.find("correct_where").choose("stack")
    shown.hands.rest(shown.layer, (1, 15, 25))
    shown.hands.type("D")
    finish(shown)
    assert [bool((plane == 2).any()) for plane in shown.layer.data] == [False, True, False, False]
    shown.hands.type(DONE_KEY)
    assert not shown.find("slice_done", QPushButton).isChecked()


def test_the_strip_shows_the_slices_and_a_click_goes_there(shown):
    strip = shown.find("slice_strip")
    shown.layer.paint((2, 35, 50), 5)
    shown.find("slice_done", QPushButton).click()
    shown.wait(lambda: strip.state(2) == "changed by hand")
    assert strip.state(1) == "done"
    assert strip.state(0) == "not segmented by a run"
    QTest.mouseClick(
        strip, Qt.MouseButton.LeftButton, pos=QPoint(strip.width() * 7 // 8, strip.height() // 2)
    )
    assert shown.viewer.dims.current_step[0] == 3


def test_the_machine_s_version_comes_back_for_an_object_and_for_a_slice(shown, stack):
    viewer = shown.viewer
    viewer.layers.remove(shown.layer)
    viewer.add_image(stack)
    shown.panel.show_tab("Segment")
    layer = shown.run()
    machine = layer.data.copy()
    shown.panel.show_tab("Correct")
    viewer.dims.set_current_step(0, 1)
    assert shown.find("slice_strip").state(1) == "segmented"
    viewer.reset_view()
    for restore in ("tool", "slice"):
        shown.hands.rest(layer, (1, 3, 3))
        shown.hands.type("D")
        finish(shown)
        assert not layer.data[1].any()
        if restore == "tool":
            shown.hands.type("U")
        else:
            shown.find("slice_restore", QPushButton).click()
        finish(shown)
        np.testing.assert_array_equal(layer.data, machine)
        assert not shown.corrector.target.edits.session.edited((1,)).any()
    layer.undo()
    assert not layer.data[1].any()


def test_a_tool_that_is_cancelled_changes_nothing(shown, monkeypatch):
    go_on = threading.Event()
    real = correct_actions.perform

    def slow(tool, work, aim):
        go_on.wait(10)
        return real(tool, work, aim)

    monkeypatch.setattr(correct_actions, "perform", slow)
    shown.hands.rest(shown.layer, (1, 15, 25))
    shown.hands.type("D")
    assert shown.corrector.busy
    assert not shown.find("tool_merge", QPushButton).isEnabled()
    shown.hands.type("Escape")
    assert not shown.corrector.busy
    go_on.set()
    QTest.qWait(150)
    np.testing.assert_array_equal(shown.layer.data, squares())
    assert "Cancelled" in hint(shown)


def test_a_tool_whose_labels_changed_meanwhile_writes_nothing(shown, monkeypatch):
    go_on = threading.Event()
    real = correct_actions.perform

    def slow(tool, work, aim):
        edit = real(tool, work, aim)
        go_on.wait(10)
        return edit

    monkeypatch.setattr(correct_actions, "perform", slow)
    shown.hands.rest(shown.layer, (1, 15, 25))
    shown.hands.type("D")
    QTest.qWait(100)
    shown.layer.data[1, 15, 25] = 9
    before = shown.layer.data.copy()
    go_on.set()
    finish(shown)
    np.testing.assert_array_equal(shown.layer.data, before)
    assert "meantime" in hint(shown)
