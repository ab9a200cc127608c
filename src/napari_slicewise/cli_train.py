"""``slicewise train``: labelled images in, a model out."""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from napari_slicewise.errors import OutputError, RequestError
from napari_slicewise.io.atomic_file import check_output, explain_output
from napari_slicewise.models.zoo import resolve_model
from napari_slicewise.training.labelled_files import LabelMeaning, annotations_of, pair_files
from napari_slicewise.training.learner import Learner
from napari_slicewise.training.request import LearnReport, LearnRequest
from napari_slicewise.training.threads import use_threads

__all__ = ["run_train"]

_SUFFIX = ".safetensors"
_STATE_SUFFIX = ".training"
_SAVE_S = 30.0
_SAY_S = 10.0
_COLUMNS = ("step", "seconds", "loss", "validation", "best", "message")


def run_train(options: argparse.Namespace) -> int:
    """Train a model.

    Parameters
    ----------
    options
        As ``cli_learning`` reads them.

    Returns
    -------
    int
        0; a training that diverged ends with 1, after its last good weights are written.

    Raises
    ------
    SlicewiseError
        When nothing can be learned, or the model cannot be written.
    """
    pairs = pair_files(options.images, options.labels)
    inputs = [path for pair in pairs for path in (pair.image, pair.labels)]
    if options.start is not None:
        inputs.append(resolve_model(options.start))
    state = _check_outputs(options, inputs)
    request = _request(options)
    meaning = LabelMeaning(options.unknown, options.background)
    annotations = list(annotations_of(pairs, meaning, options.channel))

    _use_threads(options.threads)
    learner = Learner(request, annotations)
    if options.resume and state.exists():
        learner.resume(state)
    _say(_describe(learner, len(annotations)), options)
    last = _drive(learner, state, options)
    card = learner.save(options.out)
    with suppress(OSError):  # what is left behind does no harm
        state.unlink(missing_ok=True)
    for what, score in card.scores.items():
        _say(f"{what}: {score:.3f}", options)
    _say(
        f"{options.out}: {last.step} steps in {last.seconds / 60:.1f} min" if last else "", options
    )
    return 1 if last is not None and last.ending == "diverged" else 0


def _drive(learner: Learner, state: Path, options: argparse.Namespace) -> LearnReport | None:
    """Run all steps; the state is saved now and then, and when they are interrupted."""
    last: LearnReport | None = None
    saved = time.monotonic()
    try:
        with _curves(options) as tell:
            for last in learner.steps():
                tell(last)
                if time.monotonic() - saved > _SAVE_S and not last.ending:
                    _save_or_say(learner, state, options)
                    saved = time.monotonic()
    except BaseException:
        if last is not None:
            _save_or_say(learner, state, options)
            kept = f"{last.step} steps are kept"
            print(f"slicewise: {kept}; --resume goes on after them", file=sys.stderr)
        raise
    return last


def _save_or_say(learner: Learner, state: Path, options: argparse.Namespace) -> None:
    """Save the state; a full disk does not end the training."""
    try:
        learner.save_state(state)
    except OutputError as error:
        _say(f"The state could not be saved: {error}", options)


@contextmanager
def _curves(options: argparse.Namespace) -> Iterator[Any]:
    """Give a function that writes the log and says how it goes."""
    from tqdm import tqdm  # a dependency of napari's

    place: Path = options.log or options.out.with_suffix(".csv")
    new = not (options.resume and place.exists())
    with (
        explain_output(place),
        place.open("w" if new else "a", encoding="utf-8", newline="") as file,
        tqdm(
            total=100,
            bar_format="{percentage:3.0f}%|{bar:20}| {desc}",
            disable=True if options.quiet else None,  # None: only on a terminal
        ) as bar,
    ):
        log = csv.writer(file)
        if new:
            log.writerow(_COLUMNS)
        told = time.monotonic()

        def tell(report: LearnReport) -> None:
            nonlocal told
            log.writerow(_row(report))
            bar.n = round(100 * report.seconds / max(report.seconds + report.seconds_left, 1e-9))
            bar.set_description_str(_line(report))
            important = report.message or report.validation is not None or report.ending
            if bar.disable and (important or time.monotonic() - told > _SAY_S):
                _say(_line(report), options)
                told = time.monotonic()
            if important:
                file.flush()

        yield tell


def _row(report: LearnReport) -> tuple[object, ...]:
    def number(value: float | None) -> str:
        return "" if value is None else f"{value:.5f}"

    return (
        report.step,
        f"{report.seconds:.2f}",
        number(report.loss),
        number(report.validation),
        number(report.best),
        report.message,
    )


def _line(report: LearnReport) -> str:
    """Say how it goes: the curves' last values."""
    words = [f"step {report.step}", f"loss {report.loss:.3f}"]
    if report.best is not None:
        words.append(f"best {report.measure} {report.best:.3f}")
        if report.validation is not None:
            words.append(f"now {report.validation:.3f}")
    if report.before is not None:
        words.append(f"before {report.before:.3f}")
    words.append(f"{report.seconds_left / 60:.1f} min left")
    said = ", ".join(words)
    return f"{said}. {report.message}" if report.message else said


def _request(options: argparse.Namespace) -> LearnRequest:
    hold_out = options.hold_out
    return LearnRequest(
        start_from=options.start,
        head=options.head,
        minutes=options.minutes,
        steps=options.steps,
        seed=options.seed,
        first_filters=options.filters,
        patch=options.patch,
        batch=options.batch,
        held_out=None if hold_out is None else tuple(hold_out),
        learning_rate=options.learning_rate,
        device=options.device,
        name=options.name or options.out.stem,
        class_names=tuple(options.class_names),
        memory_mb=options.memory,
    )


def _check_outputs(options: argparse.Namespace, inputs: list[Path]) -> Path:
    """Refuse what would destroy an input or an interrupted training; return the state's place."""
    out: Path = options.out
    if out.suffix.lower() != _SUFFIX:
        raise OutputError(f"{out.name} does not end in {_SUFFIX}.", f"Call it {out.stem}{_SUFFIX}.")
    state = out.with_suffix(_STATE_SUFFIX)
    log: Path = options.log or out.with_suffix(".csv")
    for path in (out, state, log):
        check_output(path, inputs)
    if log.resolve() in (out.resolve(), state.resolve()):
        raise OutputError(
            f"{log} is written by this training for another purpose; it cannot be the log.",
            "Choose another name with --log.",
        )
    if state.exists() and not options.resume:
        raise RequestError(
            f"{state} holds an interrupted training of this model.",
            "Go on with --resume, or remove that file.",
        )
    return state


def _use_threads(threads: int | None) -> None:
    if threads is None:
        return
    if threads < 1:
        raise RequestError(f"A training needs one thread or more, not {threads}.")
    use_threads(threads)


def _describe(learner: Learner, slices: int) -> str:
    spec, held = learner.spec, len(learner.held_out)
    return (
        f"{slices - held} slices to learn from, {held} held out; {spec.architecture}, "
        f"{spec.first_filters} first filters, output {spec.output}; {learner.describe()}"
    )


def _say(text: str, options: argparse.Namespace) -> None:
    """Print a line, unless asked not to; a reader that has gone away stops no work."""
    if not options.quiet and text:
        with suppress(BrokenPipeError):
            print(text, flush=True)
