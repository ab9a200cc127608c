"""From the options of ``slicewise segment`` to what is asked of the engine."""

from __future__ import annotations

import argparse

from napari_slicewise.api import anisotropy_of
from napari_slicewise.errors import RequestError
from napari_slicewise.inference.loading import LoadedModel
from napari_slicewise.inference.request import Request
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.source import ArraySource, SliceIndex
from napari_slicewise.io.tiff_reader import OpenedImage

__all__ = ["request_of", "result_axes"]


def request_of(
    opened: OpenedImage, source: ArraySource, model: LoadedModel, options: argparse.Namespace
) -> Request:
    """Return what the options ask for, of one image.

    Raises
    ------
    RequestError
        When that is impossible.
    """
    return Request(
        model=model.spec.name,
        indices=_chosen(tuple(source.indices()), source.leading_shape, options.slices),
        output=options.output,
        threshold=options.threshold,
        split=not options.no_split,
        link=not options.no_link,
        anisotropy=anisotropy_of(opened, source),
        least_iou=options.least_iou,
        gap=min(options.gap, max(source.leading_shape, default=0)),  # wider ones cost, and are none
        least_slices=options.least_slices,
        smallest=options.smallest,
        largest=options.largest,
        core_threshold=options.core_threshold,
        smoothing=options.smoothing,
        holes=options.holes,
        border=not options.no_border,
        device=options.device,
        precision=options.precision,
        intensity_range=options.intensity_range,
    )


def result_axes(opened: OpenedImage, source: ArraySource) -> tuple[Axis, ...]:
    """Return the axes of the result: those that slices are counted along, rows and columns."""
    axes = iter(opened.info.axes)
    all_axes = [None if name == "c" else next(axes) for name in opened.info.axis_names]
    kept = (all_axes[position] for position in (*source.leading_axes, *source.plane))
    return tuple(axis for axis in kept if axis is not None)


def _chosen(
    indices: tuple[SliceIndex, ...],
    leading_shape: tuple[int, ...],
    chosen: tuple[int | None, int | None] | None,
) -> tuple[SliceIndex, ...]:
    """Keep the slices of a range along the last leading axis."""
    if chosen is None:
        return indices
    if not leading_shape:
        raise RequestError("--slices was given, but the image is a single slice.")
    positions = range(*slice(*chosen).indices(leading_shape[-1]))
    if not positions:
        low, high = ("" if end is None else end for end in chosen)
        raise RequestError(
            f"--slices {low}:{high} chooses none of the {leading_shape[-1]} slices.",
            f"Choose a range within 0:{leading_shape[-1]}.",
        )
    return tuple(index for index in indices if index[-1] in positions)
