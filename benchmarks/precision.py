"""What bfloat16 and int8 change in the labels of the nuclei model, beside float32.

    python benchmarks/precision.py DATA [--model NAME|FILE] [--type fluo]

DATA as for nuclei_dev.py. All formats run through ``SegmentRun``, float32 too. As int8 is
calibrated on the user's image, and a single photograph is small, the images of one size
form a stack, each scaled by itself; stacks too small for int8's own check run in the
format that they fall back to, and are said. Printed for each format: the share of the
pixels whose class differs from float32, and the average precision against the truth.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from nuclei_dev import measure, read_pairs
from numpy.typing import NDArray

from napari_slicewise.api import SegmentRun, load_model
from napari_slicewise.inference.loading import LoadedModel
from napari_slicewise.inference.prepare import feed_channels
from napari_slicewise.inference.request import Precision, Request, RunReport
from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.io.source import ArraySource

FORMATS: tuple[Precision, ...] = ("float32", "bfloat16", "int8")


def stacks_of(folder: Path, type_: str) -> list[tuple[NDArray, list[NDArray]]]:
    """Return a stack ``(n, y, x)`` and the truths for each size of image."""
    groups: dict[tuple[int, ...], list[tuple[NDArray, NDArray]]] = defaultdict(list)
    for _, image, truth in read_pairs(folder, type_):
        grey = feed_channels(image, "grey", 1)[0] if image.shape[0] >= 3 else image[0]
        groups[truth.shape].append((grey, truth))
    return [
        (np.stack([image for image, _ in pairs]), [truth for _, truth in pairs])
        for pairs in groups.values()
    ]


def run(
    model: LoadedModel, stack: NDArray, precision: Precision, **options: object
) -> tuple[list[NDArray], RunReport]:
    """Segment a stack of unrelated images."""
    source = ArraySource(stack)
    request = Request(
        model.spec.name,
        tuple(source.indices()),
        precision=precision,
        intensity_range="slice",
        objects=ObjectOptions(link=False),
        **options,
    )
    segmentation = SegmentRun(request, source, model)
    values = [result.values for result in segmentation]
    assert segmentation.report is not None
    return values, segmentation.report


def main() -> None:
    """Print a Markdown table."""
    options = _parse()
    model = load_model(options.model)
    stacks = stacks_of(options.data, options.type)
    truths = [truth for _, of_size in stacks for truth in of_size]
    pixels = sum(truth.size for truth in truths)
    print(f"{len(truths)} images of {len(stacks)} sizes, {pixels / 1e6:.1f} million pixels\n")
    exact: list[NDArray] = []
    notes: list[str] = []
    print("| | pixels that differ | AP50 | AP75 | run in this format |\n|" + " --- |" * 5)
    for precision in FORMATS:
        masks, labels, honoured = [], [], 0
        for stack, _ in stacks:
            found, _ = run(model, stack, precision, output="classes")
            objects, report = run(model, stack, precision)
            masks += found
            labels += objects
            honoured += len(found) * (report.details["precision"] == precision)
            said = (report.details["precision_check"], *report.fallbacks)
            notes += [f"{precision}, {stack.shape}: {text}" for text in dict.fromkeys(said) if text]
        exact = exact or masks
        differ = sum(int((a != b).sum()) for a, b in zip(exact, masks, strict=True)) / pixels
        scores = measure(labels, truths)
        print(
            f"| {precision} | {100 * differ:.4f} % | {scores['AP50']:.4f} "
            f"| {scores['AP75']:.4f} | {honoured} of {len(truths)} |",
            flush=True,
        )
    print("\n" + "\n".join(notes))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--type", default="fluo", help="prefix of the file names")
    return parser.parse_args()


if __name__ == "__main__":
    main()
