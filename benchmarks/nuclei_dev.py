"""Score a nuclei model on labelled images, beside a smoothed Otsu threshold.

    python benchmarks/nuclei_dev.py DATA [--model NAME|FILE] [--type fluo] [--labels OUT] [--record]

DATA holds ``images/TYPE_ID.tif`` and ``labels/TYPE_ID.tif``, as the 2018 Data Science
Bowl's images do here. Printed are the mean foreground IoU of the images, and the average
precision TP / (TP + FP + FN) at IoU 0.5 and 0.75, pooled over all objects. With
``--record`` the model's scores are written into the header of its file.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile
import torch
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.filters import threshold_otsu
from torch import nn

from napari_slicewise.inference.backends import activate
from napari_slicewise.inference.normalize import measure_range, normalize
from napari_slicewise.inference.prepare import feed_channels
from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.instances.pipeline import ShapeOptions, shape_slice
from napari_slicewise.models.checkpoint import load_network, read_checkpoint, write_checkpoint
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.zoo import resolve_model

THRESHOLDS = (0.5, 0.75)


def main() -> None:
    """Print two lines: the model's scores, and Otsu's."""
    options = _parse()
    checkpoint = read_checkpoint(resolve_model(options.model))
    network, spec = load_network(checkpoint), checkpoint.spec
    threshold = spec.threshold if options.threshold is None else options.threshold
    objects = ObjectOptions(threshold=threshold, smallest=options.smallest)
    shape = ShapeOptions(spec.output, "labels", objects)
    pairs = list(read_pairs(options.data, options.type))
    print(f"{len(pairs)} images, {sum(len(np.unique(truth)) - 1 for _, _, truth in pairs)} objects")
    truths = [truth for _, _, truth in pairs]
    begun = time.perf_counter()
    found = [shape_slice(predict(network, spec, image), shape) for _, image, _ in pairs]
    seconds = (time.perf_counter() - begun) / len(pairs)
    scores = measure(found, truths)
    otsu = measure([label_otsu(image) for _, image, _ in pairs], truths)
    for name, numbers in ((spec.name, scores), ("Otsu", otsu)):
        print(f"{name:10s}", *(f"{what} {value:.4f} " for what, value in numbers.items()))
    print(f"{seconds:.3f} s an image for {spec.name}, float32, {torch.get_num_threads()} threads")
    if options.labels:
        options.labels.mkdir(parents=True, exist_ok=True)
        for (path, _, _), labels in zip(pairs, found, strict=True):
            tifffile.imwrite(options.labels / path.name, labels)
    if options.record:
        rounded = {f"{options.name} {what}": round(value, 4) for what, value in scores.items()}
        path = resolve_model(options.model)
        write_checkpoint(path, checkpoint.state, replace(spec, scores=rounded))


def read_pairs(folder: Path, type_: str):
    """Yield path, image ``(c, y, x)`` and labels ``(y, x)`` of each image of a type."""
    for path in sorted((folder / "images").glob(f"{type_}*.tif")):
        image = tifffile.imread(path)
        image = image[np.newaxis] if image.ndim == 2 else np.moveaxis(image, -1, 0)
        yield path, image, tifffile.imread(folder / "labels" / path.name)


def predict(network: nn.Module, spec: ModelSpec, image: NDArray) -> NDArray:
    """Activations ``(head, y, x)`` of an image ``(c, y, x)``, in one piece and in float32."""
    if image.shape[0] > spec.in_channels:
        image = feed_channels(image, "grey", spec.in_channels)
    normal = normalize(image, measure_range([image], spec))
    rows, columns = normal.shape[1:]
    border = ((0, 0), (0, -rows % spec.stride), (0, -columns % spec.stride))
    padded = np.pad(normal, border, mode="reflect")
    with torch.inference_mode():
        logits = network(torch.from_numpy(padded)[None])
        return activate(logits, spec.output)[0, :, :rows, :columns].numpy()


def label_otsu(image: NDArray) -> NDArray:
    """Gaussian of 1 px, Otsu's threshold, connected components."""
    smooth = ndi.gaussian_filter(image.mean(axis=0).astype(np.float32), 1.0)
    if smooth.min() == smooth.max():
        return np.zeros(smooth.shape, np.int32)
    return ndi.label(smooth > threshold_otsu(smooth))[0]


def measure(found: list[NDArray], truths: list[NDArray]) -> dict[str, float]:
    """Foreground IoU, and average precision at each threshold, by name."""
    overlaps, hits, objects = [], np.zeros(len(THRESHOLDS)), 0
    for labels, truth in zip(found, truths, strict=True):
        union = np.count_nonzero((labels > 0) | (truth > 0))
        overlaps.append(np.count_nonzero((labels > 0) & (truth > 0)) / union if union else 1.0)
        ious, count = match(labels, truth)
        hits += [np.count_nonzero(ious >= threshold) for threshold in THRESHOLDS]
        objects += count
    # Found and true objects together are 2 TP + FP + FN.
    precision = np.divide(hits, objects - hits, out=np.ones_like(hits), where=objects > hits)
    names = [f"AP{100 * threshold:.0f}" for threshold in THRESHOLDS]
    return {"foreground IoU": float(np.mean(overlaps))} | dict(
        zip(names, precision.tolist(), strict=True)
    )


def match(labels: NDArray, truth: NDArray) -> tuple[NDArray, int]:
    """IoU of all overlapping pairs of objects, and how many objects there are in both.

    From an IoU of 0.5 on an object has one partner at most, so that nothing is assigned.
    """
    found_area, true_area = np.bincount(labels.ravel()), np.bincount(truth.ravel())
    both = (labels > 0) & (truth > 0)
    keys = labels[both].astype(np.int64) * true_area.size + truth[both]
    pairs, overlap = np.unique(keys, return_counts=True)
    found, true = np.divmod(pairs, true_area.size)
    ious = overlap / (found_area[found] + true_area[true] - overlap)
    return ious, np.count_nonzero(found_area[1:]) + np.count_nonzero(true_area[1:])


def _parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--type", default="fluo", help="prefix of the file names")
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--smallest", type=int, default=16)
    parser.add_argument("--record", action="store_true", help="keep the scores in the model file")
    parser.add_argument("--name", default="dsb2018 dev fluo", help="of the data, for --record")
    parser.add_argument("--labels", type=Path, help="folder to write the labels to")
    return parser.parse_args()


if __name__ == "__main__":
    main()
