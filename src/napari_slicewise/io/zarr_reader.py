"""Opening OME-Zarr folders: images, their labels, several images, the fields of plates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_slicewise.errors import ImageError
from napari_slicewise.io.class_table import read_colors
from napari_slicewise.io.image_info import Axis, ImageInfo, SeriesEntry
from napari_slicewise.io.object_table import read_columns
from napari_slicewise.io.plain_values import plain
from napari_slicewise.io.tiff_damage import short_name
from napari_slicewise.io.units import clean_unit, step_of
from napari_slicewise.io.zarr_level import ZarrLevel, open_level
from napari_slicewise.io.zarr_metadata import (
    Multiscale,
    ZarrNode,
    calibrated_axis,
    complaints,
    omero_channels,
    read_multiscale,
    read_node,
)

__all__ = ["is_ome_zarr", "look_into_zarr"]


@dataclass(frozen=True)
class _Found:
    """An image in a folder; those of a plate are looked into when they are opened."""

    folder: Path
    name: str = ""
    warnings: tuple[str, ...] = ()
    is_field: bool = False


def is_ome_zarr(folder: Path) -> bool:
    """Whether a folder is an OME-Zarr group; reads two small files at most."""
    return folder.is_dir() and read_node(folder) is not None


def look_into_zarr(
    folder: Path, series: int | None, name: str, most: int | None = None
) -> list[tuple[ImageInfo, list[ZarrLevel]]]:
    """Describe the images of an OME-Zarr folder, and open their arrays without reading pixels.

    Parameters
    ----------
    folder
        The folder; labels count as further images after the one that they belong to.
    series
        The one image that is wanted; None for all, of a plate for the first field.
    name
        The path as the user gave it.
    most
        Of a folder with more images than this, only the first is opened.

    Raises
    ------
    ImageError
        When the folder holds no image, or has no such series.
    """
    node = read_node(folder)
    if node is None:
        raise ImageError(f"{short_name(name)} is no OME-Zarr folder.", "Check what it really is.")
    found = _images(node)
    if not found:
        raise ImageError(f"{short_name(name)} is corrupt: it holds no image.")
    if series is not None and not 0 <= series < len(found):
        raise ImageError(
            f"There is no series {series}: {short_name(name)} has {len(found)}.",
            f"They are counted from 0, the last is {len(found) - 1}.",
        )
    listing = tuple(SeriesEntry(index, image.name) for index, image in enumerate(found))
    return [_open(found[index], index, listing, name) for index in _wanted(found, series, most)]


def _wanted(found: Sequence[_Found], series: int | None, most: int | None) -> list[int]:
    """Return the numbers of the images to open."""
    if series is not None:
        return [series]
    if found[0].is_field:  # a plate has more fields than a viewer has room for
        return [0, *(index for index, image in enumerate(found) if not image.is_field)]
    return [0] if most is not None and len(found) > most else list(range(len(found)))


def _images(node: ZarrNode) -> list[_Found]:
    """Return all images under a group, each followed by its labels."""
    ome = node.ome
    if "multiscales" in ome:
        return [_Found(node.folder), *_labels_of(node)]
    if "plate" in ome:
        return _fields(node)
    if "well" in ome:
        paths = [str(entry["path"]) for entry in ome["well"].get("images", ())]
        return _children(node, paths)
    if "labels" in ome:
        return _children(node, [str(path) for path in ome["labels"]])
    if "series" in ome:
        parent = ZarrNode(node.folder.parent, {}, node.version, {})
        return _children(parent, [str(path) for path in ome["series"]])
    inner = read_node(node.folder / "OME")
    listed = [str(path) for path in inner.ome.get("series", ())] if inner else []
    if not listed:
        numbers = (path.name for path in node.folder.iterdir() if path.name.isdigit())
        listed = sorted(numbers, key=int)
    return _children(node, listed)


def _children(node: ZarrNode, paths: Sequence[str]) -> list[_Found]:
    found: list[_Found] = []
    for path in paths:
        child = read_node(node.folder / path)
        if child is not None and "multiscales" in child.ome:
            found += [_Found(child.folder, path), *_labels_of(child)]
    return found


def _labels_of(node: ZarrNode) -> list[_Found]:
    group = read_node(node.folder / "labels")
    return (
        [] if group is None or "labels" not in group.ome else _children(group, group.ome["labels"])
    )


def _fields(plate: ZarrNode) -> list[_Found]:
    """Return all fields of all wells, and the labels of the first field."""
    places: list[str] = []
    wells = [str(entry["path"]) for entry in plate.ome["plate"].get("wells", ())]
    for path in wells:
        well = read_node(plate.folder / path)
        images = (
            well.ome["well"].get("images", ()) if well is not None and "well" in well.ome else ()
        )
        places += [f"{path}/{entry['path']}" for entry in images]
    found = [_Found(plate.folder / place, place, is_field=True) for place in places]
    if not found:
        return []
    said = (
        f"This is a plate of {len(wells)} wells: the first field ({places[0]}) of {len(found)} "
        "is opened; the others can be chosen as its further series"
    )
    first = read_node(found[0].folder)
    labels = [] if first is None else _labels_of(first)
    return [
        replace(found[0], warnings=(said,) if len(wells) > 1 or len(found) > 1 else ()),
        *found[1:],
        *labels,
    ]


def _open(
    found: _Found, index: int, listing: tuple[SeriesEntry, ...], name: str
) -> tuple[ImageInfo, list[ZarrLevel]]:
    """Open one image and describe it."""
    node = _image_node(found, name)
    scales = read_multiscale(node)
    rgb = bool(node.notes.get("rgb"))
    order = _order(scales.axes, node.notes.get("axes"), rgb=rgb)
    levels = _levels(node, scales, order)
    names = [scales.axes[axis] for axis in order]
    channel_axis = names.index("c") if "c" in names else None
    own = _own_steps(node)
    shape = levels[0].shape
    axes: list[Axis] = [
        calibrated_axis(axis, shape[position], dict(scales.steps) | own)
        for position, axis in enumerate(names)
        if position != channel_axis
    ]
    channels = 1 if channel_axis is None or rgb else shape[channel_axis]
    info = ImageInfo(
        path=name,
        axes=tuple(axes),
        dtype=str(levels[0].dtype),
        channels=omero_channels({} if rgb else node.ome, channels),
        channel_axis=channel_axis,
        rgb=rgb,
        series=index,
        series_count=len(listing),
        series_name=found.name or scales.name,
        level_shapes=tuple(level.shape for level in levels),
        is_labels="image-label" in node.ome,
        compression=levels[0].compression,
        tiled=True,
        flavour=f"OME-Zarr {node.version}",
        metadata=_metadata(node),
        warnings=(*found.warnings, *complaints(node), *_unitless(scales, own)),
        listing=listing,
        position=scales.position,
        **_of_labels(node),
    )
    return info, levels


def _of_labels(node: ZarrNode) -> dict[str, Any]:
    """Return the table of objects and the colours among what is said of labels."""
    label = node.ome.get("image-label")
    if not isinstance(label, dict):
        return {}
    return {
        "objects": read_columns(label.get("properties")),
        "label_colors": read_colors(label.get("colors")),
    }


def _image_node(found: _Found, name: str) -> ZarrNode:
    node = read_node(found.folder)
    if node is None or "multiscales" not in node.ome:
        raise ImageError(f"{short_name(name)} is corrupt: there is no image {found.name}.")
    return node


def _levels(node: ZarrNode, scales: Multiscale, order: tuple[int, ...]) -> list[ZarrLevel]:
    levels = [open_level(str(node.folder / path), order) for path in scales.paths]
    if any(level.ndim != len(scales.axes) for level in levels):
        raise ImageError(
            f"{short_name(node.folder)} is corrupt: its metadata name {len(scales.axes)} axes, "
            f"the array has {levels[0].ndim}."
        )
    return levels


def _order(stored: tuple[str, ...], noted: Any, *, rgb: bool) -> tuple[int, ...]:
    """Return the order of the axes: as stored, or as our own writer was given them."""
    names = [*noted, "c"] if rgb and isinstance(noted, list) else noted
    if isinstance(names, list) and sorted(map(str, names)) == sorted(stored):
        return tuple(stored.index(str(name)) for name in names)
    return tuple(range(len(stored)))


def _own_steps(node: ZarrNode) -> dict[str, tuple[float, str]]:
    """Return the steps of axes that OME-Zarr has no type for."""
    steps = {}
    for name, entry in (node.notes.get("steps") or {}).items():
        step, unit = step_of(entry[0]), clean_unit(entry[1])
        if step is not None and unit is not None:
            steps[str(name)] = (step, unit)
    return steps


def _metadata(node: ZarrNode) -> dict[str, Any]:
    metadata: dict[str, Any] = {"ome_zarr": plain(node.ome)}
    if node.notes:
        metadata["slicewise"] = plain(node.notes)
    return metadata


def _unitless(scales: Multiscale, own: Mapping[str, Any]) -> tuple[str, ...]:
    """Say which steps have no unit that is known, but for those that our own notes give."""
    left_out = [text for text in scales.unitless if text.split()[0] not in own]
    if not left_out:
        return ()
    return (f"Steps without a known unit are left out ({', '.join(left_out)})",)
