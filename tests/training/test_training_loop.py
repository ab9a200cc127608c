"""One step after the other: the network learns, rates follow the clock, and it goes on."""

import itertools

import pytest
import torch
from support.labelled_discs import quick_config

from napari_slicewise.errors import RequestError
from napari_slicewise.models.unet import UNet
from napari_slicewise.models.unet_2015 import UNet2015
from napari_slicewise.training.average import WeightAverage
from napari_slicewise.training.config import TrainingConfig, Variation
from napari_slicewise.training.loop import DivergedError, Trainer, learning_rate
from napari_slicewise.training.losses import (
    batch_loss,
    class_loss,
    dice_loss,
    distance_loss,
    foreground_loss,
)
from napari_slicewise.training.patches import Batch
from napari_slicewise.training.standing import Standing

OUTPUTS = ["foreground", "foreground_distance", "foreground_boundary", "classes"]


def squares(output="foreground", side=32):
    """Bright squares on dark ground, always the same."""
    image = torch.zeros(2, 1, side, side)
    image[:, :, 8:20, 8:20] = 1.0
    if output == "classes":
        return Batch(image, image.long(), torch.ones_like(image), torch.zeros_like(image))
    target = image if output == "foreground" else torch.cat([image, image * 0.5], dim=1)
    return Batch(image, target, torch.ones_like(target), torch.zeros_like(image))


def trainer(output="foreground", **changes):
    torch.manual_seed(0)
    network = UNet(1, 1 if output == "foreground" else 2, 4)
    return Trainer(network, output, quick_config(**{"steps": 60, **changes}))


@pytest.mark.parametrize("output", OUTPUTS)
def test_network_learns_bright_squares(output):
    made = trainer(output, learning_rate=2e-2)
    losses = [made.learn(squares(output)) for _ in range(50)]
    assert losses[-1] < 0.6 * losses[0]
    assert made.step == 50


def test_network_whose_output_is_smaller_learns_from_the_middle():
    torch.manual_seed(0)
    made = Trainer(UNet2015(1, 1, (4, 8)), "foreground", quick_config(learning_rate=1e-2))
    before = made.learn(squares(side=36))
    losses = [made.learn(squares(side=36)) for _ in range(10)]
    assert losses[-1] < before


def test_rate_warms_up_and_decays_to_its_final_value():
    config = TrainingConfig(learning_rate=1.0, warmup=0.1, final_rate=0.01)
    rates = [learning_rate(progress / 100, config) for progress in range(101)]
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == rates[10] == pytest.approx(1.0)
    assert all(later <= earlier for earlier, later in itertools.pairwise(rates[10:]))
    assert rates[-1] == pytest.approx(0.01)


def test_progress_follows_the_steps_where_they_are_given_and_else_the_clock():
    by_steps, by_clock = trainer(steps=4), trainer(steps=None, minutes=2.0)
    by_steps.seconds = by_clock.seconds = 30.0
    by_steps.learn(squares())
    by_clock.learn(squares())
    assert by_steps.progress == 0.25
    assert by_clock.progress == 0.25


@pytest.mark.parametrize("anchor", [0.0, 3.0])
def test_restored_training_goes_on_bit_for_bit(anchor):
    whole, resumed = trainer(anchor=anchor), trainer(anchor=anchor, seed=1)
    for _ in range(3):
        whole.learn(squares())
    resumed.restore(whole.state())
    for _ in range(3):
        assert whole.learn(squares()) == resumed.learn(squares())
    for one, other in zip(
        whole.average.network.state_dict().values(),
        resumed.average.network.state_dict().values(),
        strict=True,
    ):
        assert torch.equal(one, other)


def test_saved_state_does_not_change_with_later_steps():
    made = trainer()
    made.learn(squares())
    state = made.state()
    kept = {key: value.clone() for key, value in state["network"].items()}
    made.learn(squares())
    assert all(torch.equal(kept[key], value) for key, value in state["network"].items())


def test_diverged_training_is_an_error_and_the_weights_are_as_before():
    made = trainer()
    made.learn(squares())
    before = made.state()["network"]
    bad = squares()
    bad.image[0, 0, 0, 0] = torch.nan
    with pytest.raises(DivergedError, match="diverged at step 2"):
        made.learn(bad)
    for key, value in made.state()["network"].items():
        if "running" not in key and "num_batches" not in key:
            assert torch.equal(value, before[key])


def test_kept_statistics_and_anchor_hold_a_known_network_near_its_start():
    free, held = (
        trainer(anchor=a, keep_statistics=a > 0, learning_rate=1e-2, weight_decay=0.0)
        for a in (0.0, 30.0)
    )
    start = {key: value.clone() for key, value in held.network.state_dict().items()}
    for made in (free, held):
        for _ in range(20):
            made.learn(squares())

    def moved(made):
        state = made.network.state_dict()
        return sum(float((state[key] - start[key]).square().sum()) for key in start)

    assert moved(held) < 0.5 * moved(free)
    statistics = {k: v for k, v in held.network.state_dict().items() if "running" in k}
    assert all(torch.equal(value, start[key]) for key, value in statistics.items())


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
    target = squares().target
    ones = torch.ones_like(target)
    right, wrong = (target * 2 - 1) * 20, (1 - target * 2) * 20
    assert foreground_loss(right, target, ones) < 1e-3
    assert foreground_loss(wrong, target, ones) > 10
    assert dice_loss(wrong, target, ones) > 0.99
    assert distance_loss(target, target, ones) == 0
    assert distance_loss(target * 0, target, ones).item() == pytest.approx(0.75 * 0.95)
    two = torch.cat([-right, right], dim=1)
    assert class_loss(two, target[:, 0].long(), ones[:, 0]) < 1e-3
    assert class_loss(-two, target[:, 0].long(), ones[:, 0]) > 10


def test_loss_weighs_pixels_by_their_weight():
    target = torch.zeros(1, 1, 1, 2)
    logits = torch.tensor([[[[5.0, -5.0]]]])
    left, right = torch.tensor([[[[9.0, 1.0]]]]), torch.tensor([[[[1.0, 9.0]]]])
    assert foreground_loss(logits, target, left) > 2 * foreground_loss(logits, target, right)
    ones = torch.ones_like(left)
    assert foreground_loss(logits, target, ones, left) > foreground_loss(
        logits, target, ones, right
    )


@pytest.mark.parametrize("output", OUTPUTS)
def test_unknown_pixels_change_neither_loss_nor_gradient(output):
    batch = squares(output)
    batch.weight[..., 16:, :] = 0.0
    answer = torch.randn(2, batch.target.shape[1] if output != "classes" else 2, 32, 32)
    answer.requires_grad_()
    losses = batch_loss(answer, batch, output, 2.0)
    sum(losses).backward()
    assert not answer.grad[..., 16:, :].any()
    assert answer.grad[..., :16, :].any()
    other = batch.target.clone()
    other[..., 16:, :] = 1 - other[..., 16:, :]
    changed = Batch(batch.image, other, batch.weight, batch.border)
    for one, two in zip(losses, batch_loss(answer, changed, output, 2.0), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("output", OUTPUTS)
def test_batches_without_objects_or_without_anything_known_have_finite_losses(output):
    batch = squares(output)
    empty = Batch(batch.image, batch.target * 0, batch.weight, batch.border)
    blank = Batch(batch.image, batch.target * 0, batch.weight * 0, batch.border)
    answer = torch.zeros(2, batch.target.shape[1] if output != "classes" else 2, 32, 32)
    for one in (empty, blank):
        assert all(torch.isfinite(loss) for loss in batch_loss(answer, one, output, 2.0))


def test_best_weights_are_those_of_the_best_score_and_the_end_comes_when_none_is_better():
    standing = Standing(quick_config(steps=100, patience=0.3, validations=10))
    scores = {0.1: 0.5, 0.2: 0.8, 0.3: 0.7, 0.4: 0.79, 0.5: 0.6}
    for progress, score in scores.items():
        assert standing.due(progress, 0.0)
        standing.take(score, {"w": torch.tensor(score)}, progress, 0.0, 0.0)
        assert not standing.due(progress, 0.0)
        assert standing.ending(progress) == ""
    assert standing.ending(0.51) == "no better any more"
    assert (standing.best, standing.weights["w"].item()) == (0.8, pytest.approx(0.8))
    assert standing.ending(1.0) == "steps are done"


def test_costly_validations_take_a_tenth_of_the_time_at_most():
    standing = Standing(quick_config(steps=None, minutes=10.0, validations=100))
    assert standing.due(0.01, 6.0)
    standing.take(0.5, {}, 0.01, cost=3.0, now=9.0)
    assert not standing.due(0.05, 30.0)
    assert standing.due(0.07, 42.0)
    assert standing.due(1.0, 10.0)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("minutes", 0.0),
        ("batch", 0),
        ("patch", 100),
        ("patch", 0),
        ("steps", 0),
        ("border_sigma", 0),
    ],
)
def test_impossible_options_are_refused(option, value):
    with pytest.raises(RequestError):
        TrainingConfig(**{option: value})
    with pytest.raises(RequestError):
        Variation(scales=(2.0, 1.0))
