"""The table of objects: one row each, sorted by any column, as large as it may be."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractTableModel, QItemSelectionModel, QModelIndex, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_slicewise.editing.objects import ObjectTable

__all__ = ["ObjectModel", "ObjectView"]

_NOTHING = QModelIndex()
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_TITLES = {
    "index": ("No.", "The object's number."),
    "where": ("Slices", "First and last slice."),
    "pixels": ("Size", "Pixels or voxels."),
    "area_um2": ("µm²", "Area."),
    "volume_um3": ("µm³", "Volume."),
    "mean_intensity": ("Mean", "Mean intensity of the image under the object."),
    "confidence": ("Conf.", "Mean probability that the network gave, 0 to 1."),
    "state": ("State", "Accepted, locked."),
}


class ObjectModel(QAbstractTableModel):
    """The columns of a table that fit a narrow panel; the others are in the CSV file."""

    def __init__(self) -> None:
        super().__init__()
        self._columns: dict[str, NDArray[Any]] = {}
        self._order = np.zeros(0, np.int64)
        self._sorted: tuple[int, Qt.SortOrder] = (0, Qt.SortOrder.AscendingOrder)
        self.table: ObjectTable | None = None

    def show_table(self, table: ObjectTable | None) -> None:
        """Show another table, in the order that was chosen before."""
        self.beginResetModel()
        self.table = table
        self._columns = {} if table is None else _shown(table)
        self._order = np.arange(0 if table is None else len(table))
        self._sort()
        self.endResetModel()

    def number_at(self, row: int) -> int:
        """Return the object of a row."""
        return int(self._columns["index"][self._order[row]])

    def row_of(self, number: int) -> int | None:
        """Return the row of an object; None where it is not in the table."""
        if not self._columns:
            return None
        places = np.flatnonzero(self._columns["index"][self._order] == number)
        return int(places[0]) if places.size else None

    def centre_of(self, number: int) -> tuple[tuple[int, ...], tuple[float, float]] | None:
        """Return the first slice of an object, and row and column of its middle."""
        table = self.table
        if table is None:
            return None
        places = np.flatnonzero(table.numbers == number)
        if not places.size:
            return None
        place = int(places[0])
        names = [name for name in table.columns if name.startswith("centroid_")]
        middle = [float(table.columns[name][place]) for name in names]
        index = tuple(round(value) for value in middle[:-2]) if len(names) > 2 else ()
        return index, (middle[-2], middle[-1])

    def rowCount(self, parent: QModelIndex = _NOTHING) -> int:  # noqa: N802 - Qt's name
        """Return the number of objects."""
        return 0 if parent.isValid() else len(self._order)

    def columnCount(self, parent: QModelIndex = _NOTHING) -> int:  # noqa: N802 - Qt's name
        """Return the number of columns on show."""
        return 0 if parent.isValid() else len(self._columns)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell."""
        name = list(self._columns)[index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return None if name in ("state", "where") else _RIGHT
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return None
        value = self._columns[name][self._order[index.row()]]
        if name == "confidence":
            return "" if np.isnan(value) else f"{value:.2f}"
        return _number(float(value)) if isinstance(value, float | np.floating) else str(value)

    def headerData(  # noqa: N802 - Qt's name
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return the title of a column, or what it means."""
        if orientation != Qt.Orientation.Horizontal or section >= len(self._columns):
            return None
        name = list(self._columns)[section]
        title, about = _TITLES.get(name, (name, name))
        return {Qt.ItemDataRole.DisplayRole: title, Qt.ItemDataRole.ToolTipRole: about}.get(role)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column."""
        self._sorted = column, order
        self.layoutAboutToBeChanged.emit()
        self._sort()
        self.layoutChanged.emit()

    def _sort(self) -> None:
        column, order = self._sorted
        if not 0 <= column < len(self._columns):
            return
        name = list(self._columns)[column]
        by = "first" if name == "where" else name
        values = self._keys[by] if by == "first" else self._columns[by]
        self._order = np.argsort(values, kind="stable")
        if order == Qt.SortOrder.DescendingOrder:
            self._order = self._order[::-1]

    @property
    def _keys(self) -> dict[str, NDArray[Any]]:
        firsts = {first: place for place, first in enumerate(sorted(set(self.table.first)))}
        return {"first": np.array([firsts[first] for first in self.table.first])}


def _number(value: float) -> str:
    """Write a number in six digits or less, large ones whole."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _shown(table: ObjectTable) -> dict[str, NDArray[Any]]:
    columns = table.columns
    shown = {"index": columns["index"]}
    if table.first and table.first[0]:
        pairs = zip(columns["first_slice"], columns["last_slice"], strict=True)
        spans = [str(a) if a == b else f"{a} – {b}" for a, b in pairs]
        shown["where"] = np.array(spans, dtype=object)
    size = next((name for name in columns if name.startswith(("area_", "volume_"))), "pixels")
    shown[size] = columns[size]
    for name in ("mean_intensity", "confidence", "state"):
        if name in columns:
            shown[name] = columns[name]
    return shown


class ObjectView(QTableView):
    """Shows the model; a click on a row chooses its object."""

    chosen = Signal(int)

    def __init__(self, model: ObjectModel) -> None:
        super().__init__()
        self.setObjectName("object_table")
        self.setAccessibleName("Objects")
        self.setToolTip("All objects. Click one to go there; click a title to sort.")
        self.setModel(model)
        self._objects = model
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.setWordWrap(False)
        self.setShowGrid(False)
        self.setMinimumHeight(120)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(22)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        self.clicked.connect(lambda index: self.chosen.emit(model.number_at(index.row())))

    def chosen_number(self) -> int:
        """Return the object of the selected row; 0 where none is."""
        rows = self.selectionModel().selectedRows()
        return self._objects.number_at(rows[0].row()) if rows else 0

    def select(self, number: int) -> None:
        """Select the row of an object, without going there."""
        row = self._objects.row_of(number)
        flag = QItemSelectionModel.SelectionFlag
        if row is None:
            self.clearSelection()
            return
        index = self._objects.index(row, 0)
        self.selectionModel().setCurrentIndex(index, flag.ClearAndSelect | flag.Rows)
        self.scrollTo(index)
