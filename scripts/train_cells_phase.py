"""Train the bundled ``cells-phase`` model on Usiigaci's phase contrast images, MIT.

    python scripts/train_cells_phase.py DATA -o cells-phase.safetensors --minutes 45

DATA holds ``images/NAME.tif`` (uint16) and ``labels/NAME.tif`` (uint16 objects). Stopped and
called again with the same ``--run``, it goes on where it was. Two images, chosen by the hash
of their names, are held out and scored while training.
"""

from __future__ import annotations

import argparse
import hashlib

from training_recipe import drive, load_images, options_of, use_threads

from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.training.config import TrainingConfig, Variation
from napari_slicewise.training.learner import Learner
from napari_slicewise.training.request import LearnRequest

CARD = ModelSpec(
    name="cells-phase",
    title="cells - phase contrast",
    architecture="unet",
    in_channels=1,
    out_channels=2,
    first_filters=16,
    output="foreground_distance",
    normalization="percentile",
    percentiles=(1.0, 99.8),
    licence="MIT",
    source="Trained on images of Usiigaci (Tsai et al. 2019, 10.1016/j.softx.2019.02.007), "
    "MIT, by this project.",
    description="Adherent cells in phase contrast, T98G at 10x, about 30 to 120 pixels long.",
)
HELD_OUT = 2  # images

VARIATION = Variation(
    scales=(0.6, 1.6),
    near=0.5,
    rotate=0.5,
    elastic=0.5,
    intensity=0.7,
    plain=0.2,
)


def main() -> None:
    """Train until the time is over, then write the averaged weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--patch", type=int, default=256)
    parser.add_argument("--batch", type=int, default=6)
    options = options_of(parser, "training-runs/cells-phase", "cells-phase.safetensors")
    use_threads(options.threads)
    annotations = load_images(options.data)
    order = sorted(annotations, key=lambda a: hashlib.sha256(a.name.encode()).digest())
    held = tuple(a.name for a in order[:HELD_OUT])
    print(f"{len(annotations) - len(held)} images to learn from; held out: {', '.join(held)}")
    options.run.mkdir(parents=True, exist_ok=True)
    request = LearnRequest(
        head="distance",
        minutes=options.minutes,
        seed=options.seed,
        first_filters=options.filters,
        held_out=held,
        memory_mb=4096,
    )
    config = TrainingConfig(
        minutes=options.minutes,
        batch=options.batch,
        patch=options.patch,
        border_weight=5.0,
        small_weight=1.5,
        dim_weight=1.0,
        seed=options.seed,
        patience=2.0,
        variation=VARIATION,
    )
    drive(Learner(request, annotations, config=config), annotations, CARD, options)


if __name__ == "__main__":
    main()
