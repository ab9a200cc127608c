"""Folders and lists of numbered files as one image: axes from the numbers in the names."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import ImageError
from napari_slicewise.io.array_keys import dropped, full_key, positions
from napari_slicewise.io.file_names import Layout
from napari_slicewise.io.flat_pictures import is_flat_picture
from napari_slicewise.io.image_info import Axis, Channel, ImageInfo
from napari_slicewise.io.lazy_array import LazyArray

__all__ = ["StackedArray", "files_of_glob", "folder_entry", "open_stack"]

_SUFFIXES = (".tif", ".tiff")


class _Opened(Protocol):
    @property
    def info(self) -> ImageInfo: ...

    @property
    def data(self) -> Any: ...


def folder_entry(folder: Path) -> Path | list[Path] | None:
    """Return what stands for a folder: one file, its numbered files, or None.

    Parameters
    ----------
    folder
        The folder. One whose only content are folders named ``TimePoint_1`` and so on stands
        for a time series.
    """
    masters = sorted(folder.glob("*.companion.ome")) or sorted(folder.glob("*.nd"))
    if len(masters) == 1:
        return masters[0]
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in _SUFFIXES]
    if not files:
        files = sorted(
            path
            for path in folder.glob("TimePoint_*/*")
            if path.suffix.lower() in _SUFFIXES and "_thumb" not in path.name.lower()
        )
    if not files:
        files = [path for path in sorted(folder.iterdir()) if is_flat_picture(path)]
    if not files:
        return None
    return files[0] if len(files) == 1 else files


def files_of_glob(path: Path) -> list[Path]:
    """Return the files that a name with ``*``, ``?`` or ``[...]`` stands for; usually none.

    Parameters
    ----------
    path
        A path; only its last part may be a pattern, and a file of that very name comes first.
    """
    if path.exists() or not any(sign in path.name for sign in "*?["):
        return []
    return sorted(file for file in path.parent.glob(path.name) if file.is_file())


def open_stack(
    layout: Layout, open_one: Callable[[Path], _Opened]
) -> tuple[ImageInfo, StackedArray]:
    """Open numbered files as one image.

    Parameters
    ----------
    layout
        Which file lies where.
    open_one
        Opens one of them.

    Raises
    ------
    ImageError
        When the first file cannot be read.
    """
    if not layout.places:
        raise ImageError("There is no file to open.")
    first_path = layout.places[min(layout.places)]
    first = open_one(first_path)
    array = StackedArray(layout, first, open_one)
    warnings = [*first.info.warnings, *layout.gaps]
    lost = math.prod(layout.shape) - len(layout.places)
    if lost:
        warnings.append(f"{lost} of {math.prod(layout.shape)} files are missing, shown as zeros")
    leading = tuple(
        Axis(axis, size)
        for axis, size in zip(layout.axes, layout.shape, strict=True)
        if axis != "c"
    )
    channels, channel_axis = _stack_channels(layout, first.info, open_one)
    info = replace(
        first.info,
        path=str(first_path.parent),
        axes=leading + first.info.axes,
        channels=channels,
        channel_axis=channel_axis,
        level_shapes=(array.shape,),
        series_name="",
        series_count=1,
        warnings=tuple(warnings),
    )
    return info, array


def _stack_channels(
    layout: Layout, info: ImageInfo, open_one: Callable[[Path], _Opened]
) -> tuple[tuple[Channel, ...], int | None]:
    """Return the stack's channels: those of the files' numbers, or those within each file."""
    if "c" not in layout.axes or info.channel_axis is not None:
        axis = info.channel_axis
        return info.channels, None if axis is None else axis + len(layout.axes)
    at = layout.axes.index("c")
    channels = []
    for index, called in enumerate(layout.names):
        path = min(((w, p) for w, p in layout.places.items() if w[at] == index), default=None)
        channel = open_one(path[1]).info.channels[0] if path else Channel()
        channels.append(replace(channel, name=channel.name or called))
    return tuple(channels), at


class StackedArray(LazyArray):
    """Numbered files as one lazy array; each read opens the files it needs.

    Parameters
    ----------
    layout
        Which file lies where.
    first
        One of the files, opened.
    open_one
        Opens one file.
    """

    def __init__(self, layout: Layout, first: _Opened, open_one: Callable[[Path], _Opened]) -> None:
        self._layout = layout
        self._open = open_one
        self._inner = tuple(int(n) for n in first.data.shape)
        self.dtype = np.dtype(first.data.dtype)
        self.shape = (*layout.shape, *self._inner)

    @property
    def chunks(self) -> tuple[int, ...]:
        """One plane of one file a chunk."""
        inner = list(self._inner)
        while math.prod(inner) * self.dtype.itemsize > 64 << 20 and max(inner[:-2], default=1) > 1:
            inner[next(i for i, n in enumerate(inner) if n > 1)] = 1
        return (*((1,) * len(self._layout.shape)), *inner)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read a part; ``key`` holds whole numbers and slices.

        Raises
        ------
        ImageError
            When a file is gone, damaged, or of another shape than the first.
        """
        keys = full_key(key, self.shape)
        outer, inner = keys[: len(self._layout.shape)], tuple(keys[len(self._layout.shape) :])
        picks = [positions(k, size) for k, size in zip(outer, self._layout.shape, strict=True)]
        parts = [self._read(position, inner) for position in product(*picks)]
        shape = np.empty(self._inner, np.bool_)[inner].shape if not parts else parts[0].shape
        stacked = np.array(parts, self.dtype).reshape(*(len(pick) for pick in picks), *shape)
        return np.asarray(stacked[dropped(outer)])

    def _read(self, position: tuple[int, ...], inner: tuple[Any, ...]) -> NDArray[Any]:
        path = self._layout.places.get(position)
        if path is None:
            return np.asarray(np.zeros(self._inner, self.dtype)[inner])
        data = self._open(path).data
        if tuple(data.shape) != self._inner:
            raise ImageError(
                f"{path.name} has shape {tuple(data.shape)}, the first file of the stack "
                f"{self._inner}.",
                "Only files of one size make a stack.",
            )
        return np.asarray(data[inner])
