"""A table of the objects: where they are, how large, how bright, how sure."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.numbering import distinct
from napari_slicewise.editing.object_boxes import ObjectBoxes
from napari_slicewise.io.atomic_file import check_output, replacing
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.source import ArraySource, SliceIndex, SliceSource

__all__ = ["ObjectTable", "measure_objects", "write_csv"]

_SPACE = ("z", "y", "x")


@dataclass(frozen=True, eq=False)
class ObjectTable:
    """One row an object, in the order of the numbers.

    Parameters
    ----------
    columns
        Arrays of one length, by their names: ``index`` (the object's number, as napari's
        features table wants it), ``first_slice`` and ``last_slice`` (positions on the leading
        axes, joined by commas), ``slices``, ``pixels``, ``area_um2`` or ``volume_um3`` where
        the pixel size is known, ``centroid_z`` and so on an axis, ``box_z_start``,
        ``box_z_stop`` and so on, ``mean_intensity``, ``confidence``, ``touches_border``
        (of a slice: rows and columns), ``state``.
    first
        The first slice of each object.
    """

    columns: dict[str, NDArray[Any]]
    first: tuple[SliceIndex, ...]

    def __len__(self) -> int:
        return len(self.first)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The objects' numbers."""
        numbers: NDArray[np.int64] = self.columns["index"]
        return numbers


def measure_objects(
    labels: ArraySource,
    *,
    axes: Sequence[Axis] | None = None,
    image: SliceSource | None = None,
    probability: SliceSource | None = None,
    confidence: Mapping[SliceIndex, Mapping[int, float]] | None = None,
    boxes: ObjectBoxes | None = None,
    locks: Locks | None = None,
    states: Mapping[int, str] | None = None,
) -> ObjectTable:
    """Measure all objects, reading slice by slice.

    Parameters
    ----------
    labels
        The labels.
    axes
        The axes in the order (leading ..., y, x), with steps; None for pixels.
    image
        Slices whose first channel gives the mean intensity.
    probability
        Slices whose first channel gives the confidence, 0..1: its mean over the object.
    confidence
        Or else its mean on each slice, by the object's number, where it is known.
    boxes
        Where the objects are, if that is known already.
    locks
        What is locked, for the column ``state``.
    states
        What else to say of an object there, ``accepted`` for instance.

    Raises
    ------
    ImageError
        When a slice cannot be read.
    """
    places = boxes or ObjectBoxes(labels)
    pieces = [_measure_slice(labels, i, places, image, probability) for i in labels.indices()]
    every = np.concatenate(pieces) if pieces else np.zeros((0, 0))
    names = _axis_names(labels, axes)
    numbers, rows = np.unique(every[:, 0].astype(np.int64), return_inverse=True)
    count = len(numbers)
    pixels = np.bincount(rows, every[:, 1], count)
    columns: dict[str, NDArray[Any]] = {"index": numbers}
    first, last = _ends(rows, count)
    spots = every[:, 8 : 8 + len(labels.leading_axes)].astype(int)
    for name, at in (("first_slice", first), ("last_slice", last)):
        columns[name] = np.array([",".join(map(str, spots[k])) for k in at], dtype=object)
    columns.update(slices=np.bincount(rows, minlength=count), pixels=pixels.astype(np.int64))
    columns.update(_physical(pixels, axes))
    sums = [*(every[:, 1:2] * spots).T, every[:, 2], every[:, 3]]
    for name, values in zip(names, sums, strict=True):
        columns[f"centroid_{name}"] = np.bincount(rows, values, count) / pixels
    low, high = _extents(every, spots, rows, count)
    for name, start, stop in zip(names, low.T, high.T, strict=True):
        columns[f"box_{name}_start"], columns[f"box_{name}_stop"] = start, stop
    for name, source, place in (("mean_intensity", image, -2), ("confidence", probability, -1)):
        if source is not None:
            columns[name] = np.bincount(rows, every[:, place], count) / pixels
    if probability is None:
        columns.update(_mean_confidence(every, spots, rows, confidence or {}))
    size = np.array(labels.slice_shape)
    columns["touches_border"] = (low[:, -2:] == 0).any(1) | (high[:, -2:] == size).any(1)
    columns["state"] = _states(numbers, locks or Locks(), states or {})
    return ObjectTable(columns, tuple(tuple(spots[k].tolist()) for k in first))


def write_csv(path: Path, table: ObjectTable) -> Path:
    """Write a table, one row an object; numbers in full precision, a dot as the decimal sign.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    check_output(path, [])
    names = list(table.columns)
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id" if name == "index" else name for name in names])
        for row in zip(*(table.columns[name].tolist() for name in names), strict=True):
            writer.writerow(["" if value != value else value for value in row])  # NaN
    return path


def _measure_slice(
    labels: ArraySource,
    index: SliceIndex,
    boxes: ObjectBoxes,
    image: SliceSource | None,
    probability: SliceSource | None,
) -> NDArray[np.float64]:
    """Measure one slice: a row an object.

    Columns: number, pixels, sums of rows and of columns, box (4), index, sums of intensity and
    of probability.
    """
    values = labels.read_slice(index)[0]
    found = boxes.of_slice(index)
    numbers = distinct(values)
    table = np.zeros((len(numbers), 8 + len(index) + 2))
    if not numbers.size:
        return table
    inside = np.nonzero(values)
    rows = np.searchsorted(numbers, values[inside].astype(np.int64))
    count = len(numbers)
    table[:, 0] = numbers
    table[:, 1] = np.bincount(rows, minlength=count)
    table[:, 2] = np.bincount(rows, inside[0], count)
    table[:, 3] = np.bincount(rows, inside[1], count)
    table[:, 4:8] = [
        (r.start, c.start, r.stop, c.stop) for r, c in (found[int(number)] for number in numbers)
    ]
    table[:, 8 : 8 + len(index)] = index
    for column, source in ((-2, image), (-1, probability)):
        if source is not None:
            table[:, column] = np.bincount(rows, source.read_slice(index)[0][inside], count)
    return table


def _mean_confidence(
    every: NDArray[np.float64],  # (row, column)
    spots: NDArray[np.int_],  # (row, leading axis)
    rows: NDArray[np.intp],  # (row,)
    confidence: Mapping[SliceIndex, Mapping[int, float]],
) -> dict[str, NDArray[np.float64]]:  # (object,)
    """Return each object's confidence, the mean over the pixels of which it is known, or NaN.

    Where it is known of no object, there is no such column.
    """
    found = np.array(
        [
            confidence.get(tuple(spot), {}).get(int(number), np.nan)
            for spot, number in zip(spots.tolist(), every[:, 0].tolist(), strict=True)
        ]
    )
    known = ~np.isnan(found)
    count = int(rows.max(initial=-1)) + 1
    pixels = np.bincount(rows[known], every[known, 1], count)
    sums = np.bincount(rows[known], (found * every[:, 1])[known], count)
    means = np.where(pixels > 0, sums / np.maximum(pixels, 1), np.nan)
    return {"confidence": means} if known.any() else {}


def _ends(rows: NDArray[np.intp], count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where each object's first and last row stand."""
    order = np.arange(len(rows))
    first, last = np.zeros(count, np.intp), np.zeros(count, np.intp)
    first[rows[::-1]] = order[::-1]
    last[rows] = order
    return first, last


def _extents(
    every: NDArray[np.float64], spots: NDArray[np.int_], rows: NDArray[np.intp], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the boxes of the objects through all slices, starts and stops, ``(object, axis)``."""
    starts = np.concatenate([spots, every[:, 4:6].astype(int)], axis=1)
    stops = np.concatenate([spots + 1, every[:, 6:8].astype(int)], axis=1)
    low = np.full((count, starts.shape[1]), np.iinfo(np.int64).max)
    high = np.zeros((count, starts.shape[1]), np.int64)
    np.minimum.at(low, rows, starts)
    np.maximum.at(high, rows, stops)
    return low, high


def _axis_names(labels: ArraySource, axes: Sequence[Axis] | None) -> list[str]:
    count = len(labels.leading_axes) + 2
    if axes is not None and len(axes) == count:
        return [axis.name for axis in axes]
    usual = ["t", "z", "y", "x"]
    return [f"axis{n}" for n in range(count - 4)] + usual[max(4 - count, 0) :]


def _physical(pixels: NDArray[Any], axes: Sequence[Axis] | None) -> dict[str, NDArray[Any]]:
    """Return area or volume, where all axes of space have steps in one unit."""
    space = [axis for axis in axes or () if axis.name in _SPACE and axis.size >= 1]
    units = {axis.unit for axis in space}
    if len(space) < 2 or len(units) != 1 or not all(axis.calibrated for axis in space):
        return {}
    unit = units.pop().replace("µ", "u")
    name = f"volume_{unit}3" if len(space) == 3 else f"area_{unit}2"
    return {name: pixels * math.prod(axis.step for axis in space)}


def _states(numbers: NDArray[Any], locks: Locks, states: Mapping[int, str]) -> NDArray[Any]:
    words = [
        ", ".join(filter(None, [states.get(n, ""), "locked" if n in locks.objects else ""]))
        for n in numbers.tolist()
    ]
    return np.array(words, dtype=object)
