"""Who runs in stack.py: the tutorial's loop, ours with each engine, and the bare networks."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile
import torch
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_slicewise.api import SegmentRun, read_image
from napari_slicewise.inference.device import LocalDevices
from napari_slicewise.inference.loading import LoadedModel, load_model_file
from napari_slicewise.inference.request import Engine, Precision, Request, RunReport
from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.io.tiff_writer import LabelsWriter
from napari_slicewise.models.checkpoint import read_checkpoint, write_checkpoint
from napari_slicewise.models.zoo import resolve_model

Contestant = Callable[[Path, Path], None]

_REPORTS: dict[str, RunReport] = {}


class FixedEngine(LocalDevices):
    """The processor, with the engine that is to be measured."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def engine(self, _device: str, _precision: Precision) -> Engine:
        """Return the engine under test."""
        return self._engine


def draw(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Draw bright discs of 6 to 12 px radius on a dark ground, blurred, with noise."""
    rng = np.random.default_rng(0)
    slices, rows, columns = shape
    stack = np.empty(shape, np.uint8)
    for z in range(slices):
        plane = np.full((rows, columns), 15.0, np.float32)
        for _ in range(rows * columns // 1500):
            radius, light = rng.uniform(6, 12), rng.uniform(80, 220)
            y, x = int(rng.integers(rows)), int(rng.integers(columns))
            part = np.s_[max(0, y - 12) : y + 13, max(0, x - 12) : x + 13]
            yy, xx = np.mgrid[:rows, :columns][:, *part]
            plane[part][np.hypot(yy - y, xx - x) < radius] = light
        plane = ndi.gaussian_filter(plane, 1.5) + rng.normal(0, 6, plane.shape)
        stack[z] = plane.clip(0, 255)
    return stack


def make_model(folder: Path, filters: int) -> LoadedModel:
    """Write and load the nuclei model with so many first filters, for values over 255."""
    checkpoint = read_checkpoint(resolve_model("nuclei"))
    times = filters // checkpoint.spec.first_filters
    state = {key: widen(key, value, times) for key, value in checkpoint.state.items()}
    spec = replace(
        checkpoint.spec,
        name=f"nuclei{filters}",
        first_filters=filters,
        normalization="divide_by_255",
    )
    path = folder / f"nuclei{filters}.safetensors"
    write_checkpoint(path, state, spec)
    return load_model_file(path)


def widen(key: str, value: torch.Tensor, times: int) -> torch.Tensor:
    """Repeat filters; the layers after them take each by its share."""
    if value.ndim == 0:
        return value
    if value.ndim == 1:
        return value if key.startswith("outputs") else value.repeat_interleave(times, 0)
    into, out = (0, 1) if ".up." in key else (1, 0)  # transposed convolutions count them so
    if not key.startswith("e1.conv.conv1"):
        value = value.repeat_interleave(times, into) / times
    return value if key.startswith("outputs") else value.repeat_interleave(times, out)


def tutorial(model: LoadedModel) -> Contestant:
    """Return the loop that a tutorial would write."""
    network = model.network

    def predict(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            return torch.sigmoid(network(torch.from_numpy(plane)))[0, 0].numpy()

    return slice_by_slice(predict)


def slice_by_slice(
    predict: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> Contestant:
    """Read a stack, map each slice ``(1, 1, y, x)`` to a probability, threshold, write."""

    def run(image: Path, out: Path) -> None:
        stack = tifffile.imread(image)
        masks = np.zeros(stack.shape, np.uint8)
        for z, plane in enumerate(stack):
            masks[z] = predict((plane.astype(np.float32) / 255)[None, None]) > 0.5
        tifffile.imwrite(out, masks, compression="zlib")

    return run


def ours(model: LoadedModel, engine: Engine, precision: Precision) -> Contestant:
    """Return our engine, as ``slicewise segment --output classes`` runs it."""

    def run(image: Path, out: Path) -> None:
        with read_image(image) as opened:
            source = opened.source()
            request = Request(
                model.spec.name,
                tuple(source.indices()),
                output="classes",
                objects=ObjectOptions(threshold=0.5),
                precision=precision,
            )
            run = SegmentRun(request, source, model, FixedEngine(engine))
            with LabelsWriter(out, opened.info.axes, np.uint8) as writer:
                for result in run:
                    writer.write(result.index, result.values)
        if run.report is not None:
            _REPORTS[f"{engine} {precision}"] = run.report

    return run


def bare(
    model: LoadedModel, engine: Engine, precision: Precision, options: argparse.Namespace
) -> Contestant:
    """Return the network that :func:`ours` has prepared, without everything around it."""
    tile = draw((1, options.side, options.side)).astype(np.float32)[None] / 255

    def run(_image: Path, _out: Path) -> None:
        used = _REPORTS[f"{engine} {precision}"].details["precision"]
        backend = model.backend("cpu", used, engine)
        for _ in range(options.slices):
            backend.predict(tile)

    return run


def checks() -> str:
    """Say what the checks of int8 found, and what did not run as it should."""
    lines = []
    for name, report in _REPORTS.items():
        said = report.details["precision_check"]
        if said or report.fallbacks:
            lines.append(f"{name}: {'; '.join(filter(None, (said, *report.fallbacks)))}.")
    return "\n".join(lines)
