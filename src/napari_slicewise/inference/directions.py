"""A volume looked at from three sides: what the network says of it along z, y and x.

A network for slices knows nothing of the slices before and after. Along another axis it
sees just these. Where the three disagree, the mean of their probabilities is more often
right than any one of them (2.5D, as in Prasoon 2013, 10.1007/978-3-642-40763-5_31). The
objects are then made as ever: slice by slice along z, and linked.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import RequestError
from napari_slicewise.inference.predict import Predicted
from napari_slicewise.inference.resample import resample
from napari_slicewise.inference.stream import CancelToken
from napari_slicewise.io.cube_store import CubeStore
from napari_slicewise.io.source import SliceIndex, SliceSource
from napari_slicewise.io.turned_source import TurnedSource, store_volume

__all__ = ["OtherDirections", "stacks_of"]

_NEAR = 1.1  # steps along z that are this much larger than pixels count as the same


def stacks_of(indices: Sequence[SliceIndex]) -> Iterator[tuple[SliceIndex, ...]]:
    """Yield the slices of one stack after another, in the order in which they are wanted."""
    for _, group in groupby(indices, key=lambda index: index[:-1]):
        yield tuple(group)


class OtherDirections:
    """What the network says of one stack along the other axes, kept on disk where it is large.

    Parameters
    ----------
    source
        The image.
    along
        Letters of the axes, of ``y`` and ``x``.
    anisotropy
        Distance of two slices over the size of a pixel.
    heads
        How many of the activations' channels mean the same from all sides.
    look
        Yields the activations of all slices of a source.
    token
        To stop the run.
    on_status
        Told in words what is being done.
    """

    def __init__(
        self,
        source: SliceSource,
        along: str,
        anisotropy: float,
        heads: int,
        look: Callable[[SliceSource], Generator[Predicted]],
        token: CancelToken,
        on_status: Callable[[str], None],
    ) -> None:
        if not source.leading_shape or source.leading_shape[-1] < 2:
            raise RequestError(
                "Only a stack has other directions than one.", "Choose one direction."
            )
        self._source = source
        self._along = along
        self._anisotropy = anisotropy
        self._heads = heads
        self._look = look
        self._token = token
        self._on_status = on_status
        self._sums: CubeStore | None = None

    def begin(self, outer: SliceIndex) -> None:
        """Look at one stack; ``outer`` is its place on all leading axes but the last.

        Raises
        ------
        SlicewiseError
            When the image cannot be read, there is no room on disk, or memory ends.
        """
        self._sums = None  # makes room
        self._on_status("Turning the stack")
        cubes = store_volume(self._source, outer)
        sums = CubeStore((self._heads, *cubes.shape[1:]), np.float32)
        far = not 1 / _NEAR <= self._anisotropy <= _NEAR
        rows = max(1, round(cubes.shape[1] * self._anisotropy)) if far else cubes.shape[1]
        source = self._source
        for axis in self._along:
            pixel_um = source.pixel_um
            if pixel_um is not None:
                pixel_um = (pixel_um[0] * pixel_um[1]) ** 0.5, pixel_um["yx".index(_other(axis))]
            view = TurnedSource(cubes, axis, source.rgb, pixel_um, rows, resample)
            with closing(self._look(view)) as predicted:
                for item in predicted:
                    view.add(sums, item.index, item.activations[: self._heads])
                    done = f"{item.index[0] + 1} of {view.leading_shape[0]}"
                    self._on_status(f"Along {axis}: slice {done}")
            if self._token.cancelled:
                return
            sums.flush()
        self._sums = sums

    def joined(self, item: Predicted) -> NDArray[np.float32]:
        """Return the activations of a slice with the mean of all directions, ``(head, y, x)``."""
        if self._sums is None:
            return item.activations
        joined = np.array(item.activations)
        joined[: self._heads] += self._sums.read(0, item.index[-1])
        joined[: self._heads] /= 1 + len(self._along)
        return joined


def _other(axis: str) -> str:
    """Return the axis that a slice's columns lie along."""
    return "x" if axis == "y" else "y"
