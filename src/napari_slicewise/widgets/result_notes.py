"""What a result is called, and what its layer says of how it was made."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image

from napari_slicewise import __version__
from napari_slicewise.inference.request import Request, RunReport
from napari_slicewise.io.source import ArraySource, SliceIndex

__all__ = ["described", "layer_name", "parameters_of"]


def described(
    image: Image,
    source: ArraySource,
    request: Request,
    report: RunReport,
    done: Collection[SliceIndex],
    written: Collection[SliceIndex],
) -> dict[str, Any]:
    """Describe a result in what JSON can hold.

    Parameters
    ----------
    image, source
        The image, and its slices.
    request, report
        The latest run.
    done
        The slices that any run has written.
    written
        Those of the latest run; the others are of earlier ones.
    """
    description = {
        "plugin": "napari-slicewise",
        "plugin_version": __version__,
        "image": image.name,
        "image_path": None if image.source.path is None else str(image.source.path),
        "plane": list(source.plane),
        "channel_axis": source.channel_axis,
        "channel": source.channel,
        "parameters": parameters_of(request),
        "outcome": report.outcome,
        "message": report.message,
        "fallbacks": list(report.fallbacks),
        "slices": [list(index) for index in sorted(done)],
        "slices_of_this_run": [list(index) for index in sorted(written)],
        "seconds": round(report.seconds, 3),
        "seconds_per_slice": round(report.seconds / max(report.slices, 1), 4),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return {**description, **_plain(report.details)}


def parameters_of(request: Request) -> dict[str, Any]:
    """Return what a run was asked for, but for its slices, in what JSON can hold."""
    parameters = asdict(replace(request, indices=((),)))
    del parameters["indices"]
    return dict(_plain(parameters))


def layer_name(image: Image, request: Request, earlier: Sequence[Request]) -> str:
    """Name a layer after its image, and after what tells it from the earlier ones."""
    words = [image.name, request.output]
    if any(other.objects.threshold != request.objects.threshold for other in earlier):
        words.append(f"at {request.objects.threshold:g}")
    if any(other.model != request.model for other in earlier):
        words.append(f"by {Path(request.model).stem}")
    return " ".join(words)


def _plain(value: Any) -> Any:
    """Return what JSON can hold."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, str | int | float | bool | None) else str(value)
