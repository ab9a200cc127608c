"""``slicewise segment``: files in, label files out."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from napari_slicewise.api import SegmentRun, load_model, read_image
from napari_slicewise.errors import OutputError, RequestError, SlicewiseError
from napari_slicewise.inference.loading import LoadedModel
from napari_slicewise.inference.request import Request
from napari_slicewise.io.atomic_file import explain_output
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.members import member_files
from napari_slicewise.io.outputs import check_place, is_zarr_name, open_writer
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.source import ArraySource, SliceIndex
from napari_slicewise.io.tiff_reader import SUFFIXES, OpenedImage
from napari_slicewise.io.zarr_reader import is_ome_zarr

__all__ = ["run_segment"]

_STORED: dict[str, tuple[str, Literal["labels", "image"]]] = {
    "labels": ("uint32", "labels"),
    "classes": ("uint8", "labels"),
    "probability": ("float32", "image"),
}


def run_segment(options: argparse.Namespace) -> int:
    """Segment each input; a bad one is reported and the others go on.

    Returns
    -------
    int
        0 when all went well, else 1.

    Raises
    ------
    SlicewiseError
        When nothing can be done at all: no model, no input, an impossible output.
    """
    jobs = _jobs(options.inputs, options.out)
    model = load_model(options.model)
    members = {source: member_files(source) for source, _ in jobs}
    everything = [model.path, *chain.from_iterable(members.values())]

    def protected(source: Path, out: Path) -> Sequence[Path]:
        """Where nothing is yet, nothing of another input can be lost; in a zarr folder it can."""
        return everything if out.exists() or is_zarr_name(out) else (model.path, *members[source])

    for source_path, out_path in jobs:
        check_place(out_path, protected(source_path, out_path))
    done, failed, covered = 0, 0, set[Path]()
    for source_path, out_path in jobs:
        if source_path.resolve() in covered:
            _say(f"{source_path}: part of an image that is done already", options)
            continue
        try:
            inputs = protected(source_path, out_path)
            _segment_file(source_path, out_path, model, options, inputs)
            done += 1
        except SlicewiseError as error:
            failed += 1
            print(f"slicewise: {source_path}: {error}", file=sys.stderr)
        if len(jobs) > 1:
            covered.update(path.resolve() for path in members[source_path])
    if len(jobs) > 1:
        _say(f"{done} of {done + failed} images segmented into {options.out}", options)
    return 1 if failed else 0


def _say(text: str, options: argparse.Namespace) -> None:
    """Print a line, unless asked not to; a reader that has gone away stops no work."""
    if not options.quiet:
        with suppress(BrokenPipeError):
            print(text, flush=True)


def _jobs(inputs: Iterable[Path], out: Path) -> list[tuple[Path, Path]]:
    """Pair each input with its output, and refuse outputs that would collide."""
    inputs = list(inputs)
    with explain_output(out):
        return _paired(inputs, out)


def _paired(inputs: list[Path], out: Path) -> list[tuple[Path, Path]]:
    files = [file for path in inputs for file in _expand(path)]
    into_folder = len(files) > 1 or _is_folder(inputs[0]) or _is_folder(out)
    if not into_folder:
        return [(files[0], out)]
    if out.exists() and not _is_folder(out):
        raise OutputError(
            f"{out} is a file, and {len(files)} results need a folder.", "Name a folder with -o."
        )
    jobs = [(file, out / _result_name(file)) for file in files]
    names = [target.name.casefold() for _, target in jobs]
    for name in names:
        if names.count(name) > 1:
            raise OutputError(
                f"Two inputs would both be written to {out / name}.",
                "Segment them into different folders.",
            )
    out.mkdir(parents=True, exist_ok=True)
    return jobs


def _is_folder(path: Path) -> bool:
    """Whether a path is a folder of images, and not an image that is stored as a folder."""
    return path.is_dir() and not is_zarr_name(path) and not is_ome_zarr(path)


def _expand(path: Path) -> list[Path]:
    if not _is_folder(path):
        return [path]
    files = [file for file in path.iterdir() if file.name.lower().endswith(SUFFIXES)]
    files += [folder for folder in path.iterdir() if is_ome_zarr(folder)]
    if not files:
        raise RequestError(f"There is no TIFF file or OME-Zarr folder in {path}.")
    return sorted(files)


def _result_name(path: Path) -> str:
    kept = (".tif", ".tiff", ".zarr")
    return path.name if path.name.lower().endswith(kept) else f"{path.stem}.ome.tif"


def _segment_file(
    path: Path,
    out: Path,
    model: LoadedModel,
    options: argparse.Namespace,
    protected: Sequence[Path],
) -> None:
    began = time.monotonic()
    with read_image(path, options.series) as opened:
        channel = options.channel
        source = opened.source(channel)
        request = Request(
            model=model.spec.name,
            indices=_chosen(tuple(source.indices()), source.leading_shape, options.slices),
            output=options.output,
            threshold=options.threshold,
            split=not options.no_split,
            link=not options.no_link,
            smallest=options.smallest,
            device=options.device,
            precision=options.precision,
            intensity_range=options.intensity_range,
        )
        dtype, kind = _STORED[request.output]
        picture = Picture(_axes(opened, source), kind)
        with (
            open_writer(out, picture, dtype, inputs=protected) as file,
            _progress(len(request.indices), path.name, quiet=options.quiet) as advance,
        ):
            run = SegmentRun(request, source, model)
            for result in run:
                file.write(result.index, result.values)
                advance()
            file.describe(_provenance(run, path))
    seconds = time.monotonic() - began
    count = len(request.indices)
    plural = "s" if count != 1 else ""
    device = run.report.details["device"] if run.report else ""
    _say(f"{out}: {count} slice{plural} in {seconds:.1f} s on {device}", options)


def _axes(opened: OpenedImage, source: ArraySource) -> tuple[Axis, ...]:
    """Return the axes of the result: those that slices are counted along, rows and columns."""
    axes = iter(opened.info.axes)
    all_axes = [None if name == "c" else next(axes) for name in opened.info.axis_names]
    kept = (all_axes[position] for position in (*source.leading_axes, *source.plane))
    return tuple(axis for axis in kept if axis is not None)


def _provenance(run: SegmentRun, path: Path) -> dict[str, Any]:
    details = dict(run.report.details) if run.report else {}
    return {**details, "image": path.name}


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


@contextmanager
def _progress(total: int, title: str, *, quiet: bool) -> Iterator[Any]:
    """Draw a progress bar on a terminal; elsewhere nothing."""
    from tqdm import tqdm  # a dependency of napari's

    with tqdm(
        total=total,
        desc=title,
        unit="slice",
        disable=True if quiet else None,  # None: only on a terminal
        leave=False,
    ) as bar:
        yield bar.update
