"""Microscope makers' own tags; each maker's quirk lives in one function."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari_slicewise.io.image_info import Channel
from napari_slicewise.io.units import MICROMETRES, clean_unit, step_of

__all__ = ["VendorNotes", "micromanager_notes", "ratio", "vendor_notes"]

Steps = dict[str, tuple[float, str]]

_METRES = 1e6  # micrometres in a metre


@dataclass(frozen=True)
class VendorNotes:
    """What a maker's tags say.

    Parameters
    ----------
    steps
        Step and unit of each calibrated axis.
    channels
        Names and colours; empty where the maker says nothing of them.
    """

    steps: Steps
    channels: tuple[Channel, ...] = ()


def vendor_notes(tif: Any) -> VendorNotes | None:
    """Return the notes of the first maker whose tags the file carries, or None.

    Parameters
    ----------
    tif
        An open ``TiffFile``.
    """
    for read in _READERS:
        notes = read(tif)
        if notes is not None:
            return notes
    return None


def _plane_steps(x: object, y: object, unit: object, factor: float = 1.0) -> Steps:
    """Return steps of columns and rows, both or none."""
    clean = clean_unit(unit)
    step_x, step_y = step_of(x), step_of(y)
    if clean not in MICROMETRES or step_x is None or step_y is None:
        return {}
    return {"x": (step_x * factor, clean), "y": (step_y * factor, clean)}


def _lsm(tif: Any) -> VendorNotes | None:
    """Zeiss LSM: metres and seconds; a depth of 1e-19 m stands for "no stack"."""
    metadata = tif.lsm_metadata
    if not metadata:
        return None
    steps = _plane_steps(metadata.get("VoxelSizeX"), metadata.get("VoxelSizeY"), "µm", _METRES)
    depth = step_of(metadata.get("VoxelSizeZ"))
    if depth is not None and depth > 1e-12:
        steps["z"] = (depth * _METRES, "µm")
    # The structure's own spelling has two l's.
    interval = step_of(metadata.get("TimeIntervall") or metadata.get("TimeInterval"))
    if interval is not None:
        steps["t"] = (interval, "s")
    shown = metadata.get("ChannelColors") or {}
    colors, names = shown.get("Colors", ()), shown.get("ColorNames", ())
    count = int(metadata.get("DimensionChannels", 0))
    channels = tuple(
        Channel(
            str(names[index]) if index < len(names) else "",
            (int(colors[index][0]), int(colors[index][1]), int(colors[index][2]))
            if index < len(colors)
            else None,
        )
        for index in range(count)
    )
    return VendorNotes(steps, channels)


def _stk(tif: Any) -> VendorNotes | None:
    """MetaMorph STK: the calibration counts only where ``SpatialCalibration`` is set."""
    metadata = tif.stk_metadata
    if not metadata:
        return None
    steps: Steps = {}
    if metadata.get("SpatialCalibration", 1):
        steps = _plane_steps(
            metadata.get("XCalibration"),
            metadata.get("YCalibration"),
            metadata.get("CalibrationUnits"),
        )
    depths = metadata.get("ZDistance")
    if steps and depths is not None and len(depths):
        depth = step_of(float(depths[0]))
        if depth is not None:
            steps["z"] = (depth, steps["x"][1])
    name = str(metadata.get("Name") or "").strip("\x00 ")
    return VendorNotes(steps, (Channel(name),) if name else ())


def _metaseries(tif: Any) -> VendorNotes | None:
    """MetaSeries (ImageXpress): the name is the illumination's, "Copy of" in front of it or not."""
    metadata = tif.metaseries_metadata
    if not metadata:
        return None
    plane = metadata.get("PlaneInfo", {})
    steps: Steps = {}
    if plane.get("spatial-calibration-state", True):
        steps = _plane_steps(
            plane.get("spatial-calibration-x"),
            plane.get("spatial-calibration-y"),
            plane.get("spatial-calibration-units"),
        )
    name = plane.get("_IllumSetting_") or plane.get("image-name") or ""
    name = str(name).removeprefix("Copy of ").strip()
    return VendorNotes(steps, (Channel(name),) if name else ())


def _fei(tif: Any) -> VendorNotes | None:
    """FEI and Thermo Fisher electron microscopes: metres, in the section of the detector's scan."""
    metadata = tif.fei_metadata
    if not metadata:
        return None
    for section in ("Scan", "EScan", "IScan", "NavCam", "Image"):
        scan = metadata.get(section)
        if isinstance(scan, dict):
            steps = _plane_steps(scan.get("PixelWidth"), scan.get("PixelHeight"), "µm", _METRES)
            if steps:
                return VendorNotes(steps)
    return VendorNotes({})


def _sis(tif: Any) -> VendorNotes | None:
    """Olympus SIS: metres."""
    metadata = tif.sis_metadata
    if not metadata:
        return None
    steps = _plane_steps(metadata.get("pixelsizex"), metadata.get("pixelsizey"), "µm", _METRES)
    return VendorNotes(steps)


def _sem(tif: Any) -> VendorNotes | None:
    """Zeiss SEM: ``ap_pixel_size`` is (text, value, unit)."""
    metadata = tif.sem_metadata
    if not metadata:
        return None
    entry = metadata.get("ap_image_pixel_size") or metadata.get("ap_pixel_size")
    if isinstance(entry, (tuple, list)) and len(entry) == 3:
        return VendorNotes(_plane_steps(entry[1], entry[1], entry[2]))
    return VendorNotes({})


def _aperio(tif: Any) -> VendorNotes | None:
    """Aperio SVS: ``MPP``, micrometres a pixel, in the description."""
    if not tif.is_svs:
        return None
    found = re.search(r"\bMPP\s*=\s*([0-9.eE+-]+)", tif.pages.first.description)
    return VendorNotes(_plane_steps(found[1], found[1], "µm") if found else {})


def _hamamatsu(tif: Any) -> VendorNotes | None:
    """Hamamatsu NDPI: its resolution tags are a true calibration, in centimetres."""
    if not tif.is_ndpi:
        return None
    tags = tif.pages.first.tags
    if tags.valueof(296) != 3:
        return VendorNotes({})
    per_cm = [ratio(tags.valueof(code)) for code in (282, 283)]
    steps = [1e4 / value if value else None for value in per_cm]
    return VendorNotes(_plane_steps(steps[0], steps[1], "µm"))


def _digital_micrograph(tif: Any) -> VendorNotes | None:
    """Gatan DigitalMicrograph: units (65003, 65004) and steps (65009, 65010) in private tags.

    An image without calibration has steps of 1 and no units. Which of the two stands for the
    columns is published nowhere, so only square pixels are taken.
    """
    tags = tif.pages.first.tags
    units = [tags.valueof(code) for code in (65003, 65004)]
    steps = [tags.valueof(code) for code in (65009, 65010)]
    if units[0] != units[1] or steps[0] != steps[1] or not isinstance(steps[0], float):
        return None
    found = _plane_steps(steps[0], steps[1], units[0])
    return VendorNotes(found) if found else None


def _scanimage(tif: Any) -> VendorNotes | None:
    """ScanImage: only a z step and a frame rate are given in physical units."""
    if not tif.is_scanimage:
        return None
    return VendorNotes({})


def micromanager_notes(tif: Any) -> VendorNotes | None:
    """Micro-Manager and NDTiff: a pixel size of 0 stands for "not calibrated"."""
    metadata = tif.micromanager_metadata
    summary = (metadata or {}).get("Summary")
    if isinstance(summary, str):
        summary = json.loads(summary)
    if not isinstance(summary, dict):
        return None
    size = summary.get("PixelSize_um")
    steps = _plane_steps(size, size, "µm")
    depth = step_of(summary.get("z-step_um"))
    if steps and depth is not None:
        steps["z"] = (depth, "µm")
    interval = step_of(summary.get("Interval_ms"))
    if interval is not None:
        steps["t"] = (interval, "ms")
    names = summary.get("ChNames")
    channels = tuple(Channel(str(name)) for name in names) if isinstance(names, list) else ()
    return VendorNotes(steps, channels)


def ratio(value: Any) -> float | None:
    """Return a rational tag as a number; None for 0/0 and for what is missing."""
    if isinstance(value, (tuple, list)) and len(value) == 2 and value[1]:
        return float(value[0]) / float(value[1])
    return float(value) if isinstance(value, (int, float)) else None


_READERS: tuple[Callable[[Any], VendorNotes | None], ...] = (
    _lsm,
    _stk,
    _metaseries,
    _fei,
    _sis,
    _sem,
    _aperio,
    _hamamatsu,
    _scanimage,
    _digital_micrograph,
)
