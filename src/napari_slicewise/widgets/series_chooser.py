"""A list of all images of a file, to open those that are wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer
from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_slicewise.errors import SlicewiseError
from napari_slicewise.io.tiff_reader import describe_listing, layers_of, open_image
from napari_slicewise.widgets.links import Links
from napari_slicewise.widgets.reading import stage_wanted

__all__ = ["SeriesChooser", "show_chooser"]

_SERIES = Qt.ItemDataRole.UserRole
_FILTER_FROM = 12  # images: fewer are found by looking
NO_FILE = "Select a layer of a file."
DOCK_NAME = "Images in the file"


class SeriesChooser(QWidget):
    """Lists the images of a file: scenes, positions, fields of a plate, and what lies beside.

    Without a path it follows the active layer's file. Those that are open already have a tick.

    Parameters
    ----------
    napari_viewer
        The viewer, or napari's proxy of it.
    path
        The file; None for that of the active layer.
    """

    def __init__(self, napari_viewer: ViewerModel, path: Path | None = None) -> None:
        super().__init__()
        self._viewer: Any = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self._path: Path | None = None
        self._links = Links()
        self.title = QElidingLabel(NO_FILE)
        self.title.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter by name, such as B03")
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self._apply_filter)
        self.list = QListWidget()
        self.list.setAccessibleName("Images in the file")
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.itemActivated.connect(self.open_selected)
        self.list.itemSelectionChanged.connect(self._show_count)
        self.open_button = QPushButton("Open")
        self.open_button.clicked.connect(self.open_selected)
        layout = QVBoxLayout(self)
        for part in (self.title, self.filter, self.list, self.open_button):
            layout.addWidget(part)
        layers = self._viewer.layers
        for event in (layers.events.inserted, layers.events.removed):
            self._links.connect(event, self._mark_open)
        self._links.connect(layers.selection.events.active, self._follow)
        self.set_path(path or self._active_path())

    def set_path(self, path: Path | None) -> None:
        """List the images of a file.

        Parameters
        ----------
        path
            The file; None empties the list.
        """
        self._path = path
        self.list.clear()
        self.filter.clear()
        entries = []
        if path is not None:
            try:
                entries = describe_listing(path)
            except SlicewiseError as error:
                show_error(str(error))
        count = f"{len(entries)} image" + ("" if len(entries) == 1 else "s")
        self.title.setText(NO_FILE if path is None else f"{path.name}: {count}")
        for entry in entries:
            item = QListWidgetItem(_line(entry))
            item.setData(_SERIES, entry["series"])
            self.list.addItem(item)
        self.filter.setVisible(len(entries) >= _FILTER_FROM)
        self._mark_open()
        self._show_count()

    def open_selected(self) -> None:
        """Add the layers of the selected images that are not open yet."""
        if self._path is None:
            return
        opened = self._open_series()
        failures: set[str] = set()  # each said once: a lost file fails for all of its images
        for item in self.list.selectedItems():
            series = item.data(_SERIES)
            if item.isHidden() or series in opened:
                continue
            try:
                image = open_image(self._path, series)
            except SlicewiseError as error:
                if str(error) not in failures:
                    show_error(str(error))
                failures.add(str(error))
                continue
            for data, options, kind in layers_of(image, at_stage=stage_wanted()):
                self._viewer.add_layer(Layer.create(data, options, kind))

    def event(self, event: QEvent) -> bool:
        """Let go of the viewer when the dock is closed, which tells the widget nothing else."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._links.release()
        return bool(super().event(event))

    def _active_path(self) -> Path | None:
        layer = self._viewer.layers.selection.active
        path = None if layer is None else layer.metadata.get("path")
        listed = layer is not None and "series_list" in layer.metadata
        return Path(path) if path and listed else None

    def _follow(self) -> None:
        path = self._active_path()
        if path is not None and path != self._path:
            self.set_path(path)

    def _open_series(self) -> set[int]:
        """Return the numbers of this file's images that have a layer."""
        notes = [layer.metadata for layer in self._viewer.layers]
        return {
            note["series"]
            for note in notes
            if "series" in note and Path(note.get("path", "")) == self._path
        }

    def _mark_open(self) -> None:
        opened = self._open_series()
        for row in range(self.list.count()):
            item = self.list.item(row)
            state = Qt.CheckState.Checked if item.data(_SERIES) in opened else None
            item.setData(Qt.ItemDataRole.CheckStateRole, state)
            item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsUserCheckable)

    def _apply_filter(self, text: str) -> None:
        for row in range(self.list.count()):
            item = self.list.item(row)
            item.setHidden(text.strip().casefold() not in item.text().casefold())

    def _show_count(self) -> None:
        count = len(self.list.selectedItems())
        self.open_button.setEnabled(count > 0)
        self.open_button.setText(f"Open {count} images" if count > 1 else "Open")


def show_chooser(viewer: Any, path: Path | None) -> SeriesChooser:
    """Dock a list of a file's images at the viewer's right; a list that is there is used again.

    Parameters
    ----------
    viewer
        A viewer with a window.
    path
        The file; None for that of the active layer.
    """
    for dock in viewer.window.dock_widgets.values():
        widget = getattr(dock, "_magic_widget", dock)
        if isinstance(widget, SeriesChooser):
            if path is not None:
                widget.set_path(path)
            return widget
    chooser = SeriesChooser(viewer, path)
    viewer.window.add_dock_widget(chooser, name=DOCK_NAME, area="right")
    return chooser


def _line(entry: dict[str, Any]) -> str:
    """Return what the list says of an image."""
    size = " x ".join(str(n) for n in entry["shape"])
    parts = [entry["name"] or f"image {entry['series']}", size]
    return "   ".join(part for part in parts if part)
