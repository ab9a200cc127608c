"""Strokes over less than a hundredth of the pixels, beside full annotation of the same slices.

    python benchmarks/scribbles.py DATA [--slices 3] [--minutes 5] [--share 0.009]

DATA holds ``image.tif`` and ``labels.tif`` ``(z, y, x)``. Strokes are pieces of the middle
lines of foreground and background, three pixels wide. Both trainings take the same time;
scored is the foreground on all other slices.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import tifffile
import torch
from few_slices import spread
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.morphology import skeletonize

from napari_slicewise.evaluation.scores import foreground_iou, pixel_error
from napari_slicewise.training.learner import Learner
from napari_slicewise.training.request import Annotation, LearnRequest

STROKE = 30  # px; about the length of one


def main() -> None:
    """Print a line for each."""
    options = _parse()
    torch.set_num_threads(options.threads)
    image = tifffile.imread(options.data / "image.tif")
    inside = tifffile.imread(options.data / "labels.tif") > 0
    chosen = spread(len(image), options.slices)
    others = [z for z in range(len(image)) if z not in chosen]
    rng = np.random.default_rng(options.seed)
    known = {z: strokes(inside[z], options.share, rng) for z in chosen}
    drawn = np.mean([mask.mean() for mask in known.values()])
    print(f"slices {chosen}; strokes cover {100 * drawn:.2f} % of their pixels", flush=True)
    scores = {}
    for name, maps in (("strokes", known), ("all pixels", dict.fromkeys(chosen))):
        lessons = [
            Annotation(f"z {z}", image[z], inside[z].astype(np.uint8), maps[z], "stack")
            for z in chosen
        ]
        request = LearnRequest(
            head="binary", minutes=options.minutes, held_out=(), seed=options.seed
        )
        learner = Learner(request, lessons)
        steps = sum(1 for _ in learner.steps())
        found = np.stack([learner.predict(image[z], group="stack")[0] > 0.5 for z in others])
        scores[name] = foreground_iou(found, inside[others])
        error = pixel_error(found, inside[others])
        print(
            f"{name:10s} foreground IoU {scores[name]:.4f}, pixel error {error:.4f}, {steps} steps",
            flush=True,
        )
    print(f"difference {scores['all pixels'] - scores['strokes']:.4f}")


def strokes(inside: NDArray[np.bool_], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw strokes on foreground and background, half of the share each."""
    known = np.zeros(inside.shape, bool)
    for kind in (inside, ~inside):
        line = np.argwhere(skeletonize(kind))
        drawn = np.zeros(inside.shape, bool)
        while drawn.mean() < 0.5 * share:
            middle = line[rng.integers(len(line))]
            near = line[np.abs(line - middle).max(axis=1) <= STROKE // 2]
            stroke = np.zeros(inside.shape, bool)
            stroke[tuple(near.T)] = True
            pieces = ndi.label(stroke, np.ones((3, 3)))[0]
            stroke = pieces == pieces[tuple(middle)]
            drawn |= ndi.binary_dilation(stroke, np.ones((3, 3))) & kind
        known |= drawn
    return known


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--slices", type=int, default=3)
    parser.add_argument("--share", type=float, default=0.009)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args()


if __name__ == "__main__":
    main()
