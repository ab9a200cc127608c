"""``slicewise evaluate``: a model, images and their labels in; scores out."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.api import load_model, segment
from napari_slicewise.errors import ImageError, OutputError
from napari_slicewise.evaluation.membranes import score_membranes
from napari_slicewise.evaluation.report import Case, Gallery, check_report_folder, write_report
from napari_slicewise.evaluation.summary import (
    ImageScores,
    score_classes,
    score_image,
    summarize,
)
from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.io.image_info import PIXEL, Axis
from napari_slicewise.io.outputs import write_labels
from napari_slicewise.training.labelled_files import LabelledFile, open_pair, pair_files

__all__ = ["run_evaluate"]

_PERCENTILES = (1.0, 99.8)  # of what is shown


def run_evaluate(options: argparse.Namespace) -> int:
    """Predict all images, and print how well they agree with their labels.

    Parameters
    ----------
    options
        As ``cli_learning`` reads them.

    Returns
    -------
    int
        0.

    Raises
    ------
    SlicewiseError
        When something cannot be read, does not fit, or cannot be written.
    """
    pairs = pair_files(options.images, options.labels)
    if options.report is not None:
        check_report_folder(options.report)
    if options.save is not None:
        _make_folder(options.save)
    model = load_model(options.model)
    gallery, scores = Gallery(), []
    for case in _cases(pairs, model, options):
        scores.append(case.scores)
        gallery.add(case)
    summary = summarize(scores)
    if options.report is not None:
        write_report(options.report, model.spec.name, summary, scores, gallery)
    with suppress(BrokenPipeError):
        if options.json:
            print(json.dumps({"images": len(scores), **summary}))
        else:
            print(f"{len(scores)} image{'s' if len(scores) != 1 else ''}")
            width = max(len(name) for name in summary)
            for name, value in summary.items():
                shown = f"{value:.4f}" if isinstance(value, float) else value
                print(f"{name:{width}}  {shown}")
    return 0


def _cases(pairs: list[LabelledFile], model: Any, options: argparse.Namespace) -> Iterator[Case]:
    """Predict and score each image; give the slice to show."""
    for pair in pairs:
        opened, image, labels = open_pair(pair, options.channel)
        if labels.dtype.kind not in "bui":
            raise ImageError(
                f"{pair.labels.name}: labels must be whole numbers, not {labels.dtype}.",
                "Is this the image, or a probability map?",
            )
        truth = np.stack([labels.read_slice(index)[0] for index in labels.indices()])
        truth = truth.reshape(*labels.leading_shape, *labels.slice_shape)
        classes = model.spec.output == "classes"
        # What counts objects through a stack is linked; what looks at slices is not.
        objects = ObjectOptions(link=not options.per_slice, least_slices=1)

        def predict(output: str, opened: Any = opened, objects: Any = objects) -> NDArray[Any]:
            return segment(
                opened,
                model,
                channel=options.channel,
                output=output,  # type: ignore[arg-type]
                threshold=options.threshold,
                device=options.device,
                objects=objects,
            )

        predicted = predict("classes" if classes else "labels")
        if options.save is not None:
            _save(options.save / f"{pair.name}.tif", predicted, [pair.image, pair.labels])
        scores = _score(pair.name, predicted, truth, predict, options, classes=classes)
        middle = _most_labelled(truth)
        shown = _show(image.read_slice(middle))
        yield Case(scores, shown, predicted[middle], truth[middle])


def _score(
    name: str,
    predicted: NDArray[Any],
    truth: NDArray[Any],
    predict: Any,
    options: argparse.Namespace,
    *,
    classes: bool,
) -> ImageScores:
    if classes:
        return score_classes(name, predicted, truth)
    scores = score_image(name, predicted, truth, per_slice=options.per_slice)
    if options.membranes:
        probability = predict("probability")
        scores = replace(scores, membranes=score_membranes(probability, truth))
    return scores


def _most_labelled(truth: NDArray[Any]) -> tuple[int, ...]:
    """Return the index of the slice with most foreground."""
    if truth.ndim == 2:
        return ()
    counts = np.count_nonzero(truth, axis=(-2, -1))
    return tuple(int(i) for i in np.unravel_index(int(counts.argmax()), counts.shape))


def _show(channels: NDArray[Any]) -> NDArray[np.float32]:
    """Bring the mean of the channels to 0..1."""
    grey = channels.astype(np.float32).mean(axis=0)
    low, high = np.percentile(grey, _PERCENTILES)
    return np.asarray((grey - low) / max(float(high - low), 1e-6), np.float32)


def _save(path: Path, labels: NDArray[Any], inputs: list[Path]) -> None:
    names = "uvwtzyx"[-labels.ndim :]
    axes = tuple(Axis(n, s, 1.0, PIXEL) for n, s in zip(names, labels.shape, strict=True))
    write_labels(path, labels, axes, inputs=inputs)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder} could not be made: {error.strerror or error}.", "Choose another folder."
        ) from error
