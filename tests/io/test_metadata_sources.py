"""Units, makers' tags and names of files, each from the least that shows it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_slicewise.io.file_names import lay_out
from napari_slicewise.io.imagej_metadata import imagej_channels, imagej_steps, lookup_color
from napari_slicewise.io.ome_xml import parse_ome
from napari_slicewise.io.own_notes import NOTES_KEY, read_notes, write_notes
from napari_slicewise.io.units import clean_unit, step_of
from napari_slicewise.io.vendor_metadata import vendor_notes


@pytest.mark.parametrize(
    ("spelling", "unit"),
    [
        ("um", "µm"),
        ("\u00b5m", "µm"),
        ("\u03bcm", "µm"),
        ("\\u00B5m", "µm"),
        ("Microns", "µm"),
        ("micrometer", "µm"),
        ("nanometers", "nm"),
        ("sec", "s"),
        ("hr", "h"),
        ("\u212b", "Å"),
        ("px", None),
        ("pixel", None),
        ("reference frame", None),
        ("", None),
        (None, None),
    ],
)
def test_only_units_that_napari_knows_pass(spelling: Any, unit: str | None) -> None:
    assert clean_unit(spelling) == unit


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "x", None, (1, 2)])
def test_no_size_is_no_step(value: Any) -> None:
    assert step_of(value) is None


class Tif(SimpleNamespace):
    """Stands for an open file that carries the tags of one maker."""

    def __getattr__(self, name: str) -> Any:
        return False if name.startswith("is_") else None


def test_lsm_is_in_metres_and_a_missing_depth_is_none() -> None:
    notes = vendor_notes(
        Tif(
            lsm_metadata={
                "VoxelSizeX": 2e-7,
                "VoxelSizeY": 3e-7,
                "VoxelSizeZ": 1e-19,
                "TimeIntervall": 2.5,
                "DimensionChannels": 1,
                "ChannelColors": {"Colors": [[255, 0, 0, 0]], "ColorNames": ["Ch1"]},
            }
        )
    )
    assert notes is not None
    assert notes.steps["x"] == (pytest.approx(0.2), "µm")
    assert notes.steps["t"] == (2.5, "s")
    assert "z" not in notes.steps
    assert notes.channels[0].color == (255, 0, 0)


def test_stk_metaseries_and_fei_give_their_sizes() -> None:
    stk = vendor_notes(
        Tif(
            stk_metadata={
                "XCalibration": 0.6,
                "YCalibration": 0.5,
                "CalibrationUnits": "um",
                "SpatialCalibration": 1,
                "ZDistance": np.array([2.0, 2.0]),
                "Name": "Cy5",
            }
        )
    )
    assert stk is not None
    assert stk.steps == {"x": (0.6, "µm"), "y": (0.5, "µm"), "z": (2.0, "µm")}
    assert stk.channels[0].name == "Cy5"
    plane = {
        "spatial-calibration-x": 13.5,
        "spatial-calibration-y": 13.5,
        "spatial-calibration-units": "um",
        "image-name": "Copy of FITC",
    }
    series = vendor_notes(Tif(metaseries_metadata={"PlaneInfo": plane}))
    assert series is not None
    assert series.channels[0].name == "FITC"
    fei = vendor_notes(Tif(fei_metadata={"Scan": {"PixelWidth": 1e-9, "PixelHeight": 1e-9}}))
    assert fei is not None
    assert fei.steps["x"] == (pytest.approx(0.001), "µm")


def test_imagej_takes_centimetres_from_the_tag_where_it_names_no_unit() -> None:
    assert imagej_steps({}, (10.0, 10.0), in_cm=True)["x"] == (0.1, "cm")
    assert imagej_steps({"unit": ""}, (10.0, 10.0), in_cm=True) == {}
    assert imagej_steps({"unit": "um", "finterval": -1}, (None, 2.0)) == {"y": (0.5, "µm")}


def test_slice_labels_name_channels_only_where_they_agree() -> None:
    labels = ["a", "b", "a", "b"]
    assert [c.name for c in imagej_channels({"Labels": labels}, 2, 4)] == ["a", "b"]
    labels = ["z1", "z1", "z2", "z2"]
    assert [c.name for c in imagej_channels({"Labels": labels}, 2, 4)] == ["", ""]


def test_a_lookup_table_is_kept_where_a_colour_does_not_say_it() -> None:
    ramp = np.array([np.arange(256), np.zeros(256), np.zeros(256)])
    assert lookup_color(ramp) == ((255, 0, 0), None)
    steps = np.where(ramp > 100, 255, 0)
    color, lookup = lookup_color(steps)
    assert color == (255, 0, 0)
    assert lookup is not None
    assert len(lookup) == 256


def test_ome_units_default_to_micrometres_and_seconds() -> None:
    images, _ = parse_ome(
        '<?xml version="1.0" encoding="UTF-8"?><OME><Image Name="a"><Pixels PhysicalSizeX="0.1" '
        'PhysicalSizeY="0.2" TimeIncrement="3" SizeZ="4"><Channel Name="c" Color="-16776961"/>'
        "</Pixels></Image></OME>"
    )
    assert images[0].steps == {"x": (0.1, "µm"), "y": (0.2, "µm"), "t": (3.0, "s")}
    assert images[0].channels[0].color == (255, 0, 0)


def test_notes_are_found_again_in_a_line_of_text() -> None:
    notes = {"a": [1, "µ"], "b": {"c": None}}
    assert read_notes(write_notes(notes)) == notes
    assert read_notes(f"Something else\n{NOTES_KEY} = {write_notes(notes)}\nmore") == notes
    assert read_notes("no notes") == {}
    assert read_notes(f"{NOTES_KEY} = {{broken") == {}


def files(*names: str) -> list[Path]:
    return [Path("/folder") / name for name in names]


def test_numbers_in_names_become_axes() -> None:
    names = [f"s_T{t}_Z{z}_C{c}.tif" for t in (1, 2) for z in (0, 1, 2) for c in (1, 2)]
    layout = lay_out(files(*names))
    assert layout.axes == ("t", "z", "c")
    assert layout.shape == (2, 3, 2)
    assert layout.places[1, 2, 0].name == "s_T2_Z2_C1.tif"


def test_a_number_that_follows_another_is_no_axis() -> None:
    names = [f"A{c:02}Z{z:02}C{c:02}.tif" for z in (1, 2) for c in (1, 2)]
    layout = lay_out(files(*names))
    assert layout.axes == ("z", "c")


def test_files_with_other_names_are_left_out() -> None:
    layout = lay_out(files("img_1.tif", "img_2.tif", "overview.tif"))
    assert layout.shape == (2,)
    assert len(layout.places) == 2


def test_gaps_in_a_grid_are_known() -> None:
    layout = lay_out(files("t1_z1.tif", "t1_z2.tif", "t2_z1.tif"))
    assert layout.shape == (2, 2)
    assert (1, 1) not in layout.places


class _Tags(dict[int, Any]):
    def valueof(self, code: int) -> Any:
        return self.get(code)


def _gatan(**changes: Any) -> Any:
    tags = _Tags({65003: "µm", 65004: "µm", 65009: 0.25, 65010: 0.25})
    tags.update({int(code[1:]): value for code, value in changes.items()})
    return vendor_notes(Tif(pages=SimpleNamespace(first=SimpleNamespace(tags=tags))))


def test_digital_micrograph_gives_steps_with_a_unit_and_nothing_without() -> None:
    notes = _gatan()
    assert notes is not None
    assert notes.steps == {"x": (0.25, "µm"), "y": (0.25, "µm")}
    assert _gatan(_65003="1/nm", _65004="1/nm") is None
    assert _gatan(_65003="", _65004="", _65009=1.0, _65010=1.0) is None
    assert _gatan(_65004="nm") is None
    assert _gatan(_65009=0.0, _65010=0.0) is None
    assert _gatan(_65009=0.5) is None
    assert _gatan(_65010=None) is None
