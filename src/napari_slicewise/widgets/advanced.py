"""What is rarely changed: the part of the panel that is folded away."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QCheckBox, QSpinBox, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_slicewise.inference.request import DeviceInfo, Request
from napari_slicewise.widgets.rows import Choice, Rows, side_by_side

__all__ = ["AdvancedOptions"]

_AUTOMATIC = "Automatic"
_PRECISIONS = [
    (_AUTOMATIC, "auto"),
    ("32 bit", "float32"),
    ("bfloat16, faster", "bfloat16"),
    ("16 bit, for GPUs", "float16"),
    ("8 bit, checked", "int8"),
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
            ("Tile, batch", side_by_side(self._tile, self._batch)),
            ("Least depth", self._depth),
        ):
            rows.add(title, field)
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
            objects=replace(
                request.objects, link=self._link.isChecked(), least_slices=self._depth.value()
            ),
        )

    def suggest_depth(self, slices: int) -> None:
        """Set the usual least depth of an image, unless the user has chosen one."""
        if self._depth.value() == self._suggested:
            self._depth.setValue(slices)
            self._suggested = slices

    def fit(self, *, objects: bool, stack: bool) -> None:
        """Grey out what makes no difference to the result that is asked for."""
        self._link.setEnabled(objects and stack)
        self._depth.setEnabled(objects and stack and self._link.isChecked())
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
        self._tile.fill([("Auto", None), *((f"{side} px", side) for side in _TILES)])
        self._batch = Choice("batch", "Batch", "Tiles computed at once. Fewer need less memory.")
        self._batch.fill([("Auto", None), *((str(size), size) for size in _BATCHES)])
        for narrow in (self._tile, self._batch):  # they share a row
            narrow.setMinimumWidth(64)

    def _make_object_fields(self) -> None:
        self._suggested = 1
        self._depth = QSpinBox()
        self._depth.setObjectName("least_depth")
        self._depth.setAccessibleName("Least depth")
        self._depth.setToolTip(
            "Linked objects in fewer slices are left out when the run is complete, unless the\n"
            "end of the stack cuts them. What you painted on stays. 1 keeps all."
        )
        self._depth.setRange(1, 99)
        self._depth.setSuffix(" slices")
        self._link = QCheckBox("Link through slices")
        self._link.setObjectName("link")
        self._link.setToolTip(
            "Give an object the same number in neighbouring slices, or time points."
        )
        self._link.setChecked(True)
        self._link.toggled.connect(self._depth.setEnabled)

    def _label_the_button(self) -> None:
        button = self.toggleButton()
        button.setStyleSheet("text-align: left; border: none; background: transparent;")
        self.toggled.connect(self._point_the_arrow)
        self._point_the_arrow(self.isExpanded())
        button.setObjectName("advanced_button")
        button.setAccessibleName("Advanced options")
        button.setToolTip("Device, precision, linking of objects, memory.")

    def _point_the_arrow(self, expanded: bool) -> None:  # noqa: FBT001 - a slot of Qt's
        self.setText("▾  Advanced" if expanded else "▸  Advanced")
