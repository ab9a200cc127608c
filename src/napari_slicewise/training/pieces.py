"""Annotated slices cut into pieces that fit in memory, and read when they are needed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import ImageError
from napari_slicewise.inference.channels import channel_recipe
from napari_slicewise.inference.normalize import IntensityRange, measure_range, normalize
from napari_slicewise.inference.prepare import feed_channels
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.training.request import Annotation

__all__ = ["Intensities", "Piece", "cut_pieces", "group_of", "read_labels", "read_part"]

_WHOLE = 1536  # px; slices with longer sides are cut
_SIDE = 1024  # px, of a piece of them
_SAMPLES = 8  # pieces of a group on which intensities are measured


@dataclass(frozen=True, eq=False)
class Piece:
    """A window of an annotated slice.

    Parameters
    ----------
    annotation
        The slice.
    window
        ``(top, left, bottom, right)`` in pixels, ends excluded.
    version
        How many times the annotation was replaced.
    """

    annotation: Annotation
    window: tuple[int, int, int, int]
    version: int = 0

    @property
    def key(self) -> str:
        """Name of the piece, the same in another run on the same slices."""
        return f"{self.annotation.name} {self.window}"

    @property
    def pixels(self) -> int:
        """Size."""
        top, left, bottom, right = self.window
        return (bottom - top) * (right - left)


def cut_pieces(annotation: Annotation, version: int = 0) -> tuple[Piece, ...]:
    """Cut a slice into pieces; those where nothing is known are left out.

    Parameters
    ----------
    annotation
        The slice. Nothing of it is read.
    version
        Of the annotation.
    """
    rows, columns = (int(n) for n in annotation.labels.shape)
    pieces = [
        Piece(annotation, (top, left, bottom, right), version)
        for top, bottom in _spans(rows)
        for left, right in _spans(columns)
    ]
    if annotation.known is None:
        return tuple(pieces)
    known = annotation.known
    return tuple(piece for piece in pieces if read_part(known, piece.window).any())


def _spans(length: int) -> list[tuple[int, int]]:
    """Cut a side into nearly equal parts."""
    count = 1 if length <= _WHOLE else math.ceil(length / _SIDE)
    ends = np.linspace(0, length, count + 1).round().astype(int).tolist()
    return list(itertools.pairwise(ends))


def read_part(array: Any, window: tuple[int, int, int, int]) -> NDArray[Any]:
    """Read a window of the last two axes.

    Raises
    ------
    ImageError
        When it cannot be read.
    """
    top, left, bottom, right = window
    try:
        part = array[..., top:bottom, left:right]
        return np.asarray(part.compute(callbacks=()) if hasattr(part, "__dask_graph__") else part)
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise ImageError(
            f"A slice to learn from could not be read: {error}",
            "Is the file still there, and complete?",
        ) from error


def read_labels(piece: Piece) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
    """Read labels and what is known, ``(y, x)`` each; None where all is known.

    Raises
    ------
    ImageError
        When a label is negative.
    """
    labels = read_part(piece.annotation.labels, piece.window).astype(np.int64)
    if labels.size and int(labels.min()) < 0:
        raise ImageError(
            f"{piece.annotation.name}: there are negative labels ({int(labels.min())}).",
            "Labels are numbers from 0 on; 0 is the background.",
        )
    known = piece.annotation.known
    return labels, None if known is None else np.asarray(read_part(known, piece.window), bool)


def group_of(annotation: Annotation) -> str:
    """Name the image that a slice belongs to."""
    return annotation.group or annotation.name


class Intensities:
    """The intensities that become 0 and 1, for each image; and normalised pieces.

    Parameters
    ----------
    annotations
        All slices.
    spec
        Of the model.

    Raises
    ------
    ModelError
        When the channels of the images do not fit the model.
    ImageError
        When an image cannot be read.
    """

    def __init__(self, annotations: Sequence[Annotation], spec: ModelSpec) -> None:
        self._spec = spec
        self._ranges: dict[str, IntensityRange] = {}
        groups: dict[str, list[Annotation]] = {}
        for annotation in annotations:
            groups.setdefault(group_of(annotation), []).append(annotation)
        for name, members in groups.items():
            self._measure(name, members)

    def add(self, annotation: Annotation) -> None:
        """Measure the image of a new slice, where it is not known yet."""
        if group_of(annotation) not in self._ranges:
            self._measure(group_of(annotation), [annotation])

    def normalized(self, piece: Piece) -> NDArray[np.float32]:
        """Read and normalise ``(channel, y, x)``."""
        return normalize(self._read(piece), self._ranges[group_of(piece.annotation)])

    def normalize_slice(self, image: NDArray[Any], group: str, *, rgb: bool) -> NDArray[np.float32]:
        """Normalise a slice by the range of its image, or by its own where that is not known."""
        fed = self._fed(image, rgb=rgb)
        return normalize(fed, self._ranges.get(group) or measure_range([fed], self._spec))

    def state(self) -> dict[str, list[list[float]]]:
        """Return the ranges as plain numbers."""
        return {name: [list(r.low), list(r.high)] for name, r in self._ranges.items()}

    def restore(self, state: Mapping[str, Sequence[Sequence[float]]]) -> None:
        """Take what :meth:`state` gave, for the images that are known here."""
        for name, (low, high) in state.items():
            if name in self._ranges:
                self._ranges[name] = replace(self._ranges[name], low=tuple(low), high=tuple(high))

    def _read(self, piece: Piece) -> NDArray[Any]:
        image = read_part(piece.annotation.image, piece.window)
        return self._fed(image, rgb=piece.annotation.rgb)

    def _fed(self, image: NDArray[Any], *, rgb: bool) -> NDArray[Any]:
        channels = image if image.ndim == 3 else image[np.newaxis]
        recipe = channel_recipe(self._spec, channels.shape[0], rgb=rgb)
        return feed_channels(channels, recipe, self._spec.in_channels)

    def _measure(self, name: str, members: Sequence[Annotation]) -> None:
        """Measure on some pieces, spread over the slices."""
        pieces = [piece for member in members for piece in cut_pieces(replace(member, known=None))]
        chosen = np.linspace(0, len(pieces) - 1, min(_SAMPLES, len(pieces))).round().astype(int)
        samples = [self._read(pieces[place]) for place in np.unique(chosen)]
        self._ranges[name] = measure_range(samples, self._spec)
