"""Images and labels on the disk: which belong together, and their slices. No torch here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import ImageError, RequestError
from napari_slicewise.io.flat_pictures import is_flat_picture
from napari_slicewise.io.opened_image import OpenedImage
from napari_slicewise.io.source import ArraySource, SliceIndex
from napari_slicewise.io.tiff_reader import SUFFIXES, open_image
from napari_slicewise.io.zarr_reader import is_ome_zarr
from napari_slicewise.training.request import Annotation

__all__ = ["LabelMeaning", "LabelledFile", "LazySlice", "annotations_of", "open_pair", "pair_files"]

_ENDINGS = (".ome.zarr", ".ome.tiff", ".ome.tif", ".zarr", *SUFFIXES, ".png", ".jpg", ".jpeg")
_SAYS_LABELS = ("_labels", "_label", "_masks", "_mask", "-labels", "-masks")
_NAMED = 5  # names in a message


@dataclass(frozen=True)
class LabelledFile:
    """An image and the file with its labels."""

    name: str
    image: Path
    labels: Path


@dataclass(frozen=True)
class LabelMeaning:
    """What single values of the labels stand for.

    Parameters
    ----------
    unknown
        Pixels of this value were not looked at; None where all were.
    background
        This value is the background.
    """

    unknown: int | None = None
    background: int = 0


@dataclass(frozen=True, eq=False)
class LazySlice:
    """One slice of an image, read a window at a time.

    Parameters
    ----------
    source
        The image.
    index
        Of the slice.
    """

    source: ArraySource
    index: SliceIndex

    @property
    def shape(self) -> tuple[int, ...]:
        """``(y, x)``, or ``(channel, y, x)`` where there are several."""
        channels = self.source.channels
        return (*((channels,) if channels > 1 else ()), *self.source.slice_shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a pixel."""
        return self.source.dtype

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read a window: the key is ``[..., rows, columns]``, two slices."""
        _, rows, columns = key
        source = self.source
        where: list[Any] = [slice(None)] * len(source.data.shape)
        for axis, position in zip(source.leading_axes, self.index, strict=True):
            where[axis] = position
        where[source.plane[0]], where[source.plane[1]] = rows, columns
        kept = list(source.plane)
        if source.channel_axis is not None:
            several = len(self.shape) == 3
            first = source.channel or 0
            where[source.channel_axis] = slice(0, source.channels) if several else first
            if several:
                kept.insert(0, source.channel_axis)
        part = np.asarray(source.data[tuple(where)])
        return part.transpose([sorted(kept).index(axis) for axis in kept])


@dataclass(frozen=True, eq=False)
class _Meant:
    """Labels whose values are brought to ours: 0 the background."""

    labels: LazySlice
    meaning: LabelMeaning

    @property
    def shape(self) -> tuple[int, ...]:
        return self.labels.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.labels.dtype

    def __getitem__(self, key: Any) -> NDArray[Any]:
        values = self.labels[key]
        empty = values == self.meaning.background
        if self.meaning.unknown is not None:
            empty |= values == self.meaning.unknown
        return np.where(empty, 0, values)


@dataclass(frozen=True, eq=False)
class _Known:
    """Which pixels do not have the value that stands for unknown."""

    labels: LazySlice
    unknown: int

    @property
    def shape(self) -> tuple[int, ...]:
        return self.labels.shape

    def __getitem__(self, key: Any) -> NDArray[np.bool_]:
        return np.asarray(self.labels[key] != self.unknown)


def pair_files(images: Path, labels: Path) -> list[LabelledFile]:
    """Find which labels belong to which image: by name, without the ending.

    Parameters
    ----------
    images, labels
        Two files (an OME-Zarr folder is one), or two folders of files.

    Raises
    ------
    RequestError
        When one is a file and the other a folder, or names do not match; it says which.
    """
    for path in (images, labels):
        if not path.exists():
            raise RequestError(f"There is no {path}.", "Check the name and its folder.")
    kinds = [path.is_dir() and not is_ome_zarr(path) for path in (images, labels)]
    if kinds == [False, False]:
        return [LabelledFile(_stem(images), images, labels)]
    if kinds[0] != kinds[1]:
        folder, file = (images, labels) if kinds[0] else (labels, images)
        raise RequestError(
            f"{folder} is a folder and {file} a file.", "Give two files, or two folders."
        )
    found, truths = _by_name(images), _by_name(labels)
    matched = {name: _labels_for(name, truths) for name in found}
    lonely = [found[name].name for name, path in matched.items() if path is None]
    used = set(matched.values())
    left = [path.name for path in truths.values() if path not in used]
    if lonely or left:
        raise RequestError(
            " ".join(
                f"{len(names)} {what}: {_list(names)}."
                for names, what in (
                    (lonely, f"without labels in {labels}"),
                    (left, "without image"),
                )
                if names
            ),
            "Labels have the name of their image, with or without _labels or _mask at its end.",
        )
    return [
        LabelledFile(name, found[name], path) for name, path in matched.items() if path is not None
    ]


def open_pair(
    pair: LabelledFile, channel: int | None = None
) -> tuple[OpenedImage, ArraySource, ArraySource]:
    """Open an image and its labels, and see that they belong together.

    Parameters
    ----------
    pair
        The files.
    channel
        The one channel to read; None reads all of them.

    Returns
    -------
    opened, image, labels
        The image's file, its slices, and those of the labels.

    Raises
    ------
    ImageError
        When one cannot be read, or their shapes differ.
    """
    opened = open_image(pair.image)
    image, labels = opened.source(channel), open_image(pair.labels).source()
    if labels.channels != 1:
        raise ImageError(
            f"{pair.labels.name} has {labels.channels} channels; labels have one.",
            "Is this a picture of the labels, or the image?",
        )
    shapes = [(*s.leading_shape, *s.slice_shape) for s in (image, labels)]
    if shapes[0] != shapes[1]:
        one, other = (" x ".join(map(str, shape)) for shape in shapes)
        raise ImageError(
            f"{pair.image.name} has {one} pixels, its labels {other}.",
            "Do they belong together, and are their axes in the same order?",
        )
    return opened, image, labels


def annotations_of(
    pairs: Sequence[LabelledFile], meaning: LabelMeaning, channel: int | None = None
) -> Iterator[Annotation]:
    """Give each slice of each image as an annotation; nothing is read but what the files say.

    Parameters
    ----------
    pairs
        The files.
    meaning
        Of single values of the labels.
    channel
        The one channel to read; None reads all of them.
    """
    for pair in pairs:
        opened, image, labels = open_pair(pair, channel)
        rgb = image.rgb
        for index in image.indices():
            mark = "".join(
                f" {name} {i}" for name, i in zip(_axes(opened, image), index, strict=True)
            )
            truth = LazySlice(labels, index)
            known: Any = None
            if meaning.unknown is not None:
                known = _Known(truth, meaning.unknown)
            yield Annotation(
                name=f"{pair.name}{mark}",
                image=LazySlice(image, index),
                labels=_Meant(truth, meaning),
                known=known,
                group=pair.name,
                rgb=rgb,
            )


def _axes(opened: OpenedImage, image: ArraySource) -> list[str]:
    """Name the axes that slices are counted along."""
    return [opened.info.axis_names[axis] for axis in image.leading_axes]


def _by_name(folder: Path) -> dict[str, Path]:
    """Return the images of a folder, each by its name without ending."""
    files = [path for path in sorted(folder.iterdir()) if _is_image(path)]
    if not files:
        raise RequestError(f"There is no TIFF, PNG or JPEG file or OME-Zarr folder in {folder}.")
    found: dict[str, Path] = {}
    for path in files:
        if _stem(path) in found:
            raise RequestError(
                f"{path.name} and {found[_stem(path)].name} in {folder} have one name.",
                "Move one of them away.",
            )
        found[_stem(path)] = path
    return found


def _is_image(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    if path.is_dir():
        return is_ome_zarr(path)
    return path.name.lower().endswith(SUFFIXES) or is_flat_picture(path)


def _labels_for(name: str, truths: dict[str, Path]) -> Path | None:
    wanted = (name, *(name + ending for ending in _SAYS_LABELS))
    return next((truths[one] for one in wanted if one in truths), None)


def _stem(path: Path) -> str:
    name = path.name
    ending = next((e for e in _ENDINGS if name.lower().endswith(e)), "")
    return name[: len(name) - len(ending)] if ending else name


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"
