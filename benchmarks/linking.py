"""Score objects linked through the slices of 3D stacks, beside 3D connected components.

    python benchmarks/linking.py --data FOLDER [--model NAME|FILE] [--directions zyx]

FOLDER holds a folder a stack, with ``image.tif`` and ``labels.tif`` of the same shape
``(z, y, x)``; folders without both are passed over. Every slice is predicted by itself.
Printed are, for each stack, the average precision TP / (TP + FP + FN) at an IoU of 0.5 in
3D: of connected components of the foreground, at the threshold that the objects have too,
and of linked objects, and how long the runs took. Then, whether five random orders of slices
gave the same objects. With several directions all is done twice: slice by slice as ever, and
with the mean of what is seen along these axes.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from nuclei_dev import match
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_slicewise.api import load_model
from napari_slicewise.inference.cache import ActivationCache
from napari_slicewise.inference.device import LocalDevices
from napari_slicewise.inference.request import Request
from napari_slicewise.inference.runner import Runner
from napari_slicewise.inference.stream import CancelToken
from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.io.source import ArraySource

ORDERS = 5


def main() -> None:
    """Print a block for each stack."""
    options = _parse()
    model = load_model(options.model)
    for folder in sorted(path.parent for path in options.data.glob("**/image.tif")):
        if not (folder / "labels.tif").exists():
            continue
        image, truth = (tifffile.imread(folder / name) for name in ("image.tif", "labels.tif"))
        if image.ndim != 3 or image.shape != truth.shape:
            continue
        print(f"{folder.name}: {len(np.unique(truth)) - 1} objects")
        for directions in dict.fromkeys(("z", options.directions)):
            score(image, truth, model, options, directions)


def score(image, truth, model, options, directions) -> None:
    """Print what one way of looking at a stack gives."""
    cache = ActivationCache(2 * 1024**3)
    begun = time.perf_counter()

    def labels(order=None, output="labels", **changes) -> NDArray:
        return segment(image, order, model, cache, options, directions, output, changes)

    foreground = labels(output="classes") > 0
    seconds = time.perf_counter() - begun
    found = {
        "connected components": ndi.label(foreground)[0],
        "linked, all of them": labels(least_slices=1),
        "linked, in two slices or more": labels(least_slices=2),
    }
    union = np.count_nonzero(foreground | (truth > 0))
    iou = np.count_nonzero(foreground & (truth > 0)) / union
    print(f"  along {directions}: foreground IoU {iou:.3f}, {seconds:.1f} s in the network")
    for name, objects in found.items():
        print(f"    {name:30s} {average_precision(objects, truth)}")
    wanted = found["linked, all of them"]
    same = [same_objects(labels(order, least_slices=1), wanted) for order in orders(len(image))]
    print(f"    {sum(same)} of {ORDERS} random orders of slices give the same objects")


def segment(image, order, model, cache, options, directions, output, changes) -> NDArray:
    """Labels of a stack whose slices are asked for in some order, renames applied."""
    source = ArraySource(image)
    chosen = {name: getattr(options, name) for name in ("gap", "anisotropy", "least_iou")}
    request = Request(
        options.model,
        order or tuple(source.indices()),
        output,
        objects=ObjectOptions(**chosen, **changes),
        directions=directions,
    )
    labels = np.zeros(image.shape, np.int64)
    runner = Runner(request, source, model, LocalDevices(), CancelToken(), cache=cache)
    for result in runner.results():
        for old, new in result.renamed.items():
            labels[labels == old] = new
        labels[result.index] = result.values
    return labels


def orders(depth: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Yield random orders of the slices."""
    shuffle = random.Random(0).shuffle
    for _ in range(ORDERS):
        order = [(z,) for z in range(depth)]
        shuffle(order)
        yield tuple(order)


def same_objects(one: NDArray, other: NDArray) -> bool:
    """Whether two label images differ in nothing but which number an object has."""
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    return all(len(np.unique(numbers)) == numbers.size for numbers in pairs)


def average_precision(objects: NDArray, truth: NDArray) -> str:
    """AP at an IoU of 0.5 in words."""
    ious, count = match(objects, truth.astype(np.int64))
    hits = np.count_nonzero(ious >= 0.5)
    found = len(np.unique(objects)) - 1
    return f"AP50 {hits / max(count - hits, 1):.3f}  {hits} of {found} objects are right"


def _parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--gap", type=int, default=1, help="slices that an object may miss")
    parser.add_argument("--anisotropy", type=float, default=1.0, help="z step over pixel size")
    parser.add_argument("--directions", default="z", help="z, zy, zx or zyx")
    parser.add_argument("--least-iou", type=float, default=0.0, help="of neighbouring slices")
    return parser.parse_args()


if __name__ == "__main__":
    main()
