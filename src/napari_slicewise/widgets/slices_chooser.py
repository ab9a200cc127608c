"""The row of the panel that says which slices are segmented."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QSpinBox

from napari_slicewise.editing.wording import counted
from napari_slicewise.io.source import ArraySource, SliceIndex
from napari_slicewise.widgets.rows import Choice, Line, Rows, side_by_side

__all__ = ["SlicesChooser"]


class SlicesChooser(Rows):
    """Chooser of this slice, all slices, or a range along the last leading axis."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._combo = Choice(
            "slices",
            "Slices",
            "Which slices are segmented; the one on the screen is done first.\n"
            "A range runs along the last slider, the other sliders staying where they are.",
        )
        self._combo.fill([("All slices", "all"), ("This slice", "this"), ("Range", "range")])
        self._first = _spin_box("slices_from", "First slice", "First slice of the range.")
        self._last = _spin_box("slices_to", "Last slice", "Last slice of the range, included.")
        self._facts = Line("slices_facts", "The slices that will be segmented.")
        self.add("Slices", self._combo)
        self._facts.dim()
        below = side_by_side(self._facts, self._first, self._last)
        below.setMinimumHeight(self._first.sizeHint().height())  # nothing jumps
        self.add_below(below)
        self._combo.currentIndexChanged.connect(self._on_choice)
        self._first.valueChanged.connect(self._on_choice)
        self._last.valueChanged.connect(self._on_choice)
        self._show_range()

    def choose_all(self) -> None:
        """Choose all slices."""
        self._combo.choose("all")

    def fit(self, source: ArraySource) -> None:
        """Let the range run over the last leading axis of an image; a full one stays full."""
        shape = source.leading_shape
        top = shape[-1] - 1 if shape else 0
        full = self._last.value() == self._last.maximum()
        with QSignalBlocker(self._first), QSignalBlocker(self._last):
            self._first.setMaximum(top)
            self._last.setMaximum(top)
            if full:
                self._last.setValue(top)
        self._combo.setEnabled(bool(shape))

    def indices(self, source: ArraySource, shown: SliceIndex) -> tuple[SliceIndex, ...]:
        """Return the chosen slices, in the order of the stack."""
        mode = self._combo.currentData()
        if not source.leading_shape or mode == "this":
            return (shown,)
        if mode == "all":
            return tuple(source.indices())
        return tuple((*shown[:-1], position) for position in range(*self._ends()))

    def describe(self, source: ArraySource | None, shown: SliceIndex) -> None:
        """Say how many slices these are, and where."""
        if source is None:
            self._facts.say("")
        elif not source.leading_shape:
            self._facts.say("a single slice")
        else:
            self._describe_stack(source, shown)

    def _describe_stack(self, source: ArraySource, shown: SliceIndex) -> None:
        total = 1
        for size in source.leading_shape:
            total *= size
        here = ", ".join(str(position) for position in shown)
        mode = self._combo.currentData()
        if mode == "this":
            self._facts.say(f"slice {here} of {total}")
        elif mode == "all":
            self._facts.say(f"{counted(total, 'slice')}, {here} first")
        else:
            first, end = self._ends()
            fixed = ", ".join(str(position) for position in shown[:-1])
            where = f" where the other sliders stand: {fixed}" if fixed else ""
            words = f"Slices {first} to {end - 1}{where}"
            self._facts.say(f"{end - first} of {total}", more=words)

    def _ends(self) -> tuple[int, int]:
        """Return the first slice and the one after the last, whichever way they were typed."""
        ends = sorted((self._first.value(), self._last.value()))
        return ends[0], ends[1] + 1

    def _on_choice(self) -> None:
        self._show_range()
        self.changed.emit()

    def _show_range(self) -> None:
        for box in (self._first, self._last):
            box.setVisible(self._combo.currentData() == "range")


def _spin_box(name: str, title: str, tooltip: str) -> QSpinBox:
    box = QSpinBox()
    box.setObjectName(name)
    box.setAccessibleName(title)
    box.setToolTip(f"{tooltip}\nCounted from 0, as the slider under the image counts.")
    box.setMaximum(0)
    box.setFixedWidth(72)
    box.setKeyboardTracking(False)
    return box
