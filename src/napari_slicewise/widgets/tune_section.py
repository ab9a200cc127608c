"""The part of the panel whose changes are seen at once, without running the network again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qtpy.QtCore import QEvent, QSignalBlocker, Qt, QTimer, Signal
from qtpy.QtGui import QEnterEvent
from qtpy.QtWidgets import QAbstractSlider, QCheckBox, QPushButton, QVBoxLayout, QWidget
from superqt import QLabeledDoubleSlider, QLabeledSlider

from napari_slicewise.inference.request import Request
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.widgets.rows import Line, Rows, side_by_side

__all__ = ["TuneSection"]

SETTLED_MS = 500  # after a change that no mouse button held: keys, the wheel, typed numbers
_USUAL_PX = 16
_MOST_PX = 2000
_THRESHOLD_TIP = (
    "How sure the network must be that a pixel belongs to an object, from 0 to 1.\n"
    "Lower finds more and larger objects."
)


class TuneSection(QWidget):
    """Threshold, splitting, smallest size; preview; how many objects there are."""

    touched = Signal()  # a value changed: the slice on show follows at once
    settled = Signal()  # it is the wanted one: the stack follows
    neared = Signal()  # the mouse is here, so that a change is likely
    preview_toggled = Signal(bool)
    review_pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._pixel_um2: float | None = None
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.timeout.connect(self.settled.emit)
        self._make_sliders()
        self._preview = QCheckBox("Preview")
        self._preview.setObjectName("preview")
        self._preview.setToolTip(
            "Show what these settings give on the slice on show, before any run.\n"
            "It follows the slider under the image."
        )
        self._count = Line("objects_count", "How many objects the labels hold.")
        self._review = QPushButton("Review ›")
        self._review.setObjectName("review_button")
        self._review.setToolTip("Look through the objects that are most likely wrong.")
        self._lay_out()
        self._connect()

    @property
    def preview(self) -> bool:
        """Whether the user wants a preview."""
        return self._preview.isChecked()

    def set_preview(self, *, on: bool) -> None:
        """Switch the preview on or off."""
        self._preview.setChecked(on)

    def apply_to(self, request: Request) -> Request:
        """Return a request with these values in it."""
        objects = replace(
            request.objects,
            threshold=self._threshold.value(),
            split=self._split.isChecked(),
            split_strength=self._strength.value() / 100,
            smallest=self._smallest_px(),
        )
        return replace(request, objects=objects)

    def follow_model(self, spec: ModelSpec) -> None:
        """Take a model's own threshold."""
        with QSignalBlocker(self._threshold):
            self._threshold.setValue(spec.threshold)
        text = f"The model's own is {spec.threshold:g}." if spec.output != "classes" else ""
        self._threshold.setToolTip(f"{_THRESHOLD_TIP}\n{text}".strip())

    def fit(self, *, objects: bool, threshold: bool, pixel_um2: float | None) -> None:
        """Grey out what makes no difference, and give sizes in the image's own units."""
        self._threshold.setEnabled(threshold)
        for field in (self._split, self._smallest):
            field.setEnabled(objects)
        self._strength.setEnabled(objects and self._split.isChecked())
        if pixel_um2 != self._pixel_um2:
            pixels = self._smallest_px()
            self._pixel_um2 = pixel_um2
            with QSignalBlocker(self._smallest):
                unit = 1.0 if pixel_um2 is None else pixel_um2
                self._smallest.setDecimals(0 if pixel_um2 is None else _decimals(unit))
                self._smallest.setSingleStep(unit)
                self._smallest.setRange(0, _MOST_PX * unit)
                self._smallest.setValue(pixels * unit)
            self._title.setText("Smallest, px" if pixel_um2 is None else "Smallest, µm²")

    def count(self, words: str, *, review: bool) -> None:
        """Say how many objects there are, and whether they can be reviewed."""
        self._count.say(words)
        self._review.setEnabled(review)

    def enterEvent(self, event: QEnterEvent) -> None:  # noqa: N802 - Qt's name
        """Tell that a change is likely."""
        super().enterEvent(event)
        self.neared.emit()

    def event(self, event: QEvent) -> bool:
        """Leave nothing waiting when the section goes."""
        if event.type() == QEvent.Type.DeferredDelete:
            self._settling.stop()
        return super().event(event)

    def _smallest_px(self) -> int:
        unit = 1.0 if self._pixel_um2 is None else self._pixel_um2
        return round(self._smallest.value() / unit)

    def _make_sliders(self) -> None:
        horizontal = Qt.Orientation.Horizontal
        self._threshold = QLabeledDoubleSlider(horizontal)
        _describe(self._threshold, "threshold", "Threshold", _THRESHOLD_TIP)
        self._threshold.setRange(0.0, 1.0)
        self._threshold.setSingleStep(0.01)
        self._threshold.setDecimals(2)
        self._threshold.setValue(0.5)
        self._strength = QLabeledSlider(horizontal)
        _describe(
            self._strength,
            "split_strength",
            "How easily objects are split",
            "How easily touching objects are split, from 0 (never) to 100 (at the least dent).\n"
            "50 is the usual.",
        )
        self._strength.setRange(0, 100)
        self._strength.setValue(50)
        self._split = QCheckBox()
        self._split.setObjectName("split")
        self._split.setAccessibleName("Split touching objects")
        self._split.setToolTip("Split touching objects: cut clumps where their outline narrows.")
        self._split.setChecked(True)
        self._smallest = QLabeledDoubleSlider(horizontal)
        _describe(
            self._smallest,
            "smallest",
            "Smallest object",
            "Objects of less area in a slice are left out.",
        )
        self._smallest.setRange(0, _MOST_PX)
        self._smallest.setDecimals(0)
        self._smallest.setValue(_USUAL_PX)

    def _lay_out(self) -> None:
        rows = Rows()
        rows.add("Threshold", self._threshold)
        split = side_by_side(self._strength, self._split)
        rows.add("Split", split)
        self._title = rows.add("Smallest, px", self._smallest)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(rows)
        layout.addWidget(side_by_side(self._count, self._preview, self._review))
        self.count("", review=False)

    def _connect(self) -> None:
        for slider in (self._threshold, self._strength, self._smallest):
            slider.valueChanged.connect(self._on_value)
            slider.sliderReleased.connect(self._on_release)
        self._split.toggled.connect(self._strength.setEnabled)
        self._split.toggled.connect(self._on_value)
        self._preview.toggled.connect(self.preview_toggled.emit)
        self._review.clicked.connect(self.review_pressed.emit)

    def _on_value(self, *_: Any) -> None:
        self.touched.emit()
        held: list[QAbstractSlider] = [self._threshold, self._strength, self._smallest]
        if any(slider.isSliderDown() for slider in held):
            self._settling.stop()
        else:
            self._settling.start(SETTLED_MS)

    def _on_release(self) -> None:
        self._settling.stop()
        self.settled.emit()


def _describe(slider: QWidget, name: str, title: str, tooltip: str) -> None:
    slider.setObjectName(name)
    slider.setAccessibleName(title)
    slider.setToolTip(tooltip)


def _decimals(unit: float) -> int:
    """Return how many decimals tell one pixel's area from none."""
    decimals = 0
    while unit * 10**decimals < 0.5 and decimals < 4:
        decimals += 1
    return decimals + 1
