"""Opening, closing, opening twice: one panel, one worker, nothing left behind."""

from __future__ import annotations

import gc

import pytest
from qtpy.QtWidgets import QPushButton

from napari_slicewise.widgets import panel as panel_module
from napari_slicewise.widgets.panel import SegmentPanel


def end_of_events(qtbot):
    qtbot.wait(50)


def test_opened_twice_it_is_one_and_the_run_goes_on(desk, stack, qtbot):
    desk.viewer.add_image(stack)
    desk.controller.free = False
    desk.press("segment_button")
    form = desk.panel.form
    second = SegmentPanel(desk.viewer)
    desk.viewer.window.add_dock_widget(second, name="Segment again")
    assert second.form is form
    end_of_events(qtbot)
    assert "Segment" not in desk.viewer.window.dock_widgets
    window = desk.viewer.window._qt_window
    assert len(window.findChildren(QPushButton, "segment_button")) == 1
    assert not desk.controller.closed
    desk.controller.allow(6)
    button = second.findChild(QPushButton, "stop_button")
    qtbot.waitUntil(lambda: not button.isEnabled(), timeout=5000)
    assert all(slice_.any() for slice_ in desk.viewer.layers[-1].data)


def test_each_viewer_has_its_own(make_napari_viewer, model_specs, qtbot):
    from support.scripted_panel import Desk, ScriptedController

    desks = [Desk(make_napari_viewer(), ScriptedController(), qtbot) for _ in range(2)]
    assert desks[0].panel.form is not desks[1].panel.form


def test_closing_the_dock_ends_the_run_and_the_worker(desk, stack, qtbot):
    desk.viewer.add_image(stack)
    desk.controller.free = False
    desk.press("segment_button")
    labels = desk.viewer.layers[-1]
    desk.controller.allow(1)
    qtbot.waitUntil(lambda: labels.data.any(), timeout=5000)
    desk.viewer.window.remove_dock_widget(desk.panel)
    assert desk.controller.closed
    assert labels.metadata["slicewise"]["outcome"] == "cancelled"
    desk.viewer.add_image(stack)
    desk.viewer.dims.set_current_step(0, 3)
    desk.viewer.theme = "light"
    end_of_events(qtbot)


def test_a_new_panel_after_closing_has_a_new_worker(desk, stack, qtbot, monkeypatch):
    from support.scripted_panel import Desk, ScriptedController

    desk.viewer.window.remove_dock_widget(desk.panel)
    again = Desk(desk.viewer, ScriptedController(), qtbot)
    desk.viewer.add_image(stack)
    assert again.run().data.any()


@pytest.mark.parametrize("how", ["viewer", "window"])
@pytest.mark.parametrize("show", [False, True])
def test_closing_the_window_in_mid_run_ends_the_worker(
    make_napari_viewer, controller, model_specs, qtbot, stack, how, show
):
    from support.scripted_panel import Desk

    viewer = make_napari_viewer(show=show)
    desk = Desk(viewer, controller, qtbot)
    viewer.add_image(stack)
    controller.free = False
    desk.press("segment_button")
    controller.allow(2)
    del desk
    if how == "viewer":
        viewer.close()
    else:
        viewer.window._qt_window.close()
    qtbot.waitUntil(lambda: controller.closed, timeout=5000)
    if how == "window":
        del viewer.window._qt_window  # destroyed with the window; the fixture would close it again


def test_a_closed_panel_is_forgotten(desk, qtbot):
    desk.viewer.window.remove_dock_widget(desk.panel)
    del desk.panel
    end_of_events(qtbot)
    gc.collect()
    assert not [p for p in panel_module._PANELS if p.form is not None]


def test_through_the_plugin_menu_and_by_name_it_is_one(
    make_napari_viewer, model_specs, qtbot, monkeypatch
):
    from support.scripted_panel import ScriptedController

    monkeypatch.setattr(panel_module, "SegmentController", ScriptedController)
    viewer = make_napari_viewer()
    _, panel = viewer.window.add_plugin_dock_widget("napari-slicewise", "Segment")
    assert panel.form.viewer is viewer  # and no proxy of it
    from napari._app_model import get_app_model

    get_app_model().commands.execute_command("napari-slicewise.segment")
    end_of_events(qtbot)
    assert len(viewer.window._qt_window.findChildren(QPushButton, "segment_button")) == 1
