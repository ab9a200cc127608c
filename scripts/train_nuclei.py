"""Train the bundled ``nuclei`` model on BBBC038v1 (2018 Data Science Bowl), CC0.

    python scripts/train_nuclei.py DATA -o nuclei.safetensors --minutes 60

DATA holds ``images/TYPE_ID.tif`` and ``labels/TYPE_ID.tif`` (uint8 grey, uint16 objects).
Stopped and called again with the same ``--run``, it goes on where it was. Every tenth
image or so, chosen by the hash of its name, is held out and scored while training.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # share the processor with others

import numpy as np
import tifffile
import torch
from torch import nn
from torch.nn import functional

from napari_slicewise.inference.normalize import measure_range, normalize
from napari_slicewise.models.checkpoint import write_checkpoint
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.unet import UNet
from napari_slicewise.training.config import TrainingConfig
from napari_slicewise.training.loop import Trainer
from napari_slicewise.training.patches import PatchSampler, TrainingImage

SPEC = ModelSpec(
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


def main() -> None:
    """Train until the time is over, then write the averaged weights."""
    options = _parse()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)  # several times slower otherwise, on some processors
    torch.manual_seed(options.seed)
    config = TrainingConfig(minutes=options.minutes, seed=options.seed)
    train, held = load_images(options.data, tuple(options.types))
    print(f"{len(train)} images to learn from, {len(held)} held out", flush=True)
    network = UNet(SPEC.in_channels, SPEC.out_channels, SPEC.first_filters)
    state = options.run / "state.pt"
    # The seed of a resumed run differs by its step: the same patches would come again.
    trainer = Trainer(network, lambda: sampler.draw(), config)
    if state.exists():
        trainer.resume(state)
        print(f"going on after step {trainer.step}", flush=True)
    sampler = PatchSampler(
        train, patch=config.patch, batch=config.batch, seed=options.seed + trainer.step
    )
    _drive(trainer, held, options.run)
    write_checkpoint(options.output, trainer.average.network.state_dict(), SPEC)
    print(f"wrote {options.output}")


def load_images(
    folder: Path, types: tuple[str, ...]
) -> tuple[list[TrainingImage], list[TrainingImage]]:
    """Read and normalise all images of these types: those to learn from, those held out."""
    train, held = [], []
    for path in sorted((folder / "images").glob("*.tif")):
        if not path.name.startswith(types):
            continue
        image = tifffile.imread(path)[np.newaxis]
        labels = tifffile.imread(folder / "labels" / path.name).astype(np.int32)
        normal = normalize(image, measure_range([image], SPEC))[0]
        digest = hashlib.sha256(path.name.encode()).digest()
        (held if digest[0] < 20 else train).append(TrainingImage(path.stem, normal, labels))
    return train, held


def predict(network: nn.Module, image: np.ndarray) -> np.ndarray:
    """Foreground probability and distance ``(2, y, x)`` of a normalised image ``(y, x)``."""
    rows, columns = image.shape
    tensor = torch.from_numpy(image)[None, None]
    padded = functional.pad(tensor, (0, -columns % 16, 0, -rows % 16), mode="reflect")
    with torch.inference_mode():
        logit, distance = network(padded)[0, :, :rows, :columns]
        return torch.stack([torch.sigmoid(logit), distance]).numpy()


def validate(network: nn.Module, held: list[TrainingImage]) -> tuple[float, float]:
    """Mean foreground IoU of the held-out images, and mean error of the distance in objects."""
    overlaps, errors = [], []
    for image in held:
        foreground, distance = predict(network, image.image)
        truth, found = image.labels > 0, foreground > 0.5
        union = np.count_nonzero(truth | found)
        overlaps.append(np.count_nonzero(truth & found) / union if union else 1.0)
        errors.append(float(np.abs(distance[~truth]).mean()))
    return float(np.mean(overlaps)), float(np.mean(errors))


def _drive(trainer: Trainer, held: list[TrainingImage], run: Path) -> None:
    """Run the loop, print the losses, save the state and validate now and then."""
    config = trainer.config
    saved = validated = time.monotonic()
    sums = np.zeros(2)
    for report in trainer.steps():
        sums += (report.foreground, report.distance)
        if report.step % 50 == 0:
            print(
                f"{report.step:6d} {report.seconds / 60:6.1f} min  foreground {sums[0] / 50:.4f}"
                f"  distance {sums[1] / 50:.4f}  rate {report.rate:.2e}",
                flush=True,
            )
            sums[:] = 0
        now = time.monotonic()
        if now - saved > 60 * config.save_minutes:
            trainer.save(run / "state.pt")
            saved = now
        if now - validated > 60 * config.validate_minutes:
            _report(trainer, held, run)
            validated = time.monotonic()
    trainer.save(run / "state.pt")
    _report(trainer, held, run)


def _report(trainer: Trainer, held: list[TrainingImage], run: Path) -> None:
    """Score the average so far on the held-out images, and keep it."""
    overlap, error = validate(trainer.average.network, held)
    print(f"held out: foreground IoU {overlap:.4f}, distance outside {error:.4f}", flush=True)
    write_checkpoint(run / "average.safetensors", trainer.average.network.state_dict(), SPEC)


def _parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("nuclei.safetensors"))
    parser.add_argument("--run", type=Path, default=Path("training-runs/nuclei"))
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--types", nargs="+", default=["fluo"])
    return parser.parse_args()


if __name__ == "__main__":
    main()
