"""What the recipes of the bundled models share: a run that goes on, and the file it makes."""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # share the processor with others

import numpy as np
import tifffile
import torch

from napari_slicewise.evaluation.scores import match_objects, pool_matchings
from napari_slicewise.inference.prepare import feed_channels
from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.instances.pipeline import ShapeOptions, shape_slice
from napari_slicewise.models.checkpoint import read_checkpoint, write_checkpoint
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.training.learner import Learner
from napari_slicewise.training.request import Annotation

THRESHOLDS = (0.4, 0.45, 0.5, 0.55, 0.6)
LARGEST = 16_000_000  # bytes of a file of weights


def options_of(parser: argparse.ArgumentParser, run: str, output: str) -> argparse.Namespace:
    """Read the command line; adds what all recipes take."""
    parser.add_argument("data", type=Path, help="holds images/ and labels/ with the same names")
    parser.add_argument("-o", "--output", type=Path, default=Path(output))
    parser.add_argument("--run", type=Path, default=Path(run), help="where the state is kept")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def load_images(folder: Path, types: tuple[str, ...] = ("",)) -> list[Annotation]:
    """Read all images whose names begin with one of these, and their labels.

    Of colours the luminance is taken, as inference feeds a model of one channel.
    """
    annotations = []
    for path in sorted((folder / "images").glob("*.tif")):
        if not path.name.startswith(types):
            continue
        image = tifffile.imread(path)
        if image.ndim == 3:
            image = feed_channels(np.moveaxis(image, -1, 0), "grey", 1)[0]
        labels = tifffile.imread(folder / "labels" / path.name).astype(np.int32)
        annotations.append(Annotation(path.stem, image, labels))
    return annotations


def drive(
    learner: Learner, annotations: list[Annotation], card: ModelSpec, options: argparse.Namespace
) -> None:
    """Train, or go on where the run was, and write the best weights under their card.

    The state is saved each two minutes; the best weights so far lie beside it.
    """
    state, draft = options.run / "state.training", options.run / "best.safetensors"
    if state.exists():
        learner.resume(state)
    print(learner.describe(), flush=True)
    saved, losses = time.monotonic(), []
    for report in learner.steps():
        losses.append(report.loss)
        if report.step % 50 == 0 or report.validation is not None or report.message:
            score = "" if report.validation is None else f"  held out {report.validation:.4f}"
            print(
                f"{report.step:6d} {report.seconds / 60:6.1f} min, {report.seconds_left / 60:.0f} "
                f"left  loss {np.mean(losses[-50:]):.4f}{score}  {report.message}",
                flush=True,
            )
        if time.monotonic() - saved > 60 * learner.config.save_minutes or report.ending:
            learner.save_state(state)
            learner.save(draft)
            saved = time.monotonic()
    finish(learner, annotations, card, draft, options.output)


def finish(
    learner: Learner, annotations: list[Annotation], card: ModelSpec, draft: Path, output: Path
) -> None:
    """Choose the threshold on the held-out images, and write weights and card."""
    learner.save(draft)
    checkpoint = read_checkpoint(draft)
    held = [a for a in annotations if a.name in learner.held_out]
    answers = [(learner.predict(a.image, rgb=a.rgb), np.asarray(a.labels)) for a in held]
    scores = {threshold: score(answers, card.output, threshold) for threshold in THRESHOLDS}
    best = max(scores, key=lambda threshold: sum(scores[threshold]))
    for threshold, (low, high) in scores.items():
        print(f"held out, threshold {threshold}: AP50 {low:.4f}, AP75 {high:.4f}", flush=True)
    shape = checkpoint.spec
    spec = replace(
        card,
        in_channels=shape.in_channels,
        out_channels=shape.out_channels,
        first_filters=shape.first_filters,
        threshold=best,
    )
    write_checkpoint(output, storable(checkpoint.state), spec)
    print(f"wrote {output}, threshold {best}", flush=True)


def storable(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Halve the kernels of a network whose file would be too large for the package."""
    if 4 * sum(value.numel() for value in state.values()) < LARGEST:
        return state
    return {key: value.half() if value.ndim == 4 else value for key, value in state.items()}


def score(answers: list, output: str, threshold: float) -> tuple[float, float]:
    """AP at IoU 0.5 and 0.75 of activations and truths, pooled over all objects."""
    options = ShapeOptions(output, "labels", ObjectOptions(threshold=threshold))
    matchings = [
        match_objects(shape_slice(answer, options), truth, (0.5, 0.75)) for answer, truth in answers
    ]
    low, high = pool_matchings(matchings)
    return low.average_precision, high.average_precision


def use_threads(count: int) -> None:
    """Set torch's threads, and what makes some processors several times faster."""
    torch.set_num_threads(count)
    torch.set_flush_denormal(True)
