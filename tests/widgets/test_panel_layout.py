"""What the panel looks like: names, tooltips, sizes, shortcuts."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QProgressBar,
)
from superqt import QCollapsible

from napari_slicewise.models.spec import ModelSpec

NAMES = (
    "image_layer",
    "model",
    "device",
    "slices",
    "slices_from",
    "slices_to",
    "threshold",
    "segment_button",
    "stop_button",
    "progress",
    "status",
)
LONG_NAME = "an image with the long name that microscopes give " * 6


def test_every_named_widget_is_there(desk):
    for name in NAMES:
        assert desk.find(name) is not None, name


def test_every_control_says_what_it_is_for(desk, stack):
    desk.viewer.add_image(stack)
    kinds = (QComboBox, QAbstractButton, QAbstractSpinBox, QAbstractSlider, QProgressBar)
    controls = [w for kind in kinds for w in desk.panel.findChildren(kind) if w.objectName()]
    controls = [w for w in controls if not w.objectName().startswith("qt_")]
    assert len(controls) > 15
    for control in controls:
        assert control.toolTip(), control.objectName()


def test_size_and_pixel_size_are_said_in_words(desk, stack):
    desk.viewer.add_image(stack, scale=(2, 0.5, 0.5), units=("um",) * 3)
    assert desk.find("image_facts", QLabel).text() == "6×12×16 · 16 bit"
    assert desk.find("image_pixel", QLabel).text() == "2×0.5×0.5 µm"
    desk.viewer.layers[0].scale = (4, 0.5, 0.5)
    assert desk.find("image_pixel", QLabel).text() == "4×0.5×0.5 µm"
    desk.viewer.layers[0].units = ("pixel",) * 3
    assert desk.find("image_pixel", QLabel).text() == "pixel size not known"


def test_the_lines_of_facts_keep_their_digits_and_are_not_cut(
    make_napari_viewer, controller, model_specs, qtbot
):
    from support.scripted_panel import Desk

    desk = Desk(make_napari_viewer(show=True), controller, qtbot)
    data = np.zeros((60, 256, 256), np.uint16)
    desk.viewer.add_image(data, scale=(0.29, 0.26, 0.26), units=("um",) * 3)
    qtbot.wait(50)
    for name, text in (
        ("image_facts", "60×256×256 · 16 bit"),
        ("image_pixel", "0.29×0.26×0.26 µm"),
    ):
        line = desk.find(name, QLabel)
        assert line.text() == text
        assert line.toolTip() == text
        assert line.fontMetrics().horizontalAdvance(QLabel.text(line)) <= line.width() - 8


def test_the_buttons_do_not_change_their_size(
    make_napari_viewer, controller, model_specs, qtbot, stack
):
    from support.scripted_panel import Desk

    desk = Desk(make_napari_viewer(show=True), controller, qtbot)
    qtbot.wait(50)
    before = desk.find("segment_button").size()
    desk.viewer.add_image(stack)
    qtbot.wait(50)
    assert desk.find("segment_button").isEnabled()
    assert desk.find("segment_button").size() == before


def test_axes_without_a_length_or_time_have_no_size(desk):
    units = ("s", "pixel", "um", "um", "um")
    desk.viewer.add_image(np.zeros((2, 2, 3, 8, 9), np.uint8), scale=(5, 1, 2, 1, 1), units=units)
    assert desk.find("image_facts", QLabel).text() == "2×2×3×8×9 · 8 bit"
    assert desk.find("image_pixel", QLabel).text() == "5 s · 2×1×1 µm"


def test_long_names_do_not_widen_the_panel(desk, stack, tmp_path):
    desk.viewer.add_image(stack, name="short")
    desk.panel.findChild(QCollapsible).expand(animate=False)
    before = desk.panel.form.minimumSizeHint().width()
    desk.viewer.layers[0].name = LONG_NAME
    path = tmp_path / ("weights " * 20 + ".pt")
    path.write_bytes(b"")
    desk.panel.form.add_model_file(path)
    spec = ModelSpec("long", LONG_NAME, description=LONG_NAME)
    desk.controller.model_inspected.emit(str(path), spec)
    desk.controller.status_changed.emit(LONG_NAME)
    desk.wait(lambda: desk.find("status").text() == LONG_NAME)
    assert desk.panel.form.minimumSizeHint().width() == before
    assert before <= 280
    assert LONG_NAME.strip() in desk.find("status").toolTip()


def test_everything_fits_a_laptop(desk, stack):
    desk.viewer.add_image(stack)
    desk.panel.findChild(QCollapsible).expand(animate=False)
    size = desk.panel.form.sizeHint()
    assert size.width() <= 360
    assert size.height() <= 700


def test_shortcuts_work_while_the_canvas_has_the_focus(
    make_napari_viewer, controller, model_specs, qtbot, stack
):
    from support.scripted_panel import Desk

    desk = Desk(make_napari_viewer(show=True), controller, qtbot)
    desk.viewer.add_image(stack)
    controller.free = False
    canvas = desk.viewer.window._qt_viewer.canvas.native
    desk.viewer.window._qt_window.activateWindow()
    canvas.setFocus()
    qtbot.waitUntil(canvas.hasFocus, timeout=5000)
    control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(canvas, Qt.Key.Key_Return, control)
    desk.wait(lambda: len(controller.requests) == 1)
    QTest.keyClick(canvas, Qt.Key.Key_Return, control | shift)
    desk.wait_for_end()
    assert desk.find("status").text().startswith("Stopped")
    for name, keys in (("segment_button", "Ctrl+Enter"), ("stop_button", "Ctrl+Shift+Enter")):
        assert keys in desk.find(name).toolTip()
