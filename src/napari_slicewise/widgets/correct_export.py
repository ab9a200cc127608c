"""Files beside the labels: a table, outlines, pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QPushButton, QWidget

from napari_slicewise.app.correct import ToolRunner
from napari_slicewise.editing.objects import measure_objects, write_csv
from napari_slicewise.editing.wording import counted
from napari_slicewise.errors import SlicewiseError
from napari_slicewise.io.exports_geojson import write_geojson
from napari_slicewise.io.exports_imagej import write_imagej_rois
from napari_slicewise.io.exports_png import write_png_stack
from napari_slicewise.widgets.correct_actions import Corrector
from napari_slicewise.widgets.correct_survey import image_under, ordered_axes
from napari_slicewise.widgets.correct_target import Target
from napari_slicewise.widgets.inbox import Inbox
from napari_slicewise.widgets.links import Links
from napari_slicewise.widgets.rows import Line

__all__ = ["EXPORTS", "Export", "ExportRow"]


@dataclass(frozen=True)
class Export:
    """One entry of the menu.

    Parameters
    ----------
    name
        Of the action, for scripts.
    title
        For the user.
    pattern
        Of the file dialog.
    suffix
        Added to a name that has none.
    prepare
        Takes the labels on the GUI thread; returns what writes a path on another one.
    """

    name: str
    title: str
    pattern: str
    suffix: str
    prepare: Callable[[Target, Corrector], Callable[[Path], object]]


def _csv(target: Target, corrector: Corrector) -> Callable[[Path], object]:
    session, layer = target.edits.session, target.layer
    axes = ordered_axes(layer, session.labels)
    image = image_under(layer, session.labels, corrector.viewer)
    states = target.edits.review.states()

    def write(path: Path) -> object:
        table = measure_objects(
            session.labels, axes=axes, image=image, locks=session.locks, states=states
        )
        return write_csv(path, table)

    return write


def _plain(write: Callable[..., Path]) -> Callable[[Target, Corrector], Callable[[Path], object]]:
    """Return how to prepare a file that is made of the labels alone."""

    def prepare(target: Target, corrector: Corrector) -> Callable[[Path], object]:
        labels = target.edits.session.labels
        inputs = [str(layer.source.path) for layer in corrector.viewer.layers if layer.source.path]
        return lambda path: write(path, labels, inputs=inputs)

    return prepare


EXPORTS = (
    Export("csv", "Table of objects (CSV)…", "CSV (*.csv)", ".csv", _csv),
    Export(
        "geojson",
        "Outlines for QuPath (GeoJSON)…",
        "GeoJSON (*.geojson)",
        ".geojson",
        _plain(write_geojson),
    ),
    Export("rois", "Regions for ImageJ (ZIP)…", "ZIP (*.zip)", ".zip", _plain(write_imagej_rois)),
    Export("png", "Folder of label pictures (PNG)…", "New folder (*)", "", _plain(write_png_stack)),
)


_OLD = "Measured before the last change. Update measures again."


class ExportRow(QWidget):
    """How many objects there are, and what can be written of them.

    Parameters
    ----------
    corrector
        Whose labels are written.
    links
        Cut when the panel closes.
    """

    update_pressed = Signal()

    def __init__(self, corrector: Corrector, links: Links) -> None:
        super().__init__()
        self._corrector = corrector
        self._runner = ToolRunner()
        self._inbox = Inbox(links, self)
        self._inbox.connect(self._runner.finished, self._on_written)
        links.at_end(self._inbox.close)
        self._count = Line("object_count", "How many objects there are in all slices.")
        self._update = QPushButton("Update")
        self._update.setObjectName("objects_update")
        self._update.setAccessibleName("Measure the objects")
        self._update.setToolTip("Measure all objects again. Small labels are measured by itself.")
        self._update.clicked.connect(self.update_pressed)
        self._button = QPushButton("Export")
        self._button.setObjectName("export_button")
        self._button.setAccessibleName("Export")
        self._button.setToolTip("Write the objects to files for other programs.")
        menu = QMenu(self._button)
        for export in EXPORTS:
            action = menu.addAction(export.title)
            action.setObjectName(f"export_{export.name}")
            action.triggered.connect(lambda _checked=False, e=export: self._ask(e))
        self._button.setMenu(menu)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._count, 1)
        layout.addWidget(self._update)
        layout.addWidget(self._button)
        for button in (self._update, self._button):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def show_count(self, count: int, *, allowed: bool, fresh: bool, busy: bool) -> None:
        """Say how many objects there are, and whether that is up to date."""
        self._update.setEnabled(allowed and not busy)
        self._button.setEnabled(allowed and not self._runner.busy)
        if not allowed:
            self._count.say("")
        elif busy:
            self._count.say("Measuring…")
        else:
            words = counted(count, "object")
            if fresh:
                self._count.say(words)
            else:
                self._count.say(f"{words}, old" if count else "", more=_OLD if count else "")

    def follow_theme(self, name: str) -> None:  # noqa: ARG002 - as its neighbours have it
        """Keep the buttons slim."""
        for button in (self._update, self._button):
            button.setStyleSheet("QPushButton { padding: 3px 8px; }")

    def write(self, export: Export, path: Path) -> None:
        """Write a file, away from the window."""
        target = self._corrector.target
        if target is None or self._runner.busy:
            return
        if not path.suffix and export.suffix:
            path = path.with_suffix(export.suffix)
        write = export.prepare(target, self._corrector)
        self._corrector.said.emit(f"Writing {path.name}…")
        self._runner.start(lambda: write(path), "export")
        self._button.setEnabled(False)

    def _ask(self, export: Export) -> None:
        target = self._corrector.target
        if target is None:
            return
        start = f"{target.layer.name.replace('/', '-')}{export.suffix}"
        chosen, _ = QFileDialog.getSaveFileName(self, export.title, start, export.pattern)
        if chosen:
            self.write(export, Path(chosen))

    def _on_written(self, ticket: int, result: object) -> None:
        if not self._runner.take(ticket):
            return
        self._button.setEnabled(self._corrector.target is not None)
        if isinstance(result, SlicewiseError):
            self._corrector.refused.emit(str(result))
        else:
            self._corrector.said.emit(f"Written: {result}")
