"""An image whose metadata are read, and whose pixels can be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from napari_slicewise.errors import ImageError
from napari_slicewise.io.image_info import ImageInfo
from napari_slicewise.io.source import ArraySource
from napari_slicewise.io.units import MICROMETRES

__all__ = ["OpenedImage"]


@dataclass(frozen=True)
class OpenedImage:
    """One image of a file, ready to be read slice by slice.

    Parameters
    ----------
    info
        What the file says of it.
    levels
        The pyramid, the full size first: numpy arrays, or lazy arrays that are indexed like
        numpy arrays, open the file for each read and close it again.
    """

    info: ImageInfo
    levels: tuple[Any, ...]

    @property
    def data(self) -> Any:
        """The full-size array; its axes are ``info.axis_names``."""
        return self.levels[0]

    @property
    def pixel_um(self) -> tuple[float, float] | None:
        """Size of a pixel in um, ``(y, x)``; None where the file does not tell."""
        rows, columns = (self.info.axis(name) for name in ("y", "x"))
        if rows is None or columns is None:
            return None
        if rows.unit not in MICROMETRES or columns.unit not in MICROMETRES:
            return None
        size = rows.step * MICROMETRES[rows.unit], columns.step * MICROMETRES[columns.unit]
        return size if all(0.0 < side < math.inf for side in size) else None

    def source(self, channel: int | None = None) -> ArraySource:
        """Return the image as slices for inference.

        Parameters
        ----------
        channel
            The one channel to read; None reads all of them.

        Raises
        ------
        ImageError
            When there is no such channel.
        """
        if channel is not None and self.info.channel_axis is None and channel != 0:
            raise ImageError(
                f"There is no channel {channel}: the image has one.", "Choose channel 0."
            )
        return ArraySource(
            self.data,
            plane=self.info.plane,
            channel_axis=self.info.channel_axis,
            channel=channel if self.info.channel_axis is not None else None,
            rgb=self.info.rgb and channel is None,
            pixel_um=self.pixel_um,
        )

    def close(self) -> None:
        """Do nothing: no file stays open between reads. Here for ``with`` statements."""

    def __enter__(self) -> OpenedImage:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
