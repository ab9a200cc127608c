"""What is dropped on the panel: a model is chosen, all else is left to napari."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QLineEdit, QVBoxLayout, QWidget

from napari_slicewise.widgets.model_drop import ModelDrop, dropped_model

ENDINGS = ("safetensors", "pt", "pth", "ckpt", "bin", "onnx", "zip", "yaml", "PT")


def dragged(*urls):
    data = QMimeData()
    data.setUrls([QUrl(url) if "://" in str(url) else QUrl.fromLocalFile(str(url)) for url in urls])
    data.setText("\n".join(str(url) for url in urls))  # file managers give both
    return data


def drop(widget, *urls):
    """Drag files over a widget and drop them there; return whether somebody took them."""
    data, button = dragged(*urls), Qt.MouseButton.LeftButton
    how = (Qt.DropAction.CopyAction, data, button, Qt.KeyboardModifier.NoModifier)
    middle = widget.rect().center()
    enter = QDragEnterEvent(middle, *how)
    QApplication.sendEvent(widget, enter)
    if not enter.isAccepted():
        return False
    event = QDropEvent(QPointF(middle), *how)
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_model_dropped_on_the_panel_is_chosen(desk, tmp_path, ending):
    path = tmp_path / f"mine.{ending}"
    path.write_bytes(b"weights")
    assert drop(desk.find("model_facts"), path)
    assert desk.find("model").currentText() == path.name
    assert desk.controller.inspected == [str(path)]


def test_a_package_in_a_folder_dropped_on_the_panel_is_chosen(desk, tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "rdf.yaml").write_text("type: model")
    assert drop(desk.find("status"), tmp_path / "package")
    assert desk.controller.inspected == [str(tmp_path / "package")]


@pytest.mark.parametrize("name", ["cells.tif", "cells.ome.zarr", "notes.txt", "no_ending"])
def test_other_files_are_left_to_napari(desk, tmp_path, name):
    (tmp_path / name).write_bytes(b"something")
    assert not drop(desk.find("status"), tmp_path / name)
    assert desk.controller.inspected == []
    assert desk.find("model").currentText() == "Grey nuclei"


def test_an_image_among_the_files_is_not_swallowed(desk, tmp_path):
    for name in ("mine.pt", "cells.tif"):
        (tmp_path / name).write_bytes(b"something")
    assert not drop(desk.find("status"), tmp_path / "mine.pt", tmp_path / "cells.tif")
    assert desk.controller.inspected == []


def test_fields_for_text_do_not_write_down_the_name_of_a_file(desk, tmp_path):
    path = tmp_path / "mine.pt"
    path.write_bytes(b"weights")
    for field in desk.panel.form.findChildren(QLineEdit):
        before = field.text()
        drop(field, path)
        assert field.text() == before
    assert desk.find("model").currentText() == "mine.pt"


class Window(QWidget):
    """Takes every drop, as napari's canvas does."""

    def __init__(self, inner):
        super().__init__()
        self.taken = []
        self.setAcceptDrops(True)
        QVBoxLayout(self).addWidget(inner)

    def dragEnterEvent(self, event):  # noqa: N802
        event.accept()

    def dropEvent(self, event):  # noqa: N802
        self.taken += [url.fileName() for url in event.mimeData().urls()]
        event.accept()


def test_what_the_panel_does_not_take_reaches_the_window_around_it(qtbot, tmp_path):
    inner, chosen = QWidget(), []
    window = Window(inner)
    qtbot.addWidget(window)
    ModelDrop(inner, chosen.append)
    window.resize(200, 200)
    window.show()
    for name in ("mine.pt", "cells.tif"):
        (tmp_path / name).write_bytes(b"something")
        assert drop(inner, tmp_path / name)
    assert window.taken == ["cells.tif"]
    assert chosen == [str(tmp_path / "mine.pt")]


def test_what_is_no_file_of_this_machine_is_no_model(tmp_path):
    assert dropped_model(None) is None
    assert dropped_model(QMimeData()) is None
    assert dropped_model(dragged("https://example.org/mine.pt")) is None
    assert dropped_model(dragged(tmp_path)) is None


def test_a_model_dropped_on_another_tab_is_chosen_and_shown(desk, tmp_path):
    path = tmp_path / "mine.pt"
    path.write_bytes(b"weights")
    desk.panel.show_tab("Correct")
    assert drop(desk.panel.correct, path)
    assert desk.find("tabs").currentIndex() == 0
    assert desk.find("model").currentText() == "mine.pt"
    assert desk.controller.inspected == [str(path)]
