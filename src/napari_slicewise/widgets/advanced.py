"""What is rarely changed: the part of the panel that is folded away."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QCheckBox, QSpinBox, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_slicewise.inference.request import DeviceInfo, Request
from napari_slicewise.widgets.rows import Choice, Rows

__all__ = ["AdvancedOptions"]

_AUTOMATIC = "Automatic"
_PRECISIONS = [
    (_AUTOMATIC, "auto"),
    ("32 bit", "float32"),
    ("bfloat16, faster", "bfloat16"),
    ("16 bit, for GPUs", "float16"),
]
_TILES = (128, 256, 512, 1024, 2048)
_BATCHES = (1, 2, 4, 8, 16, 32)


class AdvancedOptions(QCollapsible):
    """Device, precision, shaping of the objects, memory."""

    def __init__(self) -> None:
        super().__init__("Advanced", expandedIcon=QIcon(), collapsedIcon=QIcon())
        self.setDuration(120)
        self._make_machine_fields()
        self._make_object_fields()
        rows = Rows()
        for title, field in (
            ("Device", self._device),
            ("Precision", self._precision),
            ("Intensities", self._intensities),
            ("Tile", self._tile),
            ("Batch", self._batch),
            ("Smallest", self._smallest),
        ):
            rows.add(title, field)
        rows.add_below(self._split)
        rows.add_below(self._link)
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(0, 4, 0, 4)
        layout.addWidget(rows)
        self.setContent(content)
        self.layout().setContentsMargins(0, 0, 0, 0)
        self.layout().setSpacing(0)
        self._label_the_button()
        self.collapse(animate=False)

    def offer_devices(self, devices: tuple[DeviceInfo, ...]) -> None:
        """List the devices that this machine has, by their real names."""
        self._device.fill([(_AUTOMATIC, "auto"), *((d.title, d.key) for d in devices)])

    def apply_to(self, request: Request) -> Request:
        """Return a request with these options in it."""
        return replace(
            request,
            device=self._device.currentData(),
            precision=self._precision.currentData(),
            intensity_range=self._intensities.currentData(),
            tile=self._tile.currentData(),
            batch=self._batch.currentData(),
            smallest=self._smallest.value(),
            split=self._split.isChecked(),
            link=self._link.isChecked(),
        )

    def fit(self, *, objects: bool, stack: bool) -> None:
        """Grey out what makes no difference to the result that is asked for."""
        self._smallest.setEnabled(objects)
        self._split.setEnabled(objects)
        self._link.setEnabled(objects and stack)
        self._intensities.setEnabled(stack)

    def _make_machine_fields(self) -> None:
        self._device = Choice(
            "device", "Device", "What computes. Automatic takes the fastest that is there."
        )
        self._device.fill([(_AUTOMATIC, "auto")])
        self._precision = Choice(
            "precision",
            "Precision",
            "Number format of the network. Automatic takes the fastest that is safe here.",
        )
        self._precision.fill(_PRECISIONS)
        self._intensities = Choice(
            "intensity_range",
            "Intensities",
            "Where black and white lie: the same in the whole stack, so that an empty slice\n"
            "stays empty, or found in each slice, for stacks that grow dim with depth.",
        )
        self._intensities.fill([("One range for the stack", "stack"), ("Slice by slice", "slice")])
        self._tile = Choice(
            "tile", "Tile", "Side of the pieces that a large slice is cut into, in pixels."
        )
        self._tile.fill([(_AUTOMATIC, None), *((f"{side} px", side) for side in _TILES)])
        self._batch = Choice("batch", "Batch", "Tiles computed at once. Fewer need less memory.")
        self._batch.fill([(_AUTOMATIC, None), *((str(size), size) for size in _BATCHES)])

    def _make_object_fields(self) -> None:
        self._smallest = QSpinBox()
        self._smallest.setObjectName("smallest")
        self._smallest.setAccessibleName("Smallest object")
        self._smallest.setToolTip("Objects of fewer pixels in a slice are left out.")
        self._smallest.setRange(0, 1_000_000)
        self._smallest.setValue(16)
        self._smallest.setSuffix(" px")
        self._split = QCheckBox("Split touching objects")
        self._split.setObjectName("split")
        self._split.setToolTip("Cut clumps where their outline narrows.")
        self._link = QCheckBox("Link through slices")
        self._link.setObjectName("link")
        self._link.setToolTip(
            "Give an object the same number in neighbouring slices, or time points."
        )
        for box in (self._split, self._link):
            box.setChecked(True)

    def _label_the_button(self) -> None:
        button = self.toggleButton()
        button.setStyleSheet("text-align: left; border: none; background: transparent;")
        self.toggled.connect(self._point_the_arrow)
        self._point_the_arrow(self.isExpanded())
        button.setObjectName("advanced_button")
        button.setAccessibleName("Advanced options")
        button.setToolTip("Device, precision, splitting and linking of objects, memory.")

    def _point_the_arrow(self, expanded: bool) -> None:  # noqa: FBT001 - a slot of Qt's
        self.setText("▾  Advanced" if expanded else "▸  Advanced")
