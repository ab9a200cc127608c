"""The loop learns, follows the clock, stops when not asked, and goes on where it was."""

import itertools

import pytest
import torch

from napari_slicewise.errors import ModelError, RequestError
from napari_slicewise.models.unet import UNet
from napari_slicewise.training.average import WeightAverage
from napari_slicewise.training.config import TrainingConfig
from napari_slicewise.training.loop import Trainer, learning_rate
from napari_slicewise.training.losses import dice_loss, distance_loss, foreground_loss
from napari_slicewise.training.patches import Batch


def _draw():
    """Bright squares on dark ground, always the same."""
    image = torch.zeros(2, 1, 32, 32)
    image[:, :, 8:20, 8:20] = 1.0
    return Batch(image, image.clone(), image * 0.5, torch.ones_like(image))


def _trainer(minutes=60.0, draw=_draw, channels=2, **changes):
    torch.manual_seed(0)
    config = TrainingConfig(minutes=minutes, warmup=1e-9, **changes)
    return Trainer(UNet(1, channels, 4), draw, config)


@pytest.mark.parametrize("channels", [1, 2])
def test_network_learns_bright_squares(channels):
    trainer = _trainer(learning_rate=2e-2, channels=channels)
    reports = list(itertools.islice(trainer.steps(), 60))
    assert reports[-1].foreground < 0.5 * reports[0].foreground
    assert (reports[0].distance > 0) == (channels == 2)
    assert [report.step for report in reports] == list(range(1, 61))


def test_run_ends_when_its_time_is_over():
    trainer = _trainer(minutes=0.5 / 60)
    reports = list(trainer.steps())
    assert reports[-1].seconds >= 0.5
    assert reports[-2].seconds < 0.5
    assert all(r.rate == learning_rate(r.progress, trainer.config) for r in reports)


def test_rate_warms_up_and_decays_to_its_final_value():
    config = TrainingConfig(learning_rate=1.0, warmup=0.1, final_rate=0.01)
    rates = [learning_rate(progress / 100, config) for progress in range(101)]
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == rates[10] == pytest.approx(1.0)
    assert all(later <= earlier for earlier, later in itertools.pairwise(rates[10:]))
    assert rates[-1] == pytest.approx(0.01)


def test_saved_training_goes_on_as_if_never_stopped(tmp_path):
    path = tmp_path / "run" / "state.pt"
    whole = _trainer()
    steps = whole.steps()
    for _ in range(3):
        next(steps)
    whole.save(path)
    resumed = _trainer()
    resumed.resume(path)
    assert (resumed.step, resumed.seconds) == (3, whole.seconds)
    resumed.seconds = whole.seconds = 0.0  # the clock differs: the same rate for both
    next(steps)
    next(resumed.steps())
    for key, value in whole.average.network.state_dict().items():
        torch.testing.assert_close(
            resumed.average.network.state_dict()[key], value, atol=1e-4, rtol=1e-3
        )
    assert [p.name for p in path.parent.iterdir()] == ["state.pt"]


def test_something_else_is_no_saved_training(tmp_path):
    path = tmp_path / "other.pt"
    torch.save({"network": {}}, path)
    with pytest.raises(ModelError, match="no saved training"):
        _trainer().resume(path)
    with pytest.raises(ModelError, match="no saved training"):
        _trainer().resume(tmp_path / "missing.pt")


def test_diverged_training_is_an_error():
    def draw():
        batch = _draw()
        return Batch(batch.image * torch.nan, batch.foreground, batch.distance, batch.weight)

    with pytest.raises(ModelError, match="diverged at step 1"):
        next(_trainer(draw=draw).steps())


def test_average_follows_the_weights_and_copies_the_counters():
    network = torch.nn.BatchNorm2d(1)
    average = WeightAverage(network, decay=0.5)
    with torch.no_grad():
        network.weight.fill_(3.0)
        network.num_batches_tracked.fill_(9)
    average.update(network, step=100)
    assert average.network.weight.item() == pytest.approx(2.0)
    assert average.network.num_batches_tracked.item() == 9
    assert network.weight.item() == 3.0


def test_losses_are_zero_for_the_truth_and_grow_with_the_error():
    target = _draw().foreground
    ones = torch.ones_like(target)
    right, wrong = (target * 2 - 1) * 20, (1 - target * 2) * 20
    assert foreground_loss(right, target, ones) < 1e-3
    assert foreground_loss(wrong, target, ones) > 10
    assert dice_loss(wrong, target, ones) > 0.99
    assert distance_loss(target, target, ones) == 0
    assert distance_loss(target * 0, target, ones).item() == pytest.approx(0.75 * 0.95)


def test_loss_weighs_pixels_by_their_weight():
    target = torch.zeros(1, 1, 1, 2)
    logits = torch.tensor([[[[5.0, -5.0]]]])
    left, right = torch.tensor([[[[9.0, 1.0]]]]), torch.tensor([[[[1.0, 9.0]]]])
    assert foreground_loss(logits, target, left) > 2 * foreground_loss(logits, target, right)


def test_empty_patches_have_finite_losses():
    zeros = torch.zeros(1, 1, 4, 4)
    assert torch.isfinite(foreground_loss(zeros, zeros, zeros + 1))
    assert torch.isfinite(distance_loss(zeros, zeros, zeros + 1))


@pytest.mark.parametrize(
    ("option", "value"), [("minutes", 0.0), ("batch", 0), ("patch", 100), ("patch", 0)]
)
def test_impossible_options_are_refused(option, value):
    with pytest.raises(RequestError):
        TrainingConfig(**{option: value})
