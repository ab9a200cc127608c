"""The list of models: those that come with the package, those used before, any other file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtGui import QStandardItemModel

from napari_slicewise.widgets.model_recent import RecentModel, recent_models
from napari_slicewise.widgets.rows import Choice

__all__ = ["BROWSE", "ModelList"]

BROWSE = "<browse>"
"""Data of the entry that asks for a file."""


class ModelList(Choice):
    """Chooser among models.

    Parameters
    ----------
    bundled
        ``(title, name)`` of the models that come with the package.
    """

    def __init__(self, bundled: list[tuple[str, str]]) -> None:
        super().__init__("model", "Model", "The network that finds the objects.")
        self._bundled = bundled
        self._files = list(recent_models())
        self._list()
        first = next((i for i in range(self.count()) if self._is_usable(i)), -1)
        self.setCurrentIndex(first)

    @property
    def model_name(self) -> str:
        """Name of a bundled model or path of a file; empty where none is chosen."""
        chosen = self.currentData()
        return "" if chosen in (None, BROWSE) else str(chosen)

    def offer(self, path: str) -> None:
        """Put a file into the list, first of the files, unless it is there already."""
        known = next((file for file in self._files if file.path == path), None)
        if known is not None and known.there:
            return
        self._files = [file for file in self._files if file.path != path]
        self._files.insert(0, RecentModel(path, Path(path).name, there=True))
        self._list()

    def name(self, path: str, title: str) -> None:
        """Give a file the title that its model has."""
        self._files = [
            replace(file, title=title, there=True) if file.path == path else file
            for file in self._files
        ]
        for i in range(self.count()):
            if self.itemData(i) == path:
                self.setItemText(i, title)

    def _list(self) -> None:
        groups = [
            self._bundled,
            [(_title(file), file.path) for file in self._files],
            [("Choose file…", BROWSE)],
        ]
        self.fill([item for group in groups for item in group])
        self._tell_apart()
        position = 0
        with QSignalBlocker(self):  # what is chosen moves down, and stays chosen
            for group in groups[:-1]:
                position += len(group)
                if group:
                    self.insertSeparator(position)
                    position += 1

    def _tell_apart(self) -> None:
        """Give each file its path as tooltip; those that are gone cannot be chosen."""
        files = {file.path: file for file in self._files}
        model = self.model()
        for i in range(self.count()):
            file = files.get(self.itemData(i))
            if file is None:
                continue
            self.setItemData(i, file.path, Qt.ItemDataRole.ToolTipRole)
            if not file.there and isinstance(model, QStandardItemModel):
                model.item(i).setEnabled(False)

    def _is_usable(self, position: int) -> bool:
        model = self.model()
        usable = not isinstance(model, QStandardItemModel) or model.item(position).isEnabled()
        return usable and self.itemData(position) not in (None, BROWSE)


def _title(file: RecentModel) -> str:
    return file.title if file.there else f"{file.title} (gone)"
