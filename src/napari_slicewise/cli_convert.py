"""``slicewise convert``: from one format of images to another, with all that is known of them."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm  # a dependency of napari's

from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.members import member_files
from napari_slicewise.io.outputs import is_zarr_name, open_writer
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.tiff_reader import OpenedImage, open_image, open_series

__all__ = ["add_convert"]


def add_convert(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command.

    Parameters
    ----------
    parser
        The command's own parser.
    """
    add = parser.add_argument
    add("input", type=Path, metavar="IN", help="an image file, or a folder that holds one")
    add(
        "output",
        type=Path,
        metavar="OUT",
        help="ends in .ome.tif (OME-TIFF), .tif (ImageJ) or .ome.zarr (OME-Zarr)",
    )
    add("--series", type=int, metavar="N", help="image of the file, counted from 0")
    add(
        "--zarr-version",
        default="0.5",
        choices=("0.4", "0.5"),
        help="version of OME-Zarr (default: 0.5)",
    )
    add("--quiet", action="store_true", help="print nothing but errors")
    parser.set_defaults(run=run_convert)


def run_convert(options: argparse.Namespace) -> int:
    """Convert one image; its labels go along where the output has room for them.

    Returns
    -------
    int
        0; failures are raised.

    Raises
    ------
    SlicewiseError
        When the input cannot be read or the output cannot be written.
    """
    began = time.monotonic()
    source, target = options.input, options.output
    chosen = options.series
    images = open_series(source) if chosen is None else [open_image(source, chosen)]
    first = images[0]
    for sentence in first.info.warnings:
        print(f"slicewise: {source.name}: {sentence}.", file=sys.stderr)
    _convert(first, target, options)
    labels = _labels_of(images) if chosen is None and is_zarr_name(target) else []
    for image in labels:
        _convert(image, target / "labels" / image.info.series_name, options)
    left = sum(entry.is_scene for entry in first.info.listing) - 1 - len(labels)
    if left > 0 and chosen is None:
        print(f"slicewise: {left} more in {source.name}: see --series", file=sys.stderr)
    if not options.quiet:
        print(f"{target}: {_shape(first)} in {time.monotonic() - began:.1f} s")
    return 0


def _labels_of(images: list[OpenedImage]) -> list[OpenedImage]:
    """Return the labels that follow the first image, before the next."""
    if images[0].info.is_labels:
        return []
    count = next((i for i, image in enumerate(images[1:]) if not image.info.is_labels), None)
    return images[1:] if count is None else images[1 : count + 1]


def _convert(image: OpenedImage, target: Path, options: argparse.Namespace) -> None:
    """Write one image slice by slice."""
    info, order = image.info, _written_order(image)
    axes = dict(zip((a.name for a in info.axes), info.axes, strict=True))
    names = [info.axis_names[position] for position in order if not _is_color(image, position)]
    sizes = dict(zip(info.axis_names, info.shape, strict=True))
    picture = Picture(
        axes=tuple(axes.get(name) or Axis(name, sizes[name]) for name in names),
        kind="labels" if info.is_labels else "image",
        channels=() if info.rgb else info.channels,
        rgb=sizes["c"] if info.rgb else 0,
        provenance=_provenance(image),
        objects=info.objects,
    )
    leading = picture.shape[: len(names) - 2]
    inputs = member_files(options.input)
    version = options.zarr_version
    with (
        open_writer(target, picture, np.dtype(info.dtype), inputs, version) as writer,
        tqdm(
            total=int(np.prod(leading)),
            desc=target.name,
            unit="slice",
            disable=True if options.quiet else None,  # None: only on a terminal
            leave=False,
        ) as bar,
    ):
        for index in np.ndindex(*leading):
            writer.write(index, _slice(image, order, index))
            bar.update()


def _is_color(image: OpenedImage, position: int) -> bool:
    return image.info.rgb and position == image.info.channel_axis


def _written_order(image: OpenedImage) -> list[int]:
    """Return the order in which axes are written: rows and columns last, then colours."""
    plane, channel = image.info.plane, image.info.channel_axis
    last = [*plane, *([channel] if image.info.rgb and channel is not None else [])]
    return [position for position in range(len(image.info.shape)) if position not in last] + last


def _slice(image: OpenedImage, order: list[int], index: tuple[int, ...]) -> NDArray[Any]:
    """Read a slice, its axes in the order in which they are written."""
    keys: list[int | slice] = [slice(None)] * len(order)
    for axis, position in zip(order, index, strict=False):
        keys[axis] = position
    block = np.asarray(image.data[tuple(keys)])
    inner = order[len(index) :]
    return block.transpose([sorted(inner).index(axis) for axis in inner])


def _provenance(image: OpenedImage) -> dict[str, Any]:
    """Keep what our own files say of how they were made."""
    noted = image.info.metadata.get("slicewise")
    kept = noted.get("provenance") if isinstance(noted, dict) else None
    return dict(kept) if isinstance(kept, dict) else {}


def _shape(image: OpenedImage) -> str:
    return " x ".join(str(n) for n in image.info.shape)
