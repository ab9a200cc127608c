"""From the options of ``slicewise segment`` to what is asked of the engine."""

from __future__ import annotations

import argparse

from napari_slicewise.api import grid_of
from napari_slicewise.errors import RequestError
from napari_slicewise.inference.loading import LoadedModel
from napari_slicewise.inference.request import Request
from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.io.class_table import class_colors, class_columns
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.source import ArraySource, SliceIndex
from napari_slicewise.io.tiff_reader import OpenedImage
from napari_slicewise.models.class_names import named_classes

__all__ = ["objects_of", "request_of", "result_picture"]


def objects_of(options: argparse.Namespace) -> ObjectOptions:
    """Return what the options ask of objects, before any image is known.

    Raises
    ------
    RequestError
        When no object can be like that, or none is asked for.
    """
    for name in ("track", "objects"):
        if options.output != "labels" and getattr(options, name):
            raise RequestError(
                f"--{name} is about objects, and --output {options.output} has none.",
                f"Leave out --{name}, or --output.",
            )
    return ObjectOptions(
        threshold=options.threshold,
        split=not options.no_split,
        smallest=options.smallest,
        largest=options.largest,
        core_threshold=options.core_threshold,
        smoothing=options.smoothing,
        holes=options.holes,
        border=not options.no_border,
        link=not options.no_link,
        track=options.track,
        least_iou=options.least_iou,
        gap=options.gap,
        least_slices=options.least_slices,
    )


def request_of(
    opened: OpenedImage, source: ArraySource, model: LoadedModel, options: argparse.Namespace
) -> Request:
    """Return what the options ask for, of one image.

    Raises
    ------
    RequestError
        When that is impossible.
    """
    grid = grid_of(opened, source)
    grid.check_directions(options.directions)
    if (options.directions != "z" or options.track) and (options.workers or options.scheduler):
        raise RequestError(
            "Several workers look at a stack from one side only, and track nothing.",
            "Leave out --directions and --track, or --workers and --scheduler.",
        )
    return Request(
        model=model.spec.name,
        indices=_chosen(tuple(source.indices()), source.leading_shape, options.slices),
        output=options.output,
        objects=objects_of(options).settled(grid),
        directions=options.directions,
        device=options.device,
        precision=options.precision,
        intensity_range=options.intensity_range,
        channels=options.channels,
        rescale=not options.no_rescale,
    )


def result_picture(
    opened: OpenedImage, source: ArraySource, request: Request, model: LoadedModel
) -> Picture:
    """Return what is written: the axes of the result, and what its values mean."""
    axes = _result_axes(opened, source)
    if request.output == "probability":
        return Picture(axes, "image")
    if request.output != "classes":
        return Picture(axes)
    names = named_classes(model.spec)
    return Picture(axes, objects=class_columns(names), colors=class_colors(len(names)))


def _result_axes(opened: OpenedImage, source: ArraySource) -> tuple[Axis, ...]:
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
