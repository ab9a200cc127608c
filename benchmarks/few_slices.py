"""How many annotated slices a network needs: membranes in electron microscopy.

    python benchmarks/few_slices.py DATA --out RESULTS [--slices 1 3 5 16] [--minutes 10]

DATA holds ``image.tif`` and ``labels.tif`` ``(z, y, x)``, labels above 0 inside of cells, as
in the ISBI 2012 challenge. The last four slices are scored and never trained on, nor is the
best state chosen by them. Beside the network stands a random forest on the features of
scikit-image, given the same slices and no more time. What is finished is kept in RESULTS;
called again, the rest is done, and a training that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import tifffile
import torch
from numpy.typing import NDArray

from napari_slicewise.evaluation.membranes import score_membranes
from napari_slicewise.training.learner import Learner
from napari_slicewise.training.request import Annotation, LearnRequest

SCORED = 4  # slices at the end of the stack
FOREST_PIXELS = 200_000  # that the forest learns from
FOREST_TREES = 100


def main() -> None:
    """Print a line for each number of slices and each method."""
    options = _parse()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    image = tifffile.imread(options.data / "image.tif")
    inside = tifffile.imread(options.data / "labels.tif") > 0
    print(f"scored on the last {SCORED} of {len(image)} slices; {options.minutes} min each")
    for count in options.slices:
        chosen = spread(len(image) - SCORED, count)
        for method, learn in (("network", learn_network), ("forest", learn_forest)):
            if method in options.methods:
                place = options.out / f"{method}-{count}.json"
                if not place.exists():
                    measured = measure(learn, image, inside, chosen, options)
                    place.write_text(json.dumps(measured))
                show(method, chosen, json.loads(place.read_text()))


def spread(slices: int, count: int) -> list[int]:
    """Return the middles of so many equal parts of a stack."""
    return [int((n + 0.5) * slices / count) for n in range(count)]


def measure(learn, image, inside, chosen, options) -> dict[str, float]:
    """Learn and score."""
    begun = time.perf_counter()
    found, notes = learn(image, inside, chosen, options)
    truth = inside[-SCORED:]
    best, half = score_membranes(found, truth), score_membranes(found, truth, (0.5,))
    return {
        "rand_error": best.rand_error,
        "pixel_error": best.pixel_error,
        "threshold": best.threshold,
        "rand_error_at_half": half.rand_error,
        "pixel_error_at_half": half.pixel_error,
        "minutes": (time.perf_counter() - begun) / 60,
        **notes,
    }


def learn_network(image, inside, chosen, options) -> tuple[NDArray, dict[str, float]]:
    """Train a U-Net; returns the probability of being inside, of the scored slices."""
    annotations = [
        Annotation(f"z {z}", image[z], inside[z].astype(np.uint8), group="stack") for z in chosen
    ]
    request = LearnRequest(
        head="binary",
        minutes=options.minutes,
        first_filters=options.filters,
        held_out=(),
        seed=options.seed,
    )
    learner = Learner(request, annotations)
    state = options.out / f"network-{len(chosen)}.training"
    if state.exists():
        learner.resume(state)
    saved, steps = time.monotonic(), 0
    for report in learner.steps():
        steps = report.step
        if time.monotonic() - saved > 30:
            learner.save_state(state)
            saved = time.monotonic()
            print(f"  step {steps}, loss {report.loss:.3f}, {report.seconds_left:.0f} s left")
    learner.save(options.out / f"network-{len(chosen)}.safetensors")
    state.unlink(missing_ok=True)
    found = [learner.predict(one, group="stack")[0] for one in image[-SCORED:]]
    return np.stack(found), {"steps": steps}


def learn_forest(image, inside, chosen, options) -> tuple[NDArray, dict[str, float]]:
    """Fit a random forest on intensities, edges and textures at several scales."""
    from skimage.feature import multiscale_basic_features
    from sklearn.ensemble import RandomForestClassifier

    def features(one: NDArray) -> NDArray:
        made = multiscale_basic_features(one, sigma_min=1, sigma_max=16)
        return made.reshape(-1, made.shape[-1])

    rng = np.random.default_rng(options.seed)
    rows, truths = [], []
    for z in chosen:
        picked = rng.permutation(image[z].size)[: FOREST_PIXELS // len(chosen)]
        rows.append(features(image[z])[picked])
        truths.append(inside[z].ravel()[picked])
    forest = RandomForestClassifier(
        warm_start=True, min_samples_leaf=5, n_jobs=options.threads, random_state=options.seed
    )
    pixels, answers = np.concatenate(rows), np.concatenate(truths)
    begun = time.monotonic()
    for trees in range(10, FOREST_TREES + 1, 10):
        forest.set_params(n_estimators=trees).fit(pixels, answers)
        if time.monotonic() - begun > 60 * options.minutes:
            break
    found = [forest.predict_proba(features(one))[:, 1] for one in image[-SCORED:]]
    return np.stack(found).reshape(SCORED, *image.shape[1:]), {"steps": trees}


def show(method: str, chosen: list[int], measured: dict[str, float]) -> None:
    """Print one line."""
    print(
        f"{len(chosen):3d} slices, {method:8s} pixel error {measured['pixel_error']:.4f}  "
        f"adapted Rand error {measured['rand_error']:.4f}  (at threshold "
        f"{measured['threshold']:.1f}; at 0.5: {measured['pixel_error_at_half']:.4f}, "
        f"{measured['rand_error_at_half']:.4f})  {measured['minutes']:.1f} min, "
        f"{measured['steps']:.0f} steps or trees",
        flush=True,
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--slices", type=int, nargs="+", default=[1, 3, 5, 16])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--methods", nargs="+", default=["network", "forest"])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args()


if __name__ == "__main__":
    main()
