"""Opening image files and folders: lazily, with everything they say of themselves."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_slicewise.errors import ImageError
from napari_slicewise.io.file_names import Layout, lay_out
from napari_slicewise.io.file_sets import files_of_glob, folder_entry, open_stack
from napari_slicewise.io.flat_pictures import is_flat_picture, read_flat_picture
from napari_slicewise.io.image_info import ImageInfo, ImageWarning
from napari_slicewise.io.layer_data import LayerData, image_layers
from napari_slicewise.io.metamorph_nd import nd_layout
from napari_slicewise.io.ome_sets import is_companion
from napari_slicewise.io.opened_image import OpenedImage
from napari_slicewise.io.tiff_damage import short_name
from napari_slicewise.io.tiff_open import look_into
from napari_slicewise.io.zarr_reader import is_ome_zarr, look_into_zarr

__all__ = [
    "SUFFIXES",
    "LayerData",
    "OpenedImage",
    "describe_listing",
    "describe_series",
    "get_reader",
    "layers_of",
    "open_image",
    "open_series",
    "read_layers",
]

SUFFIXES = (".tif", ".tiff", ".tf2", ".tf8", ".btf", ".lsm", ".stk", ".svs", ".ndpi", ".qptiff")
_SMALL_BYTES = 16 << 20  # read at once: a dask graph costs more than it saves

PathLike = str | os.PathLike[str]


def open_image(path: PathLike, series: int = 0) -> OpenedImage:
    """Open one image of a file, or of a folder or set that stands for one image.

    Parameters
    ----------
    path
        A TIFF file of any flavour, a ``.companion.ome`` file, an OME-Zarr folder, a folder of
        numbered files, or a pattern such as ``raw/*.png``.
    series
        Which of the file's images.

    Returns
    -------
    The image; its pixels are read when they are asked for.

    Raises
    ------
    ImageError
        When the file is missing, damaged, no TIFF, or has no such series.
    """
    return _open(Path(path), series)[0]


def open_series(path: PathLike, most: int | None = None) -> list[OpenedImage]:
    """Open all images of a file but thumbnails; see :func:`open_image`.

    Parameters
    ----------
    path
        The file.
    most
        Of a file with more images than this, only the first is opened; ``info.listing``
        names the others.

    Raises
    ------
    ImageError
        When the file is missing, damaged or no TIFF.
    """
    return _open(Path(path), None, most)


def read_layers(
    path: PathLike | Sequence[PathLike], *, most: int | None = None, at_stage: bool = False
) -> list[LayerData]:
    """Read a file, a folder or a list of files as napari layer data.

    Parameters
    ----------
    path
        What to open; the files of a list are stacked.
    most
        Of a file with more scenes than this, only the first is opened.
    at_stage
        Whether layers lie where the microscope's stage stood, as far as the file tells.

    Returns
    -------
    One layer a channel (or an RGB or a labels layer) for every scene; scenes after the first
    are not shown at once. ``metadata["series_list"]`` names all images of the file.

    Raises
    ------
    ImageError
        When nothing can be read.
    """
    if isinstance(path, (str, os.PathLike)):
        images = open_series(path, most)
    else:
        files = [Path(file) for file in path]
        images = _open_files(files) if len(files) > 1 else open_series(files[0], most)
    layers: list[LayerData] = []
    for number, image in enumerate(images):
        shown = number == 0 or image.info.is_labels
        layers += layers_of(image, visible=shown, at_stage=at_stage)
    return layers


def layers_of(
    image: OpenedImage, *, visible: bool = True, at_stage: bool = False
) -> list[LayerData]:
    """Return one opened image as napari layer data, and warn of what is wrong with it.

    Parameters
    ----------
    image
        The image.
    visible
        Whether its layers are shown at once.
    at_stage
        See :func:`read_layers`.
    """
    info = image.info
    for sentence in info.warnings:
        warnings.warn(f"{short_name(info.path)}: {sentence}.", ImageWarning, stacklevel=3)
    stem = _stem(Path(info.path))
    return image_layers(info, image.levels, stem, visible=visible, at_stage=at_stage)


def get_reader(
    path: str | Sequence[str],
) -> Callable[[str | Sequence[str]], list[LayerData]] | None:
    """Return the reader for napari, or None for what is not ours.

    Parameters
    ----------
    path
        A path, or a list of files to stack.
    """
    first = Path(path if isinstance(path, str) else path[0])
    if is_ome_zarr(first):
        return read_layers
    if first.is_dir():
        return read_layers if isinstance(path, str) and folder_entry(first) else None
    if first.suffix.lower() in (*SUFFIXES, ".nd") or is_companion(first):
        return read_layers
    return None


def describe_series(path: PathLike) -> list[ImageInfo]:
    """Describe all images of a file but thumbnails, without reading pixels.

    Parameters
    ----------
    path
        The file, set or folder.

    Raises
    ------
    ImageError
        When the file is missing, damaged or no TIFF.
    """
    place = Path(path)
    if is_ome_zarr(place):
        return [info for info, _ in look_into_zarr(place, None, str(path))]
    entry = folder_entry(place) if place.is_dir() else place
    tiff = isinstance(entry, Path) and entry.is_file() and not is_flat_picture(entry)
    if not tiff or entry is None or isinstance(entry, list) or entry.suffix.lower() == ".nd":
        return [image.info for image in _open(place, None)]
    return [info for info, _ in look_into(entry, None, str(path))]


def describe_listing(path: PathLike) -> list[dict[str, Any]]:
    """List all images of a file in plain values: number, name, axes, shape, whether a scene.

    Parameters
    ----------
    path
        The file, set or folder.

    Raises
    ------
    ImageError
        When the file is missing, damaged or no TIFF.
    """
    return [entry.as_dict() for entry in open_series(path, 1)[0].info.listing]


def _open(path: Path, series: int | None, most: int | None = None) -> list[OpenedImage]:
    """Open a file, a set or a folder; small images are read at once."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ImageError(f"{short_name(path)} is a device or a pipe.", "Choose a file.")
    if is_ome_zarr(path):
        return [
            OpenedImage(info, tuple(_read_if_small(level) for level in levels))
            for info, levels in look_into_zarr(path, series, str(path), most)
        ]
    files = files_of_glob(path)
    if files:
        return _open_files(files)
    if is_flat_picture(path) and not series:
        info, array = read_flat_picture(path)
        return [OpenedImage(info, (array,))]
    if path.is_dir():
        entry = folder_entry(path)
        if entry is None:
            raise ImageError(f"{short_name(path)} is a folder without images.")
        return _open_files(entry) if isinstance(entry, list) else _open(entry, series, most)
    if path.suffix.lower() == ".nd":
        return [_open_layout(nd_layout(path))]
    return [
        OpenedImage(info, tuple(_read_if_small(level) for level in levels))
        for info, levels in look_into(path, series, str(path), most)
    ]


def _read_if_small(level: Any) -> Any:
    return level[...] if level.nbytes <= _SMALL_BYTES else level


def _open_files(files: Sequence[Path]) -> list[OpenedImage]:
    """Open numbered files as one image, files without common numbers one by one."""
    if _is_one_set(files):
        return _open(files[0], None)
    layout = lay_out(files)
    if len(layout.places) == 1 and len(files) > 1:
        return [_open(file, 0)[0] for file in files]
    stack = _open_layout(layout)
    left_out = len(files) - len(layout.places)
    if not left_out:
        return [stack]
    said = f"{left_out} files with other names are left out of the stack"
    info = replace(stack.info, warnings=(*stack.info.warnings, said))
    return [OpenedImage(info, stack.levels)]


def _is_one_set(files: Sequence[Path]) -> bool:
    """Whether the first file speaks for the others: an OME, Micro-Manager or NDTiff set."""
    likely = [file for file in files if ".ome.ti" in file.name or "NDTiffStack" in file.name]
    if not likely:
        return False
    info, _ = look_into(likely[0], None, str(likely[0]))[0]
    xml = str(info.metadata.get("ome_xml", ""))
    named = sum(file.name in xml for file in files)
    return named > 1 or info.flavour in ("ndtiff", "mmstack")


def _open_layout(layout: Layout) -> OpenedImage:
    info, array = open_stack(layout, open_image)
    return OpenedImage(info, (array,))


def _stem(path: Path) -> str:
    """Return a file's name without the endings that say how it is stored."""
    name = path.name
    for ending in (".companion.ome", ".ome.tiff", ".ome.tif", ".ome.zarr", ".zarr", *SUFFIXES):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name
