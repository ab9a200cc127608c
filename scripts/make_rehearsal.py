"""Keep patches of a bundled model's training images, so that fine-tuning forgets little.

    python scripts/make_rehearsal.py DATA --model nuclei.safetensors [--types fluo] [--count 40]

DATA is what the model was trained on: ``images/`` and ``labels/`` with the same names. The
patches go beside the weights; images that the recipe holds out are left out.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
from train_nuclei import hashed_out
from training_recipe import load_images

from napari_slicewise.training.rehearsal import rehearsal_path, write_rehearsal
from napari_slicewise.training.request import Annotation


def main() -> None:
    """Choose images by the hash of their names, and of each the window with most objects."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--types", nargs="+", default=["fluo"])
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--side", type=int, default=192)
    options = parser.parse_args()
    images = [a for a in load_images(options.data, tuple(options.types)) if not hashed_out(a.name)]
    images.sort(key=lambda a: hashlib.sha256(f"rehearse {a.name}".encode()).digest())
    large = [a for a in images if min(a.labels.shape) >= options.side]
    write_rehearsal(options.model, [window(a, options.side) for a in large[: options.count]])
    path = rehearsal_path(options.model)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def window(one: Annotation, side: int) -> Annotation:
    """Cut the window that holds most objects, of those on a coarse grid."""
    rows, columns = (range(0, n - side + 1, max(1, side // 2)) for n in one.labels.shape)
    places = [(y, x) for y in rows for x in columns]

    def objects(place: tuple[int, int]) -> int:
        y, x = place
        return len(np.unique(one.labels[y : y + side, x : x + side]))

    y, x = max(places, key=objects)
    cut = np.s_[y : y + side, x : x + side]
    return Annotation(one.name, one.image[cut], one.labels[cut])


if __name__ == "__main__":
    main()
