"""A training step beside the plain loop: float32, contiguous, the same batch and network.

    python benchmarks/training.py [--filters 16 32] [--steps 6] [--rounds 4]

Both compute the same losses with AdamW. The project's step has the number format that this
processor is fast in, channels last, clipped gradients and the moving average of the weights;
the plain one has none of these. They take turns, so that what else the machine does hits both.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import nn

from napari_slicewise.inference.device import LocalDevices
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.unet import UNet
from napari_slicewise.training.config import TrainingConfig
from napari_slicewise.training.loop import Trainer
from napari_slicewise.training.losses import batch_loss
from napari_slicewise.training.patches import Batch, PatchSampler
from napari_slicewise.training.pieces import Intensities, cut_pieces, read_labels
from napari_slicewise.training.pool import PiecePool
from napari_slicewise.training.request import Annotation
from napari_slicewise.training.truth import make_truth

OUTPUT = "foreground_distance"


def main() -> None:
    """Print milliseconds a step, and their ratio."""
    options = _parse()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    precision = LocalDevices().precision("cpu", "auto")
    config = TrainingConfig(minutes=1000.0, warmup=1e-9, batch=options.batch, patch=options.patch)
    sampler = discs(config)
    batch, drawing = sampler.draw(), timed(lambda: [sampler.draw() for _ in range(3)]) / 3
    print(
        f"batch {options.batch} x {options.patch} px, {torch.get_num_threads()} threads, "
        f"{precision} against float32; to draw a batch takes {1000 * drawing:.0f} ms"
    )
    for filters in options.filters:
        torch.manual_seed(0)
        network = UNet(1, 2, filters)
        ours = Trainer(copy.deepcopy(network), OUTPUT, config, "cpu", precision)
        plain = PlainLoop(network, config)
        pair = [partial(ours.learn, batch), partial(plain.learn, batch)]
        times = race(pair, options.steps, options.rounds)
        (fast, slow), ratios = np.median(times, axis=0), times[:, 1] / times[:, 0]
        print(
            f"{filters:3d} filters: {1000 * fast:7.0f} ms, plain {1000 * slow:7.0f} ms, ratio "
            f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f}); with drawing "
            f"{(slow + drawing) / (fast + drawing):.2f}"
        )


class PlainLoop:
    """The loop that everyone writes first."""

    def __init__(self, network: nn.Module, config: TrainingConfig) -> None:
        self._network = network.train()
        self._config = config
        self._optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate)

    def learn(self, batch: Batch) -> float:
        """Do one step."""
        self._optimizer.zero_grad()
        answer = self._network(batch.image)
        first, second = batch_loss(answer, batch, OUTPUT, self._config.distance_weight)
        loss = first + second
        loss.backward()
        self._optimizer.step()
        return loss.item()


def race(
    contestants: list[Callable[[], object]], steps: int, rounds: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Seconds a step, ``(round, contestant)``, after a step to warm up."""
    for step in contestants:
        step()
    return np.array(
        [
            [timed(lambda s=step: [s() for _ in range(steps)]) / steps for step in contestants]
            for _ in range(rounds)
        ]
    )


def timed(act: Callable[[], object]) -> float:
    """Seconds that something takes."""
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def discs(config: TrainingConfig) -> PatchSampler:
    """Patches of bright discs on dark ground."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:512, :512]
    labels = np.zeros((512, 512), np.int32)
    for number, (y, x) in enumerate(rng.integers(0, 512, (150, 2)), start=1):
        labels[(rows - y) ** 2 + (columns - x) ** 2 < rng.integers(25, 250)] = number
    image = (labels > 0) * 100.0 + rng.normal(0, 10, labels.shape)
    spec = ModelSpec("discs", out_channels=2, output=OUTPUT)
    annotation = Annotation("discs", image.astype(np.float32), labels)
    intensities = Intensities([annotation], spec)
    pool = PiecePool(
        lambda piece: make_truth(
            intensities.normalized(piece), *read_labels(piece), OUTPUT, config
        ),
        1 << 30,
        channels=1,
        side=config.patch,
    )
    pool.replace("discs", cut_pieces(annotation))
    return PatchSampler(pool, OUTPUT, config)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--filters", type=int, nargs="+", default=[16, 32])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--patch", type=int, default=192)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args()


if __name__ == "__main__":
    main()
