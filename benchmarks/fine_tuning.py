"""Fine-tuning on two corrected images of a kind that a model does badly on.

    python benchmarks/fine_tuning.py TRAIN DEV [--type histo_purple] [--images 2] [--minutes 2]

TRAIN and DEV hold ``images/TYPE_ID.tif`` and ``labels/TYPE_ID.tif``, as the 2018 Data Science
Bowl's images do here. Printed is the average precision at IoU 0.5 on DEV, of the images of
that type and of those the model was made for, before and after.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import tifffile
import torch

from napari_slicewise.api import segment
from napari_slicewise.evaluation.summary import score_image, summarize
from napari_slicewise.inference.loading import LoadedModel, load_model_file
from napari_slicewise.models.zoo import resolve_model
from napari_slicewise.training.learner import Learner
from napari_slicewise.training.request import Annotation, LearnRequest

LUMINANCE = (0.2125, 0.7154, 0.0721)


def main() -> None:
    """Print a line before and a line after."""
    options = _parse()
    torch.set_num_threads(options.threads)
    kinds = {kind: read(options.dev, kind) for kind in (options.type, options.old)}
    lessons = choose(read(options.train, options.type), options.images)
    print(f"learns from {', '.join(lesson.name for lesson in lessons)}")
    show("before", load_model_file(resolve_model(options.model)), kinds)
    request = LearnRequest(
        start_from=options.model, minutes=options.minutes, seed=options.seed, held_out=()
    )
    learner = Learner(request, lessons)
    steps = sum(1 for _ in learner.steps())
    learner.save(options.out)
    show(f"after {steps} steps", load_model_file(options.out), kinds)


def read(folder: Path, kind: str) -> list[Annotation]:
    """Read the images of a type, as luminance, and their labels."""
    found = []
    for path in sorted((folder / "images").glob(f"{kind}*.tif")):
        image = tifffile.imread(path)
        if image.ndim == 3:
            image = np.rint(image[..., :3] @ LUMINANCE).astype(image.dtype)
        labels = tifffile.imread(folder / "labels" / path.name).astype(np.int32)
        found.append(Annotation(path.stem, image, labels))
    return found


def choose(images: list[Annotation], count: int) -> list[Annotation]:
    """Take images evenly from all that there are."""
    return [images[int((n + 0.5) * len(images) / count)] for n in range(count)]


def show(when: str, model: LoadedModel, kinds: dict[str, list[Annotation]]) -> None:
    """Score a model on all types."""
    words = []
    for kind, images in kinds.items():
        scores = [score_image(a.name, segment(a.image, model), a.labels) for a in images]
        summary = summarize(scores)
        precision, overlap = summary["AP at IoU 0.5"], summary["foreground IoU"]
        words.append(f"{kind}: AP50 {precision:.4f}, foreground IoU {overlap:.4f}")
    print(f"{when:16s}", "   ".join(words), flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("dev", type=Path)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--type", default="histo_purple")
    parser.add_argument("--old", default="fluo", help="the type that the model was made for")
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("tuned.safetensors"))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args()


if __name__ == "__main__":
    main()
