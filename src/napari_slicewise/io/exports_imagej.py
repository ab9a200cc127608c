"""Objects as a set of ImageJ regions (.zip), for the ROI Manager."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_slicewise.errors import OutputError
from napari_slicewise.io.atomic_file import check_output, replacing
from napari_slicewise.io.outlines import Outline, slice_outlines
from napari_slicewise.io.source import ArraySource, SliceIndex

__all__ = ["write_imagej_rois"]


def write_imagej_rois(
    path: Path, labels: ArraySource, *, inputs: Sequence[str | os.PathLike[str]] = ()
) -> Path:
    """Write one region an object and slice, with its position in the stack.

    Objects of one piece without holes become traced regions, others composite ones. The
    outlines run along the edges of the pixels.

    Parameters
    ----------
    path
        The file, ``.zip``.
    labels
        The labels; the last leading axis is taken for z, the one before for time.
    inputs
        Files that must survive.

    Raises
    ------
    OutputError
        When the file cannot be written, or the library for it is missing.
    """
    try:
        from roifile import roiwrite
    except ImportError as error:
        raise OutputError(
            "ImageJ regions need the package roifile.", "Install it: pip install roifile"
        ) from error
    if path.suffix.lower() != ".zip":
        raise OutputError(f"{path.name} is no name for a set of regions.", "Let it end in .zip.")
    check_output(path, inputs)
    with replacing(path) as temporary:
        regions = (
            _region(number, pieces, index)
            for index in labels.indices()
            for number, pieces in slice_outlines(labels.read_slice(index)[0])
        )
        roiwrite(temporary, regions, mode="w")
    return path


def _region(number: int, pieces: list[Outline], index: SliceIndex) -> Any:
    from roifile import ROI_TYPE, ImagejRoi

    z, t = (index[-1] if index else None), (index[-2] if len(index) > 1 else None)
    name = "-".join([f"{number:05d}", *(f"{i + 1:04d}" for i in index)])
    points = np.concatenate([piece.shell for piece in pieces])
    region = ImagejRoi.frompoints(points, name=name, z=z, t=t)
    if t is None and z is not None:
        region.position = z + 1  # a plain stack knows slices only by their place
    region.left, region.top = (int(n) for n in points.min(axis=0))
    region.right, region.bottom = (int(n) for n in points.max(axis=0))
    if len(pieces) == 1 and not pieces[0].holes:
        region.roitype = ROI_TYPE.TRACED
        return region
    path: list[float] = []
    for ring in (ring for piece in pieces for ring in (piece.shell, *piece.holes)):
        for place, (x, y) in enumerate(ring.tolist()):
            path += [1 if place else 0, x, y]  # a line, or a new ring
        path.append(4)  # close the ring
    region.roitype = ROI_TYPE.RECT
    region.n_coordinates = 0
    region.integer_coordinates = None
    region.multi_coordinates = np.array(path, np.float32)
    region.shape_roi_size = len(path)
    return region
