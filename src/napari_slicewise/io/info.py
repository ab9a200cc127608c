"""``slicewise info FILE``: what a file holds, for people and for programs."""

from __future__ import annotations

import os
from typing import Any

from napari_slicewise.io.image_info import Axis, ImageInfo
from napari_slicewise.io.tiff_reader import describe_series

__all__ = ["describe", "describe_as_dict"]


def describe(path: str | os.PathLike[str]) -> str:
    """Describe a file in a few lines.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    ImageError
        When the file cannot be read.
    """
    infos = describe_series(path)
    lines = [f"{os.fspath(path)}"]
    for info in infos:
        lines += _lines(info)
    described = {info.series for info in infos}
    others = [entry for entry in infos[0].listing if entry.series not in described]
    lines += [f"series {entry.series}     {entry.name or '(no name)'}" for entry in others]
    seen: list[str] = []
    for info in infos:
        seen += [sentence for sentence in info.warnings if sentence not in seen]
    lines += [f"  warning      {sentence}" for sentence in seen]
    return "\n".join(lines)


def describe_as_dict(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Describe a file in plain values, for ``--json``.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    ImageError
        When the file cannot be read.
    """
    return {"path": os.fspath(path), "series": [_as_dict(info) for info in describe_series(path)]}


def _lines(info: ImageInfo) -> list[str]:
    shape = " x ".join(str(n) for n in info.shape)
    axes = " ".join(info.axis_names)
    kind = "labels" if info.is_labels else "RGB picture" if info.rgb else "image"
    flavour = info.flavour or "plain"
    flavour += "" if flavour.startswith(("OME-Zarr", "PNG", "JPEG")) else " TIFF"
    stored = info.compression + (", tiled" if info.tiled else "")
    lines = [
        f"series {info.series}     {info.series_name or '(no name)'}",
        f"  what         {kind}, {flavour}, {stored}",
        f"  shape        {shape}  ({axes})",
        f"  values       {info.dtype}, {_bytes(info.nbytes)} in memory",
        f"  pixel size   {_sizes(info.axes)}",
    ]
    if info.channel_axis is not None and not info.rgb:
        names = [channel.name or f"channel {n}" for n, channel in enumerate(info.channels)]
        lines.append(f"  channels     {', '.join(names)}")
    if len(info.level_shapes) > 1:
        levels = ", ".join(" x ".join(str(n) for n in level) for level in info.level_shapes)
        lines.append(f"  pyramid      {levels}")
    return lines


def _sizes(axes: tuple[Axis, ...]) -> str:
    known = [f"{axis.name} {axis.step:.6g} {axis.unit}" for axis in axes if axis.calibrated]
    return ", ".join(known) or "not known"


def _bytes(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.4g} {unit}"
        count /= 1024
    return f"{count:.4g} TiB"


def _as_dict(info: ImageInfo) -> dict[str, Any]:
    return {
        "series": info.series,
        "name": info.series_name,
        "labels": info.is_labels,
        "rgb": info.rgb,
        "shape": list(info.shape),
        "axes": list(info.axis_names),
        "dtype": info.dtype,
        "bytes": info.nbytes,
        "pixel_size": {
            axis.name: {"step": axis.step, "unit": axis.unit}
            for axis in info.axes
            if axis.calibrated
        },
        "channels": [
            {"name": channel.name, "color": channel.color, "limits": channel.limits}
            for channel in info.channels
        ],
        "compression": info.compression,
        "tiled": info.tiled,
        "flavour": info.flavour,
        "levels": [list(level) for level in info.level_shapes],
        "provenance": info.metadata.get("slicewise", {}),
        "warnings": list(info.warnings),
    }
