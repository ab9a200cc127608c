"""``slicewise segment``: files in, label files out."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from napari_slicewise.api import SegmentRun, load_model, read_image
from napari_slicewise.cli_request import objects_of, request_of, result_picture
from napari_slicewise.cli_tables import notes_of, open_table, write_objects_csv
from napari_slicewise.cluster import ClusterRun
from napari_slicewise.errors import RequestError, SlicewiseError
from napari_slicewise.inference.blocks import BlockWork
from napari_slicewise.inference.dask_client import connect
from napari_slicewise.inference.loading import LoadedModel
from napari_slicewise.inference.request import Request, RunReport
from napari_slicewise.inference.resume import ResumableRun
from napari_slicewise.inference.resume_in_rounds import RoundsRun, needs_rounds
from napari_slicewise.io.batch_record import BatchRecord
from napari_slicewise.io.members import member_files
from napari_slicewise.io.outputs import check_place, is_zarr_name, open_writer
from napari_slicewise.io.result_names import pair_with_results
from napari_slicewise.io.run_table import RunRow, RunTable
from napari_slicewise.io.source import ArraySource
from napari_slicewise.io.tiff_reader import OpenedImage
from napari_slicewise.io.zarr_resumable import ResumableZarrWriter
from napari_slicewise.models.consent import trust
from napari_slicewise.run_identity import run_identity

__all__ = ["run_segment"]

_STORED = {"labels": "uint32", "classes": "uint8", "probability": "float32"}


@dataclass(frozen=True)
class _Job:
    """One image, where its result goes, and what must survive that."""

    source: Path
    out: Path
    members: Sequence[Path]
    protected: Sequence[Path]


@dataclass(frozen=True)
class _Session:
    """What all images of a command share."""

    model: LoadedModel
    options: argparse.Namespace
    batch: BatchRecord
    client: Any


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
    objects_of(options)  # what is impossible for any image is said once, before a model is read
    pairs = pair_with_results(options.inputs, options.out)
    for sha256 in options.trust_code:
        trust(sha256)
    model = load_model(options.model)
    jobs = _jobs(pairs, model)
    for job in jobs:
        check_place(job.out, job.protected)
    several = len(jobs) > 1
    place = options.report or (options.out / "report.csv" if several else None)
    table = open_table(
        place,
        [path for job in jobs for path in job.protected],
        [job.out for job in jobs],
        objects=options.objects,
    )
    batch = BatchRecord(options.out if several else None, restart=options.restart)
    with _cluster(jobs, options) as client:
        rows = _segment_all(jobs, _Session(model, options, batch, client), table)
    done, failed = (sum(row.status == word for row in rows) for word in ("done", "failed"))
    if several:
        _say(f"{done} of {done + failed} images segmented into {options.out}", options)
    if not failed:
        batch.finish()
    return 1 if failed else 0


def _segment_all(jobs: Sequence[_Job], session: _Session, table: RunTable | None) -> list[RunRow]:
    rows: list[RunRow] = []
    covered: set[Path] = set()
    for job in jobs:
        if job.source.resolve() in covered:
            why = "part of an image that is done already"
            _say(f"{job.source}: {why}", session.options)
            row = RunRow(str(job.source), str(job.out), "skipped", error=why)
        else:
            row = _segment_or_fail(job, session)
            covered.update(path.resolve() for path in job.members if len(jobs) > 1)
        rows.append(row)
        if table is not None:
            table.add(row)
    return rows


def _cluster(jobs: Sequence[_Job], options: argparse.Namespace) -> AbstractContextManager[Any]:
    """Return the client of a cluster, None where none is asked for."""
    if options.workers is None and options.scheduler is None:
        return nullcontext()
    for job in jobs:
        if not is_zarr_name(job.out):
            raise RequestError(
                f"Several workers cannot write {job.out.name}.",
                "Give an output that ends in .ome.zarr.",
            )
    return connect(options.scheduler, options.workers)


def _jobs(pairs: Sequence[tuple[Path, Path]], model: LoadedModel) -> list[_Job]:
    members = {source: member_files(source) for source, _ in pairs}
    everything = [model.path, *chain.from_iterable(members.values())]

    def protected(source: Path, out: Path) -> Sequence[Path]:
        """Where nothing is yet, nothing of another input can be lost; in a zarr folder it can."""
        return everything if out.exists() or is_zarr_name(out) else (model.path, *members[source])

    return [_Job(source, out, members[source], protected(source, out)) for source, out in pairs]


def _segment_or_fail(job: _Job, session: _Session) -> RunRow:
    """Segment an image, or say why not."""
    began, options = time.monotonic(), session.options
    try:
        with read_image(job.source, options.series) as opened:
            request = request_of(opened, opened.source(options.channel), session.model, options)
            identity = run_identity(options, request, session.model, job.members, job.out)
            before = session.batch.row_of(identity, job.out)
            row = before or _segment_image(opened, request, job, session, identity)
            if options.objects and request.output == "labels":
                write_objects_csv(job.out)
            if before is not None:
                _say(f"{job.out}: done by an earlier run", options)
                return before
        row = replace(row, seconds=round(time.monotonic() - began, 2))
        session.batch.add(identity, job.out, row)
    except (SlicewiseError, OSError) as error:
        print(f"slicewise: {job.source}: {error}", file=sys.stderr)
        seconds = round(time.monotonic() - began, 2)
        return RunRow(str(job.source), str(job.out), "failed", seconds=seconds, error=str(error))
    plural = "s" if row.slices != 1 else ""
    resumed = f" ({row.resumed} were there)" if row.resumed else ""
    _say(
        f"{job.out}: {row.slices} slice{plural}{resumed} in {row.seconds:.1f} s on {row.device}",
        options,
    )
    return row


def _segment_image(
    opened: OpenedImage,
    request: Request,
    job: _Job,
    session: _Session,
    identity: Mapping[str, Any],
) -> RunRow:
    model, options = session.model, session.options
    source = opened.source(options.channel)
    dtype = _STORED[request.output]
    picture, resumed = result_picture(opened, source, request, model), 0
    if is_zarr_name(job.out):
        with ResumableZarrWriter(
            job.out, picture, dtype, identity, job.protected, restart=options.restart
        ) as file:
            run = _zarr_run(request, source, file, job, session)
            resumed = run.there
            with _saying_what_is_kept(run, file, options):
                details, fallbacks = _drain(run, len(request.indices), options)
                file.describe(*notes_of(details, job.source.name))
    else:
        with open_writer(job.out, picture, dtype, inputs=job.protected) as writer:
            plain = SegmentRun(request, source, model)
            with _progress(len(request.indices), 0, options) as advance:
                for result in plain:
                    writer.write(result.index, result.values, result.confidence)
                    advance()
            details, fallbacks = _outcome(plain.report)
            writer.describe(*notes_of(details, job.source.name))
    return RunRow(
        str(job.source),
        str(job.out),
        "done",
        slices=len(request.indices),
        resumed=resumed,
        objects=details.get("objects"),
        device=details.get("device", ""),
        precision=details.get("precision", ""),
        fallbacks=" ".join(fallbacks),
    )


def _zarr_run(
    request: Request,
    source: ArraySource,
    file: ResumableZarrWriter,
    job: _Job,
    session: _Session,
) -> ResumableRun | ClusterRun:
    model, options = session.model, session.options
    if session.client is None:
        kind = RoundsRun if needs_rounds(request) else ResumableRun
        return kind(request, source, model, file)
    threads = options.threads
    if threads is None and options.scheduler is None:
        threads = max(1, (os.cpu_count() or 1) // options.workers)
    work = BlockWork(
        image=str(job.source.resolve()),
        series=options.series,
        channel=options.channel,
        model=str(model.path.resolve()),
        sha256=model.sha256,
        request=request,
        picture=file.picture,
        threads=threads,
    )
    return ClusterRun(session.client, work, file)


def _drain(
    run: ResumableRun | ClusterRun, total: int, options: argparse.Namespace
) -> tuple[Mapping[str, Any], Sequence[str]]:
    with _progress(total, run.there, options) as advance:
        for _ in run:
            advance()
    return _outcome(run.report)


def _outcome(report: RunReport | None) -> tuple[Mapping[str, Any], Sequence[str]]:
    return (report.details, report.fallbacks) if report else ({}, ())


@contextmanager
def _saying_what_is_kept(
    run: ResumableRun | ClusterRun, file: ResumableZarrWriter, options: argparse.Namespace
) -> Iterator[None]:
    """Say at the start what is there already, and at an early end what is kept."""
    total = len(run.request.indices)
    if run.there:
        _say(f"{file.path}: resuming: {run.there} of {total} slices are there", options)
    try:
        yield
    except BaseException:
        if run.there:
            kept = f"{run.there} of {total} slices are kept"
            print(
                f"slicewise: {file.path}: {kept}; the same command goes on after them",
                file=sys.stderr,
            )
        raise


def _say(text: str, options: argparse.Namespace) -> None:
    """Print a line, unless asked not to; a reader that has gone away stops no work."""
    if not options.quiet:
        with suppress(BrokenPipeError):
            print(text, flush=True)


@contextmanager
def _progress(total: int, there: int, options: argparse.Namespace) -> Iterator[Callable[[], Any]]:
    """Draw a progress bar on a terminal; elsewhere nothing."""
    from tqdm import tqdm  # a dependency of napari's

    with tqdm(
        total=total,
        initial=there,
        unit="slice",
        disable=True if options.quiet else None,  # None: only on a terminal
        leave=False,
    ) as bar:
        yield bar.update
