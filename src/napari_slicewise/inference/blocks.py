"""What the workers of a cluster do: blocks of slices, from the image to the store themselves.

Every task may be done twice, for a worker can be lost after its work and before its
answer: it writes the same bytes to the same chunks.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.errors import ModelError, RequestError
from napari_slicewise.inference.device import LocalDevices
from napari_slicewise.inference.loading import LoadedModel, load_model_file
from napari_slicewise.inference.local_slices import write_locally
from napari_slicewise.inference.node import check_worker, use_threads
from napari_slicewise.inference.normalize import IntensityRange
from napari_slicewise.inference.plan import Plan, resolve
from napari_slicewise.inference.prepare import SlicePreparer
from napari_slicewise.inference.request import Request
from napari_slicewise.inference.resume import pin
from napari_slicewise.inference.runner import Runner
from napari_slicewise.inference.stream import CancelToken
from napari_slicewise.instances.link import Index, Links, find_links
from napari_slicewise.io.local_labels import LocalLabels
from napari_slicewise.io.opened_image import OpenedImage
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.source import ArraySource, SliceIndex
from napari_slicewise.io.tiff_reader import open_image
from napari_slicewise.io.zarr_levels import StoredSlice, open_levels

__all__ = [
    "BlockWork",
    "Probe",
    "Segmented",
    "link_block",
    "number_block",
    "probe",
    "segment_block",
]

_ONE_AT_A_TIME = threading.Lock()
"""A network serves one thread; a worker with several threads reads and writes with the others."""


@dataclass(frozen=True)
class BlockWork:
    """All that a worker must know; paths are those that every worker sees.

    Parameters
    ----------
    image, series, channel
        What to read.
    model, sha256
        The file of weights, and which it must be.
    request
        What to do; pinned but for the probe.
    picture, store, local
        What is written, where the result is built, and where the local labels are.
    alive
        A file that the client removes to stop its workers.
    threads
        Of the network in each worker; None leaves it to the engine.
    engine
        What must run the network; empty for any.
    version
        Of this package, where the work is given out.
    intensities
        The range of the whole stack.
    """

    image: str
    series: int
    channel: int | None
    model: str
    sha256: str
    request: Request
    picture: Picture
    store: str = ""
    local: str = ""
    alive: str = ""
    threads: int | None = None
    engine: str = ""
    version: str = field(default_factory=lambda: version("napari-slicewise"))
    intensities: IntensityRange | None = None

    def of(self, block: Sequence[SliceIndex]) -> BlockWork:
        """Return the work on some of the slices: what is sent to a worker stays small."""
        return replace(self, request=replace(self.request, indices=tuple(block)))

    @property
    def shared(self) -> tuple[str, ...]:
        """The paths that a worker must see before it begins."""
        return tuple(path for path in (self.image, self.model, self.store) if path)

    @property
    def stopped(self) -> bool:
        """Whether nobody waits for the result any more."""
        return not Path(self.alive).exists()


@dataclass(frozen=True)
class Segmented:
    """What became of a block: its slices, and what had to be done otherwise than planned."""

    slices: Sequence[Any]  # LocalSlice or StoredSlice
    fallbacks: Sequence[str]


@dataclass(frozen=True)
class Probe:
    """What a worker found out for all: how to run, the range of intensities, for the report."""

    pins: dict[str, Any]
    intensities: IntensityRange | None
    details: dict[str, Any]


def probe(work: BlockWork, pins: Mapping[str, Any] | None) -> Probe:
    """Decide what ``auto`` means here, unless it is decided, and measure the intensities.

    Raises
    ------
    SlicewiseError
        When the worker sees no such image or model, or cannot run it.
    """
    check_worker(work.version, work.shared)
    use_threads(work.threads)
    model, source = _model(work), _source(work)
    pins = dict(pins or pin(_plan(work.request, model, source)))
    request = pinned(work.request, pins)
    plan = _plan(request, model, source)
    known = SlicePreparer(plan, source, CancelToken()).stack_range
    runner = Runner(request, source, model, LocalDevices(), CancelToken())
    return Probe(pins, known, runner.report().details)


def pinned(request: Request, pins: Mapping[str, Any]) -> Request:
    """Return a request with nothing left open that would change the result."""
    return replace(
        request,
        device=pins["device"],
        precision=pins["precision"],
        tile=pins["tile"],
        batch=pins["batch"],
    )


def segment_block(work: BlockWork) -> Segmented:
    """Segment some slices, and write labels to the work array, anything else to the result.

    Raises
    ------
    SlicewiseError
        When the image cannot be read, the result cannot be written, or this worker
        cannot run as the others do.
    """
    with _ONE_AT_A_TIME:
        check_worker(work.version, work.shared)
        use_threads(work.threads)
        model, source = _model(work), _source(work)
        request = replace(work.request, objects=work.request.objects.alone())
        if work.engine and _plan(request, model, source).engine != work.engine:
            raise RequestError(
                f"A worker has no {work.engine}, which others have.",
                "Install the same on all of them.",
            )
        runner = Runner(
            request,
            source,
            model,
            LocalDevices(),
            CancelToken(),
            intensities=work.intensities,
        )
        if request.output == "labels":
            written: Sequence[Any] = list(
                write_locally(LocalLabels(Path(work.local)), _results(work, runner))
            )
        else:
            levels = open_levels(Path(work.store), work.picture)
            written = [levels.write(done.index, done.values) for done in _results(work, runner)]
        return Segmented(written, runner.report().fallbacks)


def link_block(work: BlockWork, following: Sequence[SliceIndex]) -> Links:
    """Find the links between objects of some slices, and with the first ones that follow.

    Parameters
    ----------
    work
        On some slices in a row.
    following
        The slices after them, as many as links reach over.
    """
    local = LocalLabels(Path(work.local))
    slices = {index: local.read(index) for index in (*work.request.indices, *following)}
    return find_links(slices, work.request.links)


def number_block(
    work: BlockWork, tables: Mapping[Index, NDArray[np.uint32]]
) -> list[tuple[StoredSlice, int]]:
    """Give the objects of some slices the numbers of the stack, and write the result.

    Returns
    -------
    list
        What was written, with the largest number in each slice.
    """
    local = LocalLabels(Path(work.local))
    levels = open_levels(Path(work.store), work.picture)
    written = []
    for index, table in tables.items():
        if work.stopped:
            break
        stored = levels.write(index, table[local.read(index)])
        written.append((stored, int(table.max(initial=0))))
    return written


def _results(work: BlockWork, runner: Runner) -> Any:
    """Iterate over results until nobody waits for them."""
    results = runner.results()
    try:
        for done in results:
            if work.stopped:
                return
            yield done
    finally:
        results.close()


def _plan(request: Request, model: LoadedModel, source: ArraySource) -> Plan:
    return resolve(request, model.spec, source, LocalDevices())


@lru_cache(maxsize=1)
def _load(path: str, sha256: str) -> LoadedModel:
    model = load_model_file(Path(path))
    if model.sha256 != sha256:
        raise ModelError(
            f"A worker finds another model in {path}.", "Give all of them the same files."
        )
    return model


def _model(work: BlockWork) -> LoadedModel:
    return _load(work.model, work.sha256)


def _source(work: BlockWork) -> ArraySource:
    return _open(work.image, work.series, work.alive).source(work.channel)


@lru_cache(maxsize=1)
def _open(path: str, series: int, _run: str) -> OpenedImage:
    """Open an image once a run."""
    return open_image(path, series)
