"""Train the bundled ``nuclei`` model on BBBC038v1 (2018 Data Science Bowl), CC0.

    python scripts/train_nuclei.py DATA -o nuclei.safetensors --minutes 60

DATA holds ``images/TYPE_ID.tif`` and ``labels/TYPE_ID.tif`` (uint8 grey or RGB, uint16
objects). Stopped and called again with the same ``--run``, it goes on where it was. Every
tenth image or so, chosen by the hash of its name, is held out and scored while training.
``--start MODEL`` begins with its weights, ``--widen MODEL`` with a network of twice the
filters that computes the same.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from training_recipe import drive, load_images, options_of, use_threads

from napari_slicewise.models.checkpoint import read_checkpoint, write_checkpoint
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.zoo import resolve_model
from napari_slicewise.training.config import TrainingConfig, Variation
from napari_slicewise.training.learner import Learner
from napari_slicewise.training.request import LearnRequest
from napari_slicewise.training.widening import widen

CARD = ModelSpec(
    name="nuclei",
    title="nuclei - fluorescence",
    architecture="unet",
    in_channels=1,
    out_channels=2,
    first_filters=16,
    output="foreground_distance",
    normalization="percentile",
    percentiles=(1.0, 99.8),
    licence="CC0-1.0",
    source="Trained on BBBC038v1 (2018 Data Science Bowl; Caicedo et al. 2019), by this project.",
    description="Nuclei in fluorescence, bright on dark ground, about 8 to 60 pixels across.",
)
HELD_OUT = 20  # of 256 values of the first byte of a name's hash

# Nuclei of 8 to 90 pixels from those of 8 to 40, dim ones beside bright ones, any microscope.
VARIATION = Variation(
    scales=(0.6, 3.5),
    near=0.5,
    rotate=0.3,
    elastic=0.3,
    elastic_px=6.0,
    intensity=1.0,
    plain=0.2,
    dim=0.3,
    rough=0.25,
    empty=0.03,
)


def main() -> None:
    """Train until the time is over, then write the averaged weights."""
    options = _parse()
    use_threads(options.threads)
    annotations = load_images(options.data, tuple(options.types))
    held = tuple(a.name for a in annotations if hashed_out(a.name))
    print(f"{len(annotations) - len(held)} images to learn from, {len(held)} held out", flush=True)
    options.run.mkdir(parents=True, exist_ok=True)
    start = options.start
    if options.widen is not None:
        start = str(options.run / "wide.safetensors")
        wide = widen(read_checkpoint(resolve_model(options.widen)), seed=options.seed)
        write_checkpoint(Path(start), wide.state, wide.spec)
    request = LearnRequest(
        start_from=start,
        head="distance",
        minutes=options.minutes,
        seed=options.seed,
        first_filters=options.filters,
        held_out=held,
        memory_mb=6144,
    )
    config = TrainingConfig(
        minutes=options.minutes,
        learning_rate=options.learning_rate,
        border_weight=2.0,
        small_weight=3.5,
        dim_weight=2.5,
        seed=options.seed,
        scored_pieces=len(held),
        patience=2.0,
        variation=VARIATION,
    )
    drive(Learner(request, annotations, config=config), annotations, CARD, options)


def hashed_out(name: str) -> bool:
    """Whether an image is held out, by its name."""
    return hashlib.sha256(f"{name}.tif".encode()).digest()[0] < HELD_OUT


def _parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--types", nargs="+", default=["fluo"])
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--start", metavar="MODEL", help="begin with the weights of this model")
    parser.add_argument("--widen", metavar="MODEL", help="begin with this model, twice as wide")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    return options_of(parser, "training-runs/nuclei", "nuclei.safetensors")


if __name__ == "__main__":
    main()
